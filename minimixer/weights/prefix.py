"""What others put before all names of a file: ``model.``, ``module.``, ``_orig_mod.``, ``params/``, one or several."""

import re
from collections.abc import Collection

from minimixer.weights.kinds import WeightsError
from minimixer.weights.names import OFFICIAL, TABLE, TIMM, Layout

# Lightning and many trainers; DataParallel and DistributedDataParallel; torch.compile; Flax.
WRAPPERS = re.compile(r"(?:(?:model|module|_orig_mod|params|state_dict|net|network)[./])+")


def common_prefix(names: Collection[str], wanted: Collection[str], where: object) -> str:
    """What stands before the wanted names in a file; empty if nothing does, or none of them is there.

    Parameters
    ----------
    names, wanted : collection of str
        Those in the file, and those of the model.
    where : object
        The file, for errors.

    Raises
    ------
    WeightsError
        If several prefixes lead to equally many of the wanted names.
    """
    counts: dict[str, int] = {}
    wanted = set(wanted)
    for name in names:
        for start in [0, *(match.end() for match in re.finditer(r"[./]", name))]:
            if name[start:] in wanted:
                counts[name[:start]] = counts.get(name[:start], 0) + 1
    if not counts:
        return ""
    most = max(counts.values())
    best = [prefix for prefix, count in counts.items() if count == most]
    best = [prefix for prefix in best if not prefix] or [p for p in best if WRAPPERS.fullmatch(p)] or best
    if len(best) > 1:
        raise WeightsError(f"{where} holds several models, behind {' and '.join(map(repr, sorted(best)[:3]))}: keep "
                           "the arrays of one of them")
    return best[0]


def recognize(names: Collection[str], usual: Layout, where: object) -> tuple[Layout, str]:
    """The layout of a file by the names in it, and the prefix of these; the usual layout of its kind if unknown."""
    for layout in (usual, OFFICIAL, TIMM):
        stems = {layout.name_of(row, 0) for row in TABLE if row.ours.startswith("stem.")}
        prefix = common_prefix(names, stems, where)
        if any(prefix + stem in names for stem in stems):
            return layout, prefix
    return usual, ""


def removed(prefix: str) -> str:
    """The note about a prefix."""
    return f"the names in the file begin with {prefix!r}, which was taken off"
