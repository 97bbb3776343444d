"""``minimixer experiments [list|NAME]``: the paper's claims, measured again on a small scale.

Each experiment is a module of ``experiments/`` with ``Options``; ``measure(options)``, which returns values that JSON
can hold; ``report(found)``, which describes them; and ``draw(found)``, which plots them.
"""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minimixer.bench.machine import describe, machine
from minimixer.console import parse, show, table
from minimixer.errors import OK, UsageError, nearest
from minimixer.experiments import stored
from minimixer.experiments.options import Options
from minimixer.files import check_replaceable, json_text, write_atomically
from minimixer.plots.style import is_plot, save


class Experiment(NamedTuple):
    """Module of an experiment, the paper's claim and where it stands, and the minutes that the default options take."""

    module: str
    claim: str
    where: str
    minutes: float

    def load(self) -> Any:
        """Import the module."""
        return importlib.import_module(f"minimixer.experiments.{self.module}")


EXPERIMENTS = {
    "complexity": Experiment("complexity", "Mixers: linear in the patches; ViTs: quadratic", "section 2", 3),
    "patch-size": Experiment("patch_size", "smaller patches cost more and are more accurate", "table 3", 3),
    "data-size": Experiment("data_size", "a Mixer gains more from more data than others", "figure 2, right", 15),
    "permutation": Experiment("permutation", "a Mixer is indifferent to shuffled patches", "figure 4", 8),
    "token-weights": Experiment("token_weights", "token mixing learns units of opposite phase", "figures 5 and 6", 2),
    "embedding-filters": Experiment("embedding_filters", "larger patches learn filters of lower frequency", "figure 7",
                                    3),
    "cnn-identity": Experiment("cnn_identity", "a Mixer is a very special CNN", "section 1", 0.1),
    "ablation": Experiment("ablation", "a Mixer needs no position embedding", "section 2", 4),
}


def main(arguments: Sequence[str]) -> int:
    """Run one experiment, or list them, and return the exit code."""
    name, *rest = arguments or ["list"]
    if name in ("list", "-h", "--help"):
        return list_experiments()
    if name not in EXPERIMENTS:
        raise UsageError(f"there is no experiment {name!r}; {nearest(name, EXPERIMENTS)}")
    return run(name, rest)


def list_experiments() -> int:
    """List the experiments, the minutes each takes, and the claim it tests."""
    print("usage: minimixer experiments [list | NAME] [--flags]\n")
    rows = table("experiment", ">minutes", "what the paper says")
    for name, experiment in EXPERIMENTS.items():
        rows.add_row(name, f"{experiment.minutes:g}", experiment.claim)
    show(rows)
    print("\nMinutes are for the default options, on two idle cores.  NAME --help lists the\n"
          "flags; NAME --quick only shows that it runs.")
    return OK


def run(name: str, arguments: Sequence[str]) -> int:
    """Measure, write NAME.json and NAME.png (NAME-quick with --quick), and print; --redraw skips the measurement."""
    experiment = EXPERIMENTS[name]
    module = experiment.load()
    # python -OO leaves no docstring.
    description = module.__doc__.split("``: ", 1)[1].split("\n", 1)[0] if module.__doc__ else experiment.claim
    options: Options = parse(module.Options, f"experiments {name}", description[0].upper() + description[1:], arguments)
    path = options.out / f"{name}{'-quick' * options.quick}.json"
    image = path.with_suffix(".png")

    def is_stored(_: Path) -> bool:             # older images have no mark, but lie beside their numbers
        return stored.read(path).get("experiment") == name

    check_replaceable(path, is_stored, f"experiments {name}")
    check_replaceable(image, lambda image: is_plot(image) or is_stored(image), f"experiments {name}")
    if options.redraw:
        content = stored.read(path)
    else:
        start = time.perf_counter()
        found = module.measure(options)
        content = {"experiment": name, "claim": experiment.claim, "where": experiment.where,
                   "expected_minutes": experiment.minutes, "seconds": round(time.perf_counter() - start, 3),
                   "options": vars(options), "machine": (here := machine()), "described": describe(here),
                   "found": found}
        options.out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json_text(content, indent=1, default=str) + "\n").encode())
    print(f"The paper: {experiment.claim} ({experiment.where}).\n", module.report(content["found"]),
          f"\n{content['seconds']:.0f} s, expected {60 * experiment.minutes:.0f} s; {content['described']}",
          sep="\n")
    save(module.draw(content["found"]), image)
    print(f"{path}\n{image}")
    return OK
