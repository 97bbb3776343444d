"""A wall around the process of an answer, where the system has one: bubblewrap.

Inside there is a read-only system with Python and its packages but without minimixer, an empty /tmp in memory, another
user, no network, and no other process.
"""

import os
import shutil
import site
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
PLACE = "/tmp/answer"           # the working folder inside
NOBODY = 65534
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/fonts",
          "/etc/alternatives", "/etc/localtime")
MEMORY = 64 << 20               # bytes of /tmp


@dataclass(frozen=True)
class Fence:
    """How to start a process inside."""

    name: str                       # "bubblewrap 0.8.0"
    program: str
    user: int | None = None         # become this user first

    def command(self, private: Sequence[str] = ()) -> list[str]:
        """The beginning of a command line; ``private`` are folders that must not be seen."""
        binds: list[str] = []
        shown = [path for path in (*SYSTEM, *python_folders()) if os.path.exists(path)]
        for path in shown:
            if os.path.islink(path) and path in SYSTEM:
                binds += ["--symlink", os.readlink(path), path]
            else:
                binds += ["--ro-bind", path, path]
        hidden = [str(PACKAGE), str(PACKAGE.parent / "lessons"), *(f"{path}/minimixer" for path in python_folders()),
                  *(f"{path}/minimixer" for path in sys.path), *map(os.path.realpath, private)]
        for path in dict.fromkeys(hidden):
            if os.path.isdir(path) and any((path + os.sep).startswith(f"{place}{os.sep}") for place in shown):
                binds += ["--tmpfs", path]
        return [self.program, "--unshare-all", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY),
                "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev",
                "--size", str(MEMORY), "--tmpfs", "/tmp", *binds, "--dir", PLACE, "--chdir", PLACE, "--"]


def python_folders() -> list[str]:
    """Where Python and its packages are: its own folders, and folders on its path that hold installed packages."""
    packages = [path for path in sys.path if os.path.isdir(path) and any(Path(path).glob("*.dist-info"))]
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    folders = [os.path.realpath(path) for path in (sys.base_prefix, sys.base_exec_prefix)]
    folders += [os.path.abspath(path) for path in (sys.prefix, *packages, *user)]
    kept: list[str] = []
    for path in dict.fromkeys(folders):
        if not any((path + os.sep).startswith(place.rstrip(os.sep) + os.sep) for place in (*SYSTEM, *kept)):
            kept.append(path)
    return kept


@cache
def find() -> Fence | None:
    """The fence of this system, tried once; None if there is none that works."""
    program = shutil.which("bwrap")
    if program is None or sys.platform != "linux":
        return None
    for user in (NOBODY, None) if os.geteuid() == 0 else (None,):
        fence = Fence("bubblewrap", program, user)
        try:
            subprocess.run([*fence.command(), sys.executable, "-P", "-c", "import numpy"], check=True,
                           capture_output=True, timeout=60, user=user, group=user, cwd="/",
                           extra_groups=None if user is None else [])
        except (OSError, subprocess.SubprocessError):
            continue
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
        return Fence(" ".join(["bubblewrap", *said[-1:]]), program, user)
    return None
