"""Limits on the process that runs a student's code.

They stop accidents: an endless loop, a list that grows forever, `rmtree` on the wrong folder.  They are not a sandbox:
code that wants to get around them can.
"""

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

STARTS_PROCESSES = ("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
                    "subprocess.Popen", "pty.spawn")
CHANGES = ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "shutil.rmtree")
MOVES = ("os.rename", "os.link", "os.symlink", "shutil.move")           # from one path to another
REACHES_OUT = ("os.kill", "os.killpg", "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo",
               "urllib.Request", "signal.pthread_kill")
SOLUTIONS = os.path.realpath(Path(__file__).parents[2] / "lessons" / "exercises") + os.sep         # in a clone


class RefusedError(BaseException):
    """A refused action.  Not an Exception, so that a student's `except Exception` cannot hide it."""


def set_limits(seconds: float, memory: int) -> None:
    """Limit CPU seconds from now on, address space in bytes, new processes and file sizes, as far as possible."""
    try:
        import resource
    except ImportError:     # Windows has no such limits
        return
    cpu = math.ceil(time.process_time() + seconds)
    for name, soft, hard in (("RLIMIT_CPU", cpu, cpu + 1), ("RLIMIT_AS", memory, memory),
                             ("RLIMIT_NPROC", 0, 0), ("RLIMIT_FSIZE", 1 << 20, 1 << 20), ("RLIMIT_CORE", 0, 0)):
        limit = getattr(resource, name, None)
        if limit is None:
            continue
        _, most = resource.getrlimit(limit)
        wanted = (soft, hard) if most == resource.RLIM_INFINITY else (min(soft, most), min(hard, most))
        try:
            resource.setrlimit(limit, wanted)
        except (ValueError, OSError):       # macOS refuses some of them
            continue


def refuse(folder: Path) -> None:
    """From now on refuse new processes, network access, and changes to files outside ``folder``."""
    inside = os.path.realpath(folder) + os.sep

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(mode, str) and any(letter in mode for letter in "wax+")) or (
                mode is None and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if isinstance(path, int) or os.fsdecode(path) == os.devnull:
                return
            if writes and not _within(path, inside):
                raise RefusedError(f"it writes to {os.fsdecode(path)}")
            if _within(path, SOLUTIONS):
                raise RefusedError("it reads the solutions")
        elif event in STARTS_PROCESSES:
            raise RefusedError("it starts another process")
        elif event in CHANGES or event in MOVES:
            for path in arguments[:2] if event in MOVES else arguments[:1]:
                if not _within(path, inside):
                    raise RefusedError(f"it changes or deletes {path!s}")
        elif event in REACHES_OUT:
            raise RefusedError("it uses the network or sends signals")

    sys.addaudithook(hook)


def _within(path: Any, folder: str) -> bool:
    return not isinstance(path, int) and (os.path.realpath(os.fsdecode(path)) + os.sep).startswith(folder)
