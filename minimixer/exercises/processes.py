"""Start and end the processes of answers, and leave nothing behind."""

import contextlib
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import IO

MARK = "MINIMIXER_SUBMISSION"       # in the environment of everything that a submission starts
PREFIX = "minimixer-answer-"        # of scratch folders; then the grader's process id
NOBODY = 65534


def scratch() -> str:
    """A new folder for one answer where there is no fence, or for what archives hold."""
    return tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")


def owner(path: Path) -> int | None:
    """The process that made a scratch folder; None if the path is none."""
    made = re.fullmatch(rf"{PREFIX}(\d+)-\w+", path.name)
    if not made or path.parent != Path(tempfile.gettempdir()) or path.is_symlink() or not path.is_dir():
        return None
    return int(made[1]) if path.stat().st_uid in (os.geteuid(), NOBODY) else None


def discard(folder: str) -> None:
    """Remove a scratch folder, whatever permissions an answer gave to its files; anything else stays."""
    def again(function: object, path: str, _: object) -> None:
        with contextlib.suppress(OSError):
            for place in (os.path.dirname(path), path):
                if not os.path.islink(place):
                    os.chmod(place, 0o700)
            function(path)          # type: ignore[operator]
    if owner(Path(folder)) is not None:
        shutil.rmtree(folder, onerror=again)


def sweep() -> None:
    """Remove the scratch folders of graders that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        maker = owner(path)
        if maker is not None and not _is_alive(maker):
            discard(str(path))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@cache
def other_user() -> int | None:
    """The user that answers run as where there is no fence: nobody, if we are root and nobody can run Python."""
    if os.name == "nt" or os.geteuid() != 0:
        return None
    tried = subprocess.run([sys.executable, "-P", "-c", "import numpy"], capture_output=True, check=False, cwd="/",
                           user=NOBODY, group=NOBODY, extra_groups=[]) if _enters(sys.executable) else None
    return NOBODY if tried is not None and tried.returncode == 0 else None


def _enters(path: str) -> bool:
    """Whether everybody may enter all folders above a file."""
    return all(folder.stat().st_mode & 0o001 for folder in Path(os.path.realpath(path)).parents)


active: "set[subprocess.Popen[bytes]]" = set()


def end_all() -> None:
    """Kill every answer that is running."""
    for process in tuple(active):
        end_group(process)


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def end(process: "subprocess.Popen[bytes]", token: str | None) -> None:
    """End the process, its group, and any process that left the group but carries this submission's mark.

    Without a token the process was behind a fence, which leaves none.
    """
    end_group(process)
    process.wait()
    active.discard(process)
    if token is None:
        return
    for _ in range(50):
        strays = [pid for pid in running() if f"{MARK}={token}".encode() in environment(pid)]
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not strays:
            return
        time.sleep(0.01)


def running() -> list[int]:
    """All process ids (Linux only)."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def environment(pid: int) -> bytes:
    """The environment that a process started with."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def minimal_environment(home: str, token: str, without: Path) -> dict[str, str]:
    """A minimal environment without secrets; ``without`` is a folder that must not be on Python's path."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    path = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep)
            if place and Path(place).resolve() != without.resolve()]
    return kept | {"HOME": home, "TMPDIR": home, "PYTHONPATH": os.pathsep.join(path), MARK: token,
                   "PYTHONUSERBASE": site.getuserbase(),        # packages installed for this user only
                   "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0",
                   "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"}


def drain(stream: IO[bytes], kept: bytearray, most: int) -> None:
    """Read a stream to its end and keep the first ``most`` bytes, plus one that shows there was more."""
    with stream:
        while piece := os.read(stream.fileno(), 1 << 16):
            kept += piece[:max(0, most + 1 - len(kept))]


def text(printed: bytes, most: int) -> str:
    """What was printed, cut off."""
    text = printed[:most].decode("utf-8", "replace")
    return text + "\n[cut off]" if len(printed) > most else text
