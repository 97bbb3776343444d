"""The report on an import or export of weights: one line per array."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minimixer.text import printable
from minimixer.weights.names import Shape

BLOCK = re.compile(r"(?<=[_.])(\d+)(?=[/.])")       # the number of a block in a name: MixerBlock_3/..., blocks.3....


@dataclass(frozen=True)
class Mapped:
    """An array in the file and its counterpart in the model; the shapes may differ by a transpose or by growth."""

    theirs: str
    their_shape: Shape
    ours: str
    our_shape: Shape


@dataclass(frozen=True)
class Report:
    """What happened to every array between a file and a model; ``print`` shows it as a table.

    Attributes
    ----------
    path : Path
    layout : str
        ``"official"``, ``"timm"``, or ``"plain"`` for the model's own names.
    mapped : tuple of Mapped
    missing : tuple of str
        Names of the layout that are not in the file.
    unused : tuple of str
        Names in the file that the model does not use.
    notes : tuple of str
        Changes on the way, one sentence each.
    about : mapping
        What the file says of the model's images: ``class_names``, ``mean``, ``std``.
    """

    path: Path
    layout: str
    mapped: tuple[Mapped, ...]
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = [("name in the file", "shape", "name in the model", "shape, if different")]
        theirs = gather((m.theirs, m.their_shape) for m in self.mapped)
        ours = gather((m.ours, m.our_shape) for m in self.mapped)
        rows += [(a, _text(b), c, _text(d) if d != b else "") for (a, b), (c, d) in zip(theirs, ours, strict=True)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{printable(self.path.name)}, {self.layout} layout: {len(self.mapped)} arrays mapped, "
                 f"{len(self.missing)} missing, {len(self.unused)} unused", ""]
        lines += ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
                  for row in rows]
        for title, names in (("missing", self.missing), ("unused", self.unused)):
            lines += [f"{title}: {printable(name)}" for name, _ in gather((name, ()) for name in names)]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def gather(names: Iterable[tuple[str, Shape]]) -> Iterator[tuple[str, Shape]]:
    """Merge names with the same shape that differ only in their block: ``blocks.{0..11}.norm1.bias``."""
    groups: dict[tuple[str, Shape], list[int]] = {}
    for name, shape in names:
        number = BLOCK.search(name)
        groups.setdefault((BLOCK.sub("{}", name, count=1), shape), []).append(int(number[1]) if number else 0)
    for (pattern, shape), numbers in groups.items():
        first, last = min(numbers), max(numbers)
        whole = len(numbers) > 1 and sorted(numbers) == list(range(first, last + 1))
        span = f"{{{first}..{last}}}" if whole else ", ".join(map(str, sorted(numbers)))
        yield pattern.replace("{}", span, 1), shape


def _text(shape: Shape) -> str:
    return "({})".format(", ".join(map(str, shape)))
