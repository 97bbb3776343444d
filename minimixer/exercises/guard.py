"""Limits on the process that runs a student's code, set by itself.

They stop accidents (an endless loop, a list that grows forever, `rmtree` on the wrong folder) and the tricks that take
one line.  They are Python audit hooks and resource limits, not a wall: compiled code gets around them.  The wall, where
there is one, is ``fence.py``.
"""

import math
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

STARTS_PROCESSES = ("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
                    "subprocess.Popen", "pty.spawn")
CHANGES = ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.utime", "shutil.rmtree")
MOVES = ("os.rename", "os.link", "os.symlink", "shutil.move")           # from one path to another
REACHES_OUT = ("os.kill", "os.killpg", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg",
               "socket.getaddrinfo", "urllib.Request", "signal.pthread_kill", "resource.prlimit")
OTHER = {"sqlite3.connect": "it opens a database"}      # which can be any file
LOOKS = ("os.listdir", "os.scandir", "os.chdir", "glob.glob")
# No audit event tells of these.
UNHEARD = (("os", ("mkfifo", "mknod", "memfd_create", "pidfd_open", "unshare", "setns", "setxattr", "lchown")),
           ("signal", ("pidfd_send_signal",)))
OF_PROCESSES = re.compile(r"/proc/(\d+|self|thread-self)/(mem|environ|fd|root|cwd|task|map_files|maps)|/proc/\d+")


class RefusedError(BaseException):
    """A refused action.  Not an Exception, so that a student's `except Exception` cannot hide it."""


def set_limits(seconds: float, memory: int) -> None:
    """Limit CPU seconds from now on, address space in bytes, processes, open files and file sizes, where possible."""
    try:
        import resource
    except ImportError:     # Windows has no such limits
        return
    cpu = math.ceil(time.process_time() + seconds)
    for name, soft, hard in (("RLIMIT_CPU", cpu, cpu + 1), ("RLIMIT_AS", memory, memory), ("RLIMIT_NPROC", 0, 0),
                             ("RLIMIT_NOFILE", 64, 64), ("RLIMIT_FSIZE", 1 << 20, 1 << 20), ("RLIMIT_CORE", 0, 0)):
        limit = getattr(resource, name, None)
        if limit is None:
            continue
        _, most = resource.getrlimit(limit)
        wanted = (soft, hard) if most == resource.RLIM_INFINITY else (min(soft, most), min(hard, most))
        try:
            resource.setrlimit(limit, wanted)
        except (ValueError, OSError):       # macOS refuses some of them
            continue


def die_with_parent() -> None:
    """Ask Linux to end this process when the grader ends, however that happens."""
    import ctypes  # imported before the hooks refuse it
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)          # 1: PR_SET_PDEATHSIG


def refuse(folder: Path, private: Sequence[str]) -> None:
    """From now on refuse processes, network, C calls, changes outside ``folder``, and a look into ``private``."""
    inside = os.path.realpath(folder) + os.sep
    hidden = tuple(os.path.realpath(path) + os.sep for path in private)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            _check_open(path, mode, flags, inside, hidden)
        elif event in STARTS_PROCESSES:
            raise RefusedError("it starts another process")
        elif event in CHANGES or event in MOVES:
            for path in arguments[:2] if event in MOVES else arguments[:1]:
                if not _within(path, (inside,)):
                    raise RefusedError(f"it changes or deletes {path!s}")
        elif event in REACHES_OUT:
            raise RefusedError("it uses the network or sends signals")
        elif event.startswith("ctypes.") and event.split(".")[1] in ("dlopen", "dlsym", "dlsym/handle", "string_at"):
            raise RefusedError("it calls the C library")
        elif event in OTHER:
            raise RefusedError(OTHER[event])
        elif event in LOOKS and arguments and _within(arguments[0], hidden):
            raise RefusedError("it reads what is not its own")
        elif event == "import" and arguments[1] and _within(arguments[1], (inside,)) and arguments[1].endswith(".so"):
            raise RefusedError("it loads a compiled module")

    for module, names in UNHEARD:
        for name in names:
            for holder in (sys.modules.get(module), sys.modules.get("posix" if module == "os" else "_signal")):
                if hasattr(holder, name):
                    setattr(holder, name, _refused)
    sys.addaudithook(hook)


def _refused(*_: Any, **__: Any) -> NoReturn:
    raise RefusedError("it asks the system for what no exercise needs")


def _check_open(path: Any, mode: Any, flags: Any, inside: str, hidden: tuple[str, ...]) -> None:
    if isinstance(path, int) or os.fsdecode(path) == os.devnull:
        return
    changes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(int(flags or 0) & changes)
    if writes and not _within(path, (inside,)):
        raise RefusedError(f"it writes to {os.fsdecode(path)}")
    if _within(path, hidden):
        raise RefusedError("it reads what is not its own: other answers, solutions, or the checker")
    if OF_PROCESSES.match(os.path.abspath(os.fsdecode(path))):
        raise RefusedError("it looks at other processes")
    if mode is None and os.path.isdir(path):        # a descriptor of a folder would make paths relative to it
        raise RefusedError("it opens a folder as a file")


def _within(path: Any, folders: Sequence[str]) -> bool:
    if isinstance(path, int) or path is None:
        return False
    real = os.path.realpath(os.fsdecode(path)) + os.sep
    return any(real.startswith(folder) for folder in folders)
