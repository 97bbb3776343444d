"""Check a file in a separate process with limits on time, memory and output, and end everything it starts."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from minimixer.errors import MinimixerError
from minimixer.exercises import checker, worker
from minimixer.exercises.definitions import load
from minimixer.exercises.report import Report, TaskResult, uniform_report
from minimixer.exercises.source import LARGEST_NOTEBOOK
from minimixer.exercises.task import Exercise
from minimixer.exercises.words import say
from minimixer.files import FileRefusedError, check_regular

MARK = "MINIMIXER_SUBMISSION"       # in the environment of everything that a submission starts
PACKAGE_ROOT = Path(__file__).parent.parent.parent


class CheckerError(MinimixerError):
    """The checker itself cannot run on this machine."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    seconds: float = 10.0           # CPU time; three times as much wall-clock time
    memory: int = 1 << 30           # bytes of address space
    output: int = 4000              # bytes of printed output to keep


@dataclass(frozen=True)
class Run:
    """A checked submission."""

    report: Report
    printed: str                    # what the student's code printed, truncated
    seconds: float                  # wall-clock time


def check_file(exercise: str, path: Path, limits: Limits | None = None,
               earlier: Mapping[str, Path] | None = None) -> Run:
    """Check a file.

    Parameters
    ----------
    exercise : str
    path : Path
        ``.py`` or ``.ipynb``; it is copied to a scratch folder, where the code runs.
    limits : Limits, optional
    earlier : mapping of str to Path, optional
        Files of earlier exercises whose classes replace the library's.

    Returns
    -------
    Run

    Raises
    ------
    CheckerError
        If the checker itself cannot start.
    """
    limits = limits or Limits()
    wanted = load(exercise)
    start = time.monotonic()
    if os.name == "nt":
        return _run_here(wanted, path, earlier or {})
    with tempfile.TemporaryDirectory(prefix="minimixer-", ignore_cleanup_errors=True) as scratch:
        try:
            copies = {name: _copy(file, scratch) for name, file in {"": path, **(earlier or {})}.items()}
        except (OSError, FileRefusedError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            problem = say("broken-file", error=f"it cannot be read: {why}", where="")
            return Run(uniform_report(wanted, "error", problem), "", 0.0)
        found, printed, end = _run(exercise, copies, scratch, limits)
    results = []
    for task in wanted.tasks:
        if task.name in found:      # points and names are not taken from the worker
            results.append(replace(found[task.name], function=task.function, points=task.points))
        elif end == "timeout" and any(result.status == "timeout" for result in results):
            results.append(TaskResult.of(task, "timeout", say("not-tried")))
        elif end == "timeout":
            results.append(TaskResult.of(task, "timeout", say("timeout", seconds=limits.seconds)))
        else:
            results.append(TaskResult.of(task, "error", say("ended", error=end)))
    return Run(Report(wanted, tuple(results)), printed, time.monotonic() - start)


def _run_here(exercise: Exercise, path: Path, earlier: Mapping[str, Path]) -> Run:
    """Check a file in this process, without limits: Windows has none."""
    files = {name: str(file) for name, file in earlier.items()}
    checker.grading = True          # a notebook's last cell calls check()
    try:
        namespace, problem = worker.attempt(lambda: worker.open_files(exercise, str(path), files))
    finally:
        checker.grading = False
    if problem is not None:
        return Run(uniform_report(exercise, "error", problem), "", 0.0)
    return Run(Report(exercise, tuple(checker.check_task(task, namespace) for task in exercise.tasks)), "", 0.0)


def _copy(path: Path, scratch: str) -> str:
    target = Path(scratch) / path.name
    if not path.is_file():
        raise FileNotFoundError(2, "no such file")
    check_regular(path, LARGEST_NOTEBOOK)
    shutil.copyfile(path, target)
    return str(target)


def _run(exercise: str, files: Mapping[str, str], scratch: str,
         limits: Limits) -> tuple[dict[str, TaskResult], str, str]:
    """Results by task, the printed output, and how the process ended: ``timeout`` or a sentence."""
    token = secrets.token_hex(16)
    read_end, write_end = os.pipe()
    orders = {"exercise": exercise, "file": files[""], "earlier": {k: v for k, v in files.items() if k},
              "seconds": limits.seconds, "memory": limits.memory, "pipe": write_end, "token": token}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "minimixer.exercises.worker"], cwd=scratch, env=_environment(scratch, token),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(write_end,),
        start_new_session=True)
    os.close(write_end)
    assert process.stdin
    assert process.stdout
    printed, lines = bytearray(), bytearray()
    readers = [threading.Thread(target=_drain, args=arguments, daemon=True)
               for arguments in ((process.stdout, printed, limits.output), (os.fdopen(read_end, "rb"), lines, 1 << 20))]
    for reader in readers:
        reader.start()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(orders).encode())
        process.stdin.close()
    try:
        code = process.wait(3 * limits.seconds)
        end = "timeout" if code == -signal.SIGXCPU else f"It ended with exit code {code}."
    except subprocess.TimeoutExpired:
        end = "timeout"
    finally:
        _kill(process, token)
    for reader in readers:
        reader.join(1.0)
    sent, said = (bytes(part).replace(scratch.encode(), b".") for part in (lines, printed))    # its name is random
    if json.dumps([token, worker.READY]).encode() not in sent and end != "timeout":
        last = (_text(said, limits.output).strip() or end).splitlines()[-1]
        raise CheckerError(f"the checker could not start ({last}), so nothing was checked: run minimixer doctor, and "
                           "make sure that minimixer and NumPy are installed for the same Python")
    return _read_results(sent, token), _text(said, limits.output), end


def _environment(scratch: str, token: str) -> dict[str, str]:
    """A minimal environment without secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    path = os.pathsep.join(dict.fromkeys([str(PACKAGE_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
    return kept | {"HOME": scratch, "TMPDIR": scratch, "PYTHONPATH": path.rstrip(os.pathsep), MARK: token,
                   "PYTHONUSERBASE": site.getuserbase(),        # packages installed for this user only
                   "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0",
                   "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"}


def _drain(stream: IO[bytes], kept: bytearray, most: int) -> None:
    """Read a stream to its end and keep the first ``most`` bytes, plus one that shows there was more."""
    with stream:
        while piece := os.read(stream.fileno(), 1 << 16):
            kept += piece[:max(0, most + 1 - len(kept))]


def _text(printed: bytes, most: int) -> str:
    text = printed[:most].decode("utf-8", "replace")
    return text + "\n[cut off]" if len(printed) > most else text


def _kill(process: "subprocess.Popen[bytes]", token: str) -> None:
    """End the process, its group, and any process that left the group but carries this submission's mark."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(50):
        strays = [pid for pid in _processes() if f"{MARK}={token}".encode() in _environ(pid)]
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not strays:
            return
        time.sleep(0.01)


def _processes() -> list[int]:
    """All process ids (Linux only)."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _read_results(lines: bytes, token: str) -> dict[str, TaskResult]:
    """The results that the worker sent; lines without the token are not its own."""
    found: dict[str, TaskResult] = {}
    for line in lines.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            given, data = json.loads(line)
            if given == token:
                result = TaskResult.from_json(data)
                found.setdefault(result.name, result)
    return found
