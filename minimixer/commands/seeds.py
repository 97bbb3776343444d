"""``minimixer seeds [PRESET] [--FLAGS] --seeds 0 1 2 --out FOLDER``: one run per seed, and a report of every one."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from minimixer.commands.train import parse
from minimixer.console import parse_known
from minimixer.errors import OK, RunError, UsageError, flag
from minimixer.files import check_replaceable, json_text, read_json, read_text, write_atomically
from minimixer.options import given_in
from minimixer.train.config import TrainConfig
from minimixer.train.initialize import with_model_of_source
from minimixer.train.loop import fit
from minimixer.train.measured import tests_of
from minimixer.train.resume import METRICS, read_metrics
from minimixer.train.run_folder import check_resumed, read_config
from minimixer.train.source import read_source


@dataclass(frozen=True)
class Seeds:
    """Options of ``minimixer seeds`` beside those of ``minimixer train``."""

    out: Path
    """Folder for all runs."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run is trained for each."""


FIRST = "| seed | "
DESCRIPTION = """Train once per seed, and report every seed.

The preset and flags of minimixer train are accepted too (see its --help).
- Each run has its own folder, FOLDER/seed-N.
- The same command resumes stopped runs and skips finished ones.
- seeds.json and seeds.md list two accuracies per seed: after the last step, and
  the best one, which was selected on the test images."""


def main(arguments: Sequence[str]) -> int:
    """Train once per seed, write the report, and return the exit code."""
    given, rest = parse_known(Seeds, "seeds", DESCRIPTION, arguments)
    if len(set(given.seeds)) < len(given.seeds):
        raise UsageError("--seeds names a seed twice: expected different ones")
    for name in given_in(rest, ("resume", "overwrite", "seed")):
        _refuse(name)
    config, only_estimate = parse(rest)
    for name in ("resume", "overwrite"):            # perhaps from a TOML file
        if getattr(config, name):
            _refuse(name)
    if only_estimate:
        raise UsageError("--estimate is for one run: give it to minimixer train, with the same preset and flags")
    config = with_model_of_source(config, read_source(config.init_from))
    check_ours(given.out)
    rows = []
    for seed in given.seeds:
        if signal := train(replace(config, seed=seed, out=given.out / f"seed-{seed}")):
            return 128 + signal
        rows.append(result(given.out / f"seed-{seed}", seed))
    print(write(given.out, rows))
    return OK


def _refuse(name: str) -> NoReturn:
    if name == "seed":
        raise UsageError("--seed has no effect beside --seeds, which names them all: leave it out, or use --seeds")
    raise UsageError(f"{flag(name)} is for one run: stopped runs are resumed anyway; to start again, choose another "
                     "folder with --out")


def train(run: TrainConfig) -> int | None:
    """Train, resume or skip one run; return the signal that stopped it, if any.  Raises UsageError for another run."""
    assert run.out is not None
    begun = read_config(run.out)
    if differs := check_resumed(begun or run, run):
        raise UsageError(f"{run.out} holds a run with other settings ({differs[0]}): choose another folder with --out")
    if (run.out / "report.md").is_file():           # written last, so this run is finished
        return None
    return fit(replace(run, resume=begun is not None)).interrupted


def result(out: Path, seed: int) -> dict[str, Any]:
    """The accuracies of one run.  Raises RunError if its metrics are lost."""
    metrics = read_metrics(out)
    part, tests = tests_of(metrics)
    if not tests:
        raise RunError(f"{out / METRICS} holds no test, so this seed cannot be reported: restore the file, or delete "
                       "the folder to train this seed again")
    accuracies = [line[f"{part}_accuracy"] for line in tests]
    chosen = {} if part == "test" else {"chosen_on": part, "test_accuracy": metrics[-1]["test_accuracy"]}
    return {"seed": seed, "last_accuracy": accuracies[-1], "best_accuracy": max(accuracies), "tests": len(accuracies),
            **chosen, "steps": metrics[-1]["step"], "seconds": metrics[-1]["seconds"]}


def check_ours(folder: Path) -> None:
    """Raise FileRefusedError if one of the two files is there and is none of an earlier report; before any run."""
    check_replaceable(folder / "seeds.json", lambda path: "last_accuracy" in read_json(path)[0], "seeds")
    check_replaceable(folder / "seeds.md", lambda path: read_text(path).startswith(FIRST), "seeds")


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> str:
    """Write both files, and return the text of seeds.md."""
    validated = "chosen_on" in rows[0]
    heads = ("test accuracy of the weights chosen on validation images", "best on those") if validated else (
             "accuracy after the last step", "best of its tests")
    last = [row["test_accuracy" if validated else "last_accuracy"] for row in rows]
    spread = f" ± {statistics.stdev(last):.2%} (standard deviation)" if len(last) > 1 else ""
    when = "On the test images" if validated else "After the last step"
    lines = [f"{FIRST}{heads[0]} | {heads[1]} | steps |", "| ---: | ---: | ---: | ---: |",
             *(f"| {row['seed']} | {accuracy:.2%} | {row['best_accuracy']:.2%} | {row['steps']:,} |"
               for row, accuracy in zip(rows, last, strict=True)),
             "", f"{when}: {statistics.mean(last):.2%}{spread}, {len(rows)} seeds, none left out."]
    text = "\n".join(lines) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "seeds.json", (json_text(list(rows), indent=1) + "\n").encode())
    write_atomically(folder / "seeds.md", text.encode())
    return text
