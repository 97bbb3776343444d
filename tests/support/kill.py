"""Ends a training run with signals at random moments, resumes it, and compares its end with an untouched one.

    python -m tests.support.kill --rounds 30                        # kill -9
    python -m tests.support.kill --rounds 30 --signals all          # 30 of each: KILL INT TERM QUIT HUP USR1 USR2 XCPU
    python -m tests.support.kill --rounds 30 --data cifar10 --data-dir FOLDER

A third of the moments lies anywhere in a run, a third while a file is written, and a third while the report is.
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import minimixer

ALL = ("KILL", "INT", "TERM", "QUIT", "HUP", "USR1", "USR2", "XCPU")
MOMENTS = ("anywhere", "a write", "the report")
PACKAGE = str(Path(minimixer.__file__).parent)
FILES = ("last.safetensors", "best.safetensors")


def command(data, steps, out, *more):
    """A run of some seconds that saves often."""
    sizes = {"digits": [], "cifar10": ["--model", "pico", "--batch-size", "32"]}
    return [sys.executable, "-m", "minimixer.train", data, *sizes[data], "--max-steps", str(steps), "--log-every", "3",
            "--checkpoint-every", "10", "--ema", "0.9", "--out", str(out), *more]


def foreground():
    """In a new process: no signal is ignored, as in the foreground of a terminal."""
    for name in ALL[1:]:
        signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait(process, out, moment, seconds, rng):
    """Wait until a moment of a run has come, or the run has ended."""
    end = time.perf_counter() + (seconds if moment == "anywhere" else 600)
    patience = rng.randrange(30)                # writes to let pass
    seen = set()
    while process.poll() is None and time.perf_counter() < end:
        if moment == "a write":
            seen |= set(out.glob("*.tmp"))
            if len(seen) > patience:
                return
        elif moment == "the report" and (out / "curves.png").exists():
            time.sleep(rng.uniform(0, 0.3))
            return
        time.sleep(0.0005 if moment == "a write" else 0.005)


def run(arguments, out, number=None, moment="anywhere", seconds=0.0, rng=None):
    """Whether a run ended by itself; otherwise by the signal that it was sent."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=foreground)
    if number is not None:
        wait(process, out, moment, seconds, rng)
        process.send_signal(number)             # does nothing if it has ended
    stdout, stderr = process.communicate()
    if process.returncode == 0:
        return True
    # Before the first step, nobody listens yet: the signal ends the process, and Ctrl-C says that it was interrupted.
    if number == signal.SIGINT and stderr.endswith("KeyboardInterrupt\n") and PACKAGE not in stderr:
        return False                            # Python itself was still starting
    if number is None or process.returncode not in (-number, 128 + number):
        raise RuntimeError(f"exit code {process.returncode}: {stdout}{stderr}")
    if process.returncode == 128 + number and f"by {signal.Signals(number).name};" not in stdout and (
            "interrupted" not in stderr):
        raise RuntimeError(f"it does not say what it received: {stdout}{stderr}")
    return False


def tree(folder, without):
    """A digest of all names and contents in a folder, except in some of its folders."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if not any(path.is_relative_to(other) for other in without):
            digest.update(f"{path} {path.is_file()}\n".encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def rounds(options, number, folder, whole, rng):
    """End runs by one signal, and resume them; returns what is wrong, or None."""
    name = signal.Signals(number).name
    more = ["--data-dir", options.data_dir] if options.data_dir else []
    ended_by_it = chains = 0
    while ended_by_it < options.rounds:
        out = folder / f"{name}-{chains}"
        chains += 1
        before, ended = tree(folder, [out]), False
        while not ended:
            if (out / "report.md").exists():
                (out / "curves.png").unlink(missing_ok=True)        # so that the report's time is seen once more
            resume = ["--resume"] if (out / "config.json").exists() else []
            moment = MOMENTS[ended_by_it % len(MOMENTS)]
            arguments = command(options.data, options.steps, out, *more, *resume)
            if ended_by_it < options.rounds:
                ended = run(arguments, out, number, moment, rng.uniform(0, whole), rng)
            else:
                ended = run(arguments, out)
            ended_by_it += not ended
        for file in FILES:
            if (out / file).read_bytes() != (folder / "untouched" / file).read_bytes():
                return f"{file} of {out.name} differs from the untouched run's"
        if missing := {path.name for path in (folder / "untouched").iterdir()} - {path.name for path in out.iterdir()}:
            return f"{out.name} ended without {', '.join(sorted(missing))}"
        if left := [path.name for path in out.glob("*.tmp")]:
            return f"{out.name} keeps {left[0]}"
        if tree(folder, [out]) != before:
            return f"something beside {out.name} has changed"
    print(f"{name}: {ended_by_it} in {chains} runs of {whole:.1f} s: every end has the bytes of the untouched run",
          flush=True)
    return None


def main(arguments=None):
    """Run the rounds; the exit code is 0 if every end had the untouched run's bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="of each signal")
    parser.add_argument("--signals", nargs="+", default=["KILL"], choices=[*ALL, "all"])
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
        run(command(options.data, options.steps, folder / "untouched", *more), folder / "untouched")
        whole = time.perf_counter() - start
        for name in ALL if "all" in options.signals else options.signals:
            if problem := rounds(options, getattr(signal, f"SIG{name}"), folder, whole, rng):
                print(problem)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
