"""``minimixer experiments [list|all|NAME]``: the paper's claims, measured again on a small scale.

Each experiment is a module of ``experiments/`` with ``Options``; ``arms(lab, runs)``, what it compares;
``run(lab, arm, seed)``, which returns what JSON can hold; ``CLAIMS``; and ``draw(runs, claims)``.  Some have
``training(lab, arm, seed)``, by which their time is estimated; ``planned(lab)``, if arms depend on runs;
``check(lab)``, which refuses options before the first run; and ``rows(runs)``, a table of their own.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from minimixer.bench.machine import describe, machine
from minimixer.console import parse, show, table
from minimixer.errors import OK, UsageError, nearest
from minimixer.experiments import stored
from minimixer.experiments.estimate import estimate
from minimixer.experiments.journal import Journal, is_journal
from minimixer.experiments.lab import Lab, measure, next_run
from minimixer.experiments.options import Learning, Options
from minimixer.experiments.report import judged, report
from minimixer.experiments.runs import Runs
from minimixer.experiments.table import EXPERIMENTS
from minimixer.files import check_replaceable, read_json
from minimixer.options import Rule
from minimixer.parallel import Workers
from minimixer.plots.style import is_plot, save
from minimixer.text import capitalized
from minimixer.train.estimate import duration
from minimixer.train.lock import FolderLock


@dataclass(frozen=True, kw_only=True)
class Every(Learning):
    """Options of ``experiments all``; all others are those of each experiment."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("model", "steps", "batch_size", "optimizer", "lr"), lambda given: True,
             "on all experiments at once (each has its own)", "give it to one experiment"),)


def main(arguments: Sequence[str]) -> int:
    """Run one experiment or all, or list them, and return the exit code."""
    name, *rest = arguments or ["list"]
    if name in ("list", "-h", "--help"):
        return list_experiments()
    if name == "all":
        return run_all(rest)
    if name not in EXPERIMENTS:
        raise UsageError(f"there is no experiment {name!r}; {nearest(name, ['all', *EXPERIMENTS])}")
    module = EXPERIMENTS[name].load()
    # python -OO leaves no docstring.
    said = module.__doc__.split("``: ", 1)[1].split("\n", 1)[0] if module.__doc__ else EXPERIMENTS[name].claim
    run(name, parse(module.Options, f"experiments {name}", capitalized(said), rest))
    return OK


def list_experiments() -> int:
    """List the experiments, the minutes each takes, and the claim it tests."""
    print("usage: minimixer experiments [list | all | NAME] [--flags]\n")
    rows = table("experiment", ">minutes", "what the paper says")
    for name, experiment in EXPERIMENTS.items():
        rows.add_row(name, f"{experiment.minutes:g}", experiment.claim)
    show(rows)
    total = sum(experiment.minutes for experiment in EXPERIMENTS.values())
    print(f"\nMinutes: estimates for two idle cores; all experiments take {total / 60:.1f} hours.\n"
          "The same command goes on where it was stopped.  NAME --help lists the flags;\n"
          "NAME --estimate measures how long it takes here, --quick shows that it runs.")
    return OK


def run_all(arguments: Sequence[str]) -> int:
    """Run every experiment, one after the other, with the options that they share."""
    options = parse(Every, "experiments all", "Every experiment, one after the other; goes on where it was stopped.",
                    arguments)
    total = 0.0
    for name, experiment in EXPERIMENTS.items():
        print(f"== {name} ==", flush=True)
        own = {field.name for field in fields(experiment.load().Options)}
        wanted = ("out", "seeds", "quick", "redraw", "estimate", "workers", "blas_tune", "data", "data_dir", "download")
        given = {option: getattr(options, option) for option in wanted
                 if option in own and getattr(options, option) != getattr(Every, option)}
        if name == "learning-rates":            # one seed decides
            given.pop("seeds", None)
        total += run(name, experiment.load().Options(**given))
    if options.estimate:
        print(f"\nAll experiments: {duration(total)}.")
    return OK


def run(name: str, options: Options) -> float:
    """Measure what is missing, write NAME.json and NAME.png, and print; returns the seconds of all runs.

    With ``--redraw`` nothing is measured, with ``--estimate`` nothing is written.
    """
    experiment, module = EXPERIMENTS[name], EXPERIMENTS[name].load()
    path = options.out / f"{name}{options.suffix}.json"
    image = path.with_suffix(".png")

    def is_stored(_: Path) -> bool:             # older images have no mark, but lie beside their numbers
        return bool(read_json(path)["experiment"] == name)

    if options.estimate:
        with Workers(options.workers) as workers:
            needed = estimate(module, Lab(options.small, workers), experiment.minutes)
        print(f"{name}: {duration(needed)}", flush=True)
        return needed
    check_replaceable(path, is_stored, f"experiments {name}")
    check_replaceable(path.with_suffix(".jsonl"), is_journal, f"experiments {name}")
    check_replaceable(image, lambda image: is_plot(image) or is_stored(image), f"experiments {name}")
    content = stored.read(path) if options.redraw else measured(name, options, path)
    seconds = float(content["seconds"])
    expected = "" if options.quick else f"expected {60 * experiment.minutes:.0f} s; "
    print(f"The claim: {content['claim']} ({content['where']}).\n",
          report(module, stored.runs_of(content), content["claims"]),
          f"\n{seconds:.0f} s; {expected}{content['described']}", sep="\n")
    save(module.draw(stored.runs_of(content), content["claims"]), image)
    print(f"{path}\n{image}")
    return seconds


def measured(name: str, options: Options, path: Path) -> dict[str, Any]:
    """Make the runs that the journal beside ``path`` lacks; NAME.json holds what there is after every run.

    Raises RunError if another process measures into this folder: both would make the same runs.
    """
    module = EXPERIMENTS[name].load()
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.callback(FolderLock(path.parent).release)
        workers = stack.enter_context(Workers(options.workers))
        lab = Lab(options.small, workers)
        if hasattr(module, "check"):            # before hours of other runs
            module.check(lab)
        seeds = lab.options.seeds
        journal = Journal(path.with_suffix(".jsonl"), name, lab.settings())
        if options.quick and not next_run(journal, seeds, module.arms(lab, journal.runs)):
            journal.clear()                     # it is to show that it runs
        before = len(journal.lines)
        if before:
            print(f"{journal.path} holds {before} finished run{'s' * (before != 1)}: going on", flush=True)

        measure(journal, seeds, lambda runs: module.arms(lab, runs), lambda arm, seed: module.run(lab, arm, seed),
                lambda: stored.write(path, summary(name, lab, journal)))
        stored.write(path, summary(name, lab, journal))
    return stored.read(path)


def summary(name: str, lab: Lab, journal: Journal) -> dict[str, Any]:
    """What the JSON file of an experiment holds: its runs, and the verdicts that follow from them."""
    experiment, module = EXPERIMENTS[name], EXPERIMENTS[name].load()
    runs = Runs([line for line in journal.lines if line["seed"] < lab.options.seeds], lab.options.shown())
    return {"experiment": name, "claim": experiment.claim, "where": experiment.where,
            "expected_minutes": experiment.minutes, "seconds": round(sum(line["seconds"] for line in runs), 3),
            "options": runs.settings, "machine": (here := machine()), "described": describe(here),
            "claims": judged(module.CLAIMS, runs), "runs": runs.lines}
