"""``minimixer experiments [list|NAME]``: the paper's claims, measured again on a small scale.

Every experiment is a module with ``Options``, ``measure(options)``, which returns what JSON can hold, and
``report(found)`` and ``draw(found)``, which say and show it.
"""

import importlib
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from minimixer.bench.report import describe, machine
from minimixer.console import parse, show, table
from minimixer.errors import OK, UsageError, nearest, run_command
from minimixer.experiments.options import Options
from minimixer.parallel.host import prepare_process


class Experiment(NamedTuple):
    """Where an experiment is, what the paper says, where, and how long the test takes with the default options."""

    module: str
    claim: str
    where: str
    minutes: float

    def load(self) -> Any:
        """Its module."""
        return importlib.import_module(f"minimixer.experiments.{self.module}")


EXPERIMENTS = {
    "complexity": Experiment("complexity", "Mixers: linear in the patches; ViTs: quadratic", "section 2", 3),
    "patch-size": Experiment("patch_size", "smaller patches cost more and answer better", "table 3", 3),
    "data-size": Experiment("data_size", "a Mixer gains more from more data than others", "figure 2, right", 15),
    "permutation": Experiment("permutation", "a Mixer does not mind shuffled patches", "figure 4", 8),
    "token-weights": Experiment("token_weights", "token mixing learns units of opposite phase", "figures 5 and 6", 2),
    "embedding-filters": Experiment("embedding_filters", "larger patches learn filters of lower frequency", "figure 7",
                                    3),
    "cnn-identity": Experiment("cnn_identity", "a Mixer is a very special CNN", "section 1", 0.1),
    "ablation": Experiment("ablation", "a Mixer needs no position embedding", "section 2", 4),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one experiment, or list them, and return the exit code."""
    def command() -> int:
        given = list(sys.argv[1:] if arguments is None else arguments)
        name = given.pop(0) if given else "list"
        if name in ("list", "-h", "--help"):
            return list_experiments()
        if name not in EXPERIMENTS:
            raise UsageError(f"there is no experiment {name!r}; {nearest(name, EXPERIMENTS)}")
        return run(name, given)

    return run_command("experiments", command)


def list_experiments() -> int:
    """Show every experiment, how long it takes, and which claim it tests."""
    print("usage: minimixer experiments [list | NAME] [--flags]\n")
    rows = table("experiment", ">minutes", "what the paper says")
    for name, experiment in EXPERIMENTS.items():
        rows.add_row(name, f"{experiment.minutes:g}", experiment.claim)
    show(rows)
    print("\nMinutes: with the default options, on two idle cores.  NAME --help lists the\n"
          "flags, and NAME --quick only shows that it runs.")
    return OK


def run(name: str, arguments: Sequence[str]) -> int:
    """Measure, write NAME.json (NAME-quick.json), print, draw NAME.png; or draw what was measured before."""
    experiment = EXPERIMENTS[name]
    module = experiment.load()
    description = module.__doc__.split("``: ", 1)[1].split("\n", 1)[0]
    options: Options = parse(module.Options, f"experiments {name}", description[0].upper() + description[1:], arguments)
    path = options.out / f"{name}{'-quick' * options.quick}.json"
    if options.redraw:
        content = read(path)
    else:
        start = time.perf_counter()
        found = module.measure(options)
        content = {"experiment": name, "claim": experiment.claim, "where": experiment.where,
                   "expected_minutes": experiment.minutes, "seconds": round(time.perf_counter() - start, 3),
                   "options": vars(options), "machine": (here := machine()), "described": describe(here),
                   "found": found}
        options.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, default=str) + "\n")
    print(f"The paper: {experiment.claim} ({experiment.where}).\n", module.report(content["found"]),
          f"\n{content['seconds']:.0f} s, expected {60 * experiment.minutes:.0f} s; {content['described']}",
          sep="\n")
    picture = path.with_suffix(".png")
    module.draw(content["found"]).savefig(picture, metadata={"Software": None})
    print(f"{path}\n{picture}")
    return OK


def read(path: Any) -> dict[str, Any]:
    """What an experiment has written.  Raises UsageError."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be drawn ({error}): run the experiment first, without --redraw") from error


if __name__ == "__main__":
    prepare_process(sys.argv[1:])
    sys.exit(main())
