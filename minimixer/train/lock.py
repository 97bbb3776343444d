"""One run per folder: a lock that ends with the process, and the proof that the folder is still the one it was."""

import contextlib
import errno
import json
import os
import socket
import stat
import sys
from pathlib import Path

from minimixer.errors import RunError
from minimixer.files import FileRefusedError, read_json, read_text, remove
from minimixer.text import printable

LOCK, LEASE = ".lock", ".lease"
BUSY = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
UNSUPPORTED = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_held: dict[Path, "FolderLock"] = {}            # the latest of each folder


class FolderLock:
    """Keeps every other run out of a folder.

    The system's lock on ``.lock`` ends with the process, however that ends.  A file system without locks (some network
    disks) gets a file ``.lease`` instead, which names machine and process; a killed process leaves it behind, and the
    next one on the same machine takes it over.

    Raises
    ------
    RunError
        If another run holds the folder, or it cannot be written.
    """

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / LOCK
        self.lease: str | None = None
        self.released = False
        try:
            # Nothing that somebody else has planted there is followed or waited for.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            self.file = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise RunError(f"{printable(self.path, None)} cannot be opened ({error.strerror}): see that the folder may "
                           "be written, or choose another one with --out") from error
        self.place = os.open(folder, os.O_RDONLY) if sys.platform != "win32" else None   # keeps its number from reuse
        try:
            self._acquire()
        except BaseException:
            self._close()
            raise
        _held[folder] = self

    def _acquire(self) -> None:
        if not stat.S_ISREG(os.fstat(self.file).st_mode):
            raise RunError(f"{printable(self.path, None)} is no ordinary file: choose another folder with --out")
        problem = _lock(self.file)
        if problem in BUSY or self._is_leased():
            raise RunError(f"another run is writing into {printable(self.folder, None)}: wait for it, or choose "
                           "another folder with --out")
        if problem in UNSUPPORTED:
            self._take_lease(os.strerror(problem))
        elif problem:
            raise RunError(f"{printable(self.path, None)} cannot be locked ({os.strerror(problem)}): choose a folder "
                           "on another disk with --out")

    def _is_leased(self) -> bool:
        """Whether a run on a disk without locks may still be writing here; the lease of a dead one is deleted."""
        lease = self.folder / LEASE
        try:
            said = read_json(lease, 10_000)
            host, pid = said["host"], int(said["pid"])
        except FileNotFoundError:
            return False
        except (OSError, FileRefusedError, KeyError, TypeError, ValueError):
            host, pid = "unknown", 0
        if host == socket.gethostname() and not _is_alive(pid):
            remove(lease, proof=lambda lease: read_json(lease, 10_000) == said)
            return False
        raise RunError(f"{printable(lease, None)} says that process {pid} on {printable(host)} is writing into this "
                       "folder: wait for it, or choose another folder with --out; if that process has ended, remove "
                       "the file")

    def _take_lease(self, why: str) -> None:
        lease = self.folder / LEASE
        self.lease = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
        try:
            with open(lease, "x", encoding="utf-8") as file:
                file.write(self.lease)
        except OSError as error:
            raise RunError(f"{printable(lease, None)} cannot be written ({error.strerror}), and this disk has no "
                           f"locks ({why}): choose a folder on another disk with --out") from error
        if sys.stderr is not None:
            print(f"minimixer train: the disk of {printable(self.folder, None)} has no locks ({why}), so {LEASE} marks "
                  "the folder as taken instead", file=sys.stderr)

    def check(self) -> None:
        """Raise RunError if the folder was moved or deleted and something else has its name.

        To be called before each file that the run writes.
        """
        if self.released:
            return
        try:
            mine = os.path.samestat(os.lstat(self.path), os.fstat(self.file))
            if mine and self.lease is not None:
                mine = self._is_my_lease(self.folder / LEASE)
        except FileNotFoundError:
            if not self.folder.is_dir():
                return                          # whoever writes now says that the folder is gone
            mine = self.place is None or os.path.samestat(os.stat(self.folder), os.fstat(self.place))
        if not mine:
            raise RunError(f"{printable(self.folder, None)} is no longer the folder of this run: it was moved or "
                           "deleted, and something else has its name; nothing was written into it, and what this run "
                           "had saved is where its folder went")

    def release(self, *, unused: bool = False) -> None:
        """Let others in; if the folder was not used, remove the lock and the folder."""
        if held(self.folder) is self:
            del _held[self.folder]
        removable = False
        with contextlib.suppress(OSError, RunError, FileRefusedError):
            self.check()
            removable = unused
            if self.lease is not None:
                remove(self.folder / LEASE, proof=self._is_my_lease)
            if removable and self.place is not None:
                lock, place = os.fstat(self.file), os.fstat(self.place)
                remove(self.path, proof=lambda path: os.path.samestat(os.lstat(path), lock))
                remove(self.folder, proof=lambda path: os.path.samestat(os.lstat(path), place))
        self._close()
        if removable and self.place is None:            # Windows removes no open files
            with contextlib.suppress(OSError, FileRefusedError):
                remove(self.path, proof=lambda path: path.is_file() and not path.stat().st_size)
                remove(self.folder, proof=Path.is_dir)

    def _is_my_lease(self, lease: Path) -> bool:
        try:
            return read_text(lease, 10_000) == self.lease
        except FileRefusedError:
            return False

    def _close(self) -> None:
        self.released = True
        os.close(self.file)
        if self.place is not None:
            os.close(self.place)


def held(folder: Path) -> FolderLock | None:
    """The lock that this process holds on a folder, if any."""
    return _held.get(folder)


def _lock(file: int) -> int:
    """Lock an open file for this process; returns 0, or the number of the error."""
    try:
        if sys.platform == "win32":
            import msvcrt
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _is_alive(pid: int) -> bool:
    """Whether another process of this machine has this number."""
    if pid == os.getpid():                      # of an earlier process: this one would know of its own
        return any(lock.lease is not None for lock in _held.values())
    if sys.platform == "win32":
        return True                             # there, asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return pid > 0
