"""``python -m minimixer.train.seeds [PRESET] [--FLAGS] --seeds 0 1 2 --out FOLDER``: one run a seed, and all reported.

Each run has a folder of its own, FOLDER/seed-N.  The same command goes on with runs that were stopped, and passes over
those that are done.  ``seeds.json`` and ``seeds.md`` name every seed, with the accuracy after the last step, which
nobody chose, and the best one, which was chosen on the test pictures.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from minimixer.errors import OK, RunError, UsageError, run_command
from minimixer.files import write_atomically
from minimixer.parallel.host import prepare_process
from minimixer.train.__main__ import parse
from minimixer.train.initialize import with_model_of_source
from minimixer.train.loop import fit
from minimixer.train.resume import METRICS, read_metrics
from minimixer.train.run_folder import check_resumed, read_config
from minimixer.train.source import read_source


def main(arguments: Sequence[str] | None = None) -> int:
    """Train once a seed, and return the exit code."""
    def command() -> int:
        own = argparse.ArgumentParser(prog="minimixer.train.seeds", description=__doc__, allow_abbrev=False,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
        own.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="by default 0 1 2")
        own.add_argument("--out", type=Path, required=True, help="folder of all the runs")
        given, rest = own.parse_known_args(sys.argv[1:] if arguments is None else arguments)
        if len(set(given.seeds)) < len(given.seeds):
            raise UsageError("--seeds names a seed twice: expected different ones")
        for refused in {"--resume", "--overwrite"} & set(rest):
            raise UsageError(f"{refused} is for one run: runs that were stopped go on anyway, and for new ones delete "
                             "their folders or choose another one with --out")
        config, only_estimate = parse(rest)
        if only_estimate:
            raise UsageError("--estimate is for one run: give it to minimixer train, with the same preset and flags")
        config = with_model_of_source(config, read_source(config.init_from))
        rows = []
        for seed in given.seeds:
            out: Path = given.out / f"seed-{seed}"
            run = replace(config, seed=seed, out=out)
            begun = read_config(out)
            if differs := check_resumed(begun or run, run):
                raise UsageError(f"{out} holds a run with other settings ({differs[0]}): choose another folder with "
                                 "--out")
            if not is_done(out):
                history = fit(replace(run, resume=begun is not None))
                if history.interrupted:
                    return 128 + history.interrupted
            rows.append(result(out, seed))
        print(write(given.out, rows))
        return OK

    return run_command("train.seeds", command)


def is_done(out: Path) -> bool:
    """Whether a run came to its end: its report is the last that it writes."""
    return (out / "report.md").is_file()


def result(out: Path, seed: int) -> dict[str, Any]:
    """What one run has reached.  Raises RunError if its metrics are lost."""
    metrics = read_metrics(out)
    accuracies = [line["test_accuracy"] for line in metrics if "test_accuracy" in line]
    if not accuracies:
        raise RunError(f"{out / METRICS} holds no test, so this seed cannot be reported: restore the file, or delete "
                       "the folder to train the seed anew")
    return {"seed": seed, "last_accuracy": accuracies[-1], "best_accuracy": max(accuracies), "tests": len(accuracies),
            "steps": metrics[-1]["step"], "seconds": metrics[-1]["seconds"]}


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> str:
    """Write both files, and return the text of seeds.md."""
    last = [row["last_accuracy"] for row in rows]
    spread = f" ± {statistics.stdev(last):.2%} (standard deviation)" if len(last) > 1 else ""
    lines = ["| seed | accuracy after the last step | best of its tests | steps |", "| ---: | ---: | ---: | ---: |",
             *(f"| {row['seed']} | {row['last_accuracy']:.2%} | {row['best_accuracy']:.2%} | {row['steps']:,} |"
               for row in rows),
             "", f"After the last step: {statistics.mean(last):.2%}{spread}, {len(rows)} seeds, none left out."]
    text = "\n".join(lines) + "\n"
    write_atomically(folder / "seeds.json", (json.dumps(list(rows), indent=1) + "\n").encode())
    write_atomically(folder / "seeds.md", text.encode())
    return text


if __name__ == "__main__":
    prepare_process(sys.argv[1:])
    sys.exit(main())
