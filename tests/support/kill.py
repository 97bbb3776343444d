"""Kills a training run with SIGKILL at random moments, resumes it, and compares its end with an untouched one.

    python -m tests.support.kill --rounds 30
    python -m tests.support.kill --rounds 30 --data cifar10 --data-dir FOLDER
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(data, steps, out, *more):
    """A run of some seconds that saves often."""
    sizes = {"digits": [], "cifar10": ["--model", "pico", "--batch-size", "32"]}
    return [sys.executable, "-m", "minimixer.train", data, *sizes[data], "--max-steps", str(steps), "--log-every", "3",
            "--checkpoint-every", "10", "--ema", "0.9", "--out", str(out), *more]


def run(arguments, limit=None):
    """Whether a run ended by itself; after ``limit`` seconds it is killed."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, stderr = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    if process.returncode != 0:
        raise RuntimeError(f"exit code {process.returncode}: {stderr}")
    return True


def main(arguments=None):
    """Run the rounds; the exit code is 0 if every end had the untouched run's bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--data", choices=["digits", "cifar10"], default="digits")
    parser.add_argument("--data-dir")
    parser.add_argument("--folder", type=Path, help="where the runs go; by default a temporary folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    more = ["--data-dir", options.data_dir] if options.data_dir else []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        start = time.perf_counter()
        run(command(options.data, options.steps, folder / "untouched", *more))
        whole = time.perf_counter() - start
        killed = chains = 0
        while killed < options.rounds:
            out = folder / f"killed-{chains}"
            chains += 1
            ended = False
            while not ended:
                resume = ["--resume"] if (out / "config.json").exists() else []
                limit = rng.uniform(0, whole) if killed < options.rounds else None
                ended = run(command(options.data, options.steps, out, *more, *resume), limit)
                killed += not ended
            for name in ("last.safetensors", "best.safetensors"):
                if (out / name).read_bytes() != (folder / "untouched" / name).read_bytes():
                    print(f"{name} of {out.name} differs from the untouched run's")
                    return 1
    print(f"{killed} kills in {chains} runs of {whole:.1f} s: every end has the bytes of the untouched run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
