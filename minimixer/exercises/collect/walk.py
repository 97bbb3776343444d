"""Every file of a folder and of the archives in it, by its path; whatever a folder or an archive holds, this ends."""

import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from minimixer.exercises.collect import archives
from minimixer.exercises.collect.names import JUNK, UNOPENED, is_archive, is_code
from minimixer.exercises.source import LARGEST, LARGEST_NOTEBOOK, is_notebook

DEEPEST = 40                    # folders within folders
MOST = 10_000                   # files of one student
DEEPEST_ARCHIVE = 4             # archives within archives
LARGEST_ARCHIVE = 256 << 20     # bytes unpacked from the archives of one student
LARGEST_CLASS = 8 << 30         # and from an archive of a whole class
LARGEST_PACKED = 4              # an archive may be so many times as large
SYSTEM = "hidden, or made by a program"


@dataclass(frozen=True)
class Entry:
    """A file that may be an answer."""

    parts: tuple[str, ...]          # its path; an archive counts as a folder
    path: Path                      # where its bytes are
    modified: float                 # seconds since 1970
    attempt: int = 0                # by a learning platform; grows with every attempt

    @property
    def name(self) -> str:
        """The last part."""
        return self.parts[-1]

    @property
    def shown(self) -> str:
        """The path as text."""
        return "/".join(self.parts)


@dataclass(frozen=True)
class Unused:
    """A file or folder that was not graded, and why."""

    parts: tuple[str, ...]
    why: str

    @property
    def shown(self) -> str:
        """The path as text."""
        return "/".join(self.parts)


def listed(unused: Sequence[Unused], most: int) -> list[Unused]:
    """The same for people: of more than ``most`` files of one folder with one reason, the first and their number."""
    groups: dict[tuple[tuple[str, ...], str], list[Unused]] = {}
    for left in unused:
        groups.setdefault((left.parts[:-1], left.why), []).append(left)
    return [one for its in groups.values() for one in (its if len(its) <= most else [
        Unused(its[0].parts, f"{its[0].why} (and {len(its) - 1:,} more like it in this folder)")])]


@dataclass
class Tree:
    """What a folder holds."""

    entries: list[Entry] = field(default_factory=list)
    unused: list[Unused] = field(default_factory=list)
    folders: set[tuple[str, ...]] = field(default_factory=set)


class Walker:
    """Reads folders and archives into a tree.

    Parameters
    ----------
    scratch : Path or None
        Folder for what is unpacked; None: archives are not opened.
    most_bytes : int
        Bytes to unpack below one child of the top folder.
    """

    def __init__(self, scratch: Path | None, most_bytes: int = LARGEST_ARCHIVE):
        self.tree = Tree()
        self._scratch, self._most_bytes = scratch, most_bytes
        self._bytes_left, self._files_left, self._unpacked = most_bytes, MOST, 0
        self._archives: list[tuple[Path, tuple[str, ...]]] = []

    def folder(self, top: Path) -> Tree:
        """Walk a folder.  Raises OSError if it cannot be listed itself."""
        for name in sorted(os.listdir(top)):
            self.one(top / name)
        return self.tree

    def one(self, top: Path) -> None:
        """Walk a file, an archive or a folder, most often a student's."""
        self._bytes_left, self._files_left, self._archives = self._most_bytes, MOST, []
        todo: deque[tuple[Path, tuple[str, ...]]] = deque([(top, (top.name,))])
        while todo:             # what lies on top first, and archives last: no rubbish hides an answer
            path, parts = todo.popleft()
            self._files_left -= 1
            if self._files_left < 0:
                self._leave(parts[:1], f"it holds more than {MOST:,} files: the rest was not looked at")
                break
            try:
                todo += self._file(path, parts)
            except OSError as error:
                self._leave(parts, f"cannot be read: {error.strerror}")
        for path, parts in self._archives:
            self._files_left = MOST
            self._archive(path, parts)

    def _file(self, path: Path, parts: tuple[str, ...]) -> list[tuple[Path, tuple[str, ...]]]:
        """Take a file, or return what a folder holds."""
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            self._leave(parts, "a link: only files and folders are read")
        elif JUNK.fullmatch(parts[-1]):
            self._leave(parts, SYSTEM)
        elif stat.S_ISDIR(found.st_mode):
            self.tree.folders.add(parts)
            if len(parts) > DEEPEST:
                self._leave(parts, f"more than {DEEPEST} folders lie around it")
            else:
                return [(path / name, (*parts, name)) for name in sorted(os.listdir(path))]
        elif not stat.S_ISREG(found.st_mode):
            self._leave(parts, "not a file: a pipe, a socket or a device")
        elif is_archive(parts[-1]) and self._scratch is not None:
            if found.st_size > LARGEST_PACKED * self._most_bytes:
                self._leave(parts, f"larger than {LARGEST_PACKED * self._most_bytes >> 30} GiB")
            else:
                self._archives.append((path, parts))
        elif self._is_wanted(parts):
            self.tree.entries.append(Entry(parts, path, found.st_mtime))
        return []

    def _leave(self, parts: tuple[str, ...], why: str) -> None:
        self.tree.unused.append(Unused(parts, why))

    def _is_wanted(self, parts: tuple[str, ...]) -> bool:
        """Whether a file may be an answer by its name."""
        name = parts[-1].lower()
        if is_code(name):
            return True
        self._leave(parts, "an archive that is not opened: ask for a .zip" if name.endswith(UNOPENED)
                    else "an archive" if is_archive(name) else "not a .py or .ipynb file")
        return False

    def _archive(self, path: Path, parts: tuple[str, ...]) -> None:
        self.tree.folders.add(parts)
        if sum(is_archive(part) for part in parts) > DEEPEST_ARCHIVE:
            self._leave(parts, f"more than {DEEPEST_ARCHIVE} archives lie around it")
            return
        try:
            empty = True
            for inner, modified, is_folder, stream in archives.members(path, self._bytes_left):
                empty = False
                self._member((*parts, *inner), modified, is_folder, stream)
            if empty:
                self._leave(parts, "an archive with nothing in it")
        except archives.ERRORS as error:
            self._leave(parts, "it cannot be unpacked further: " + archives.why(error))

    def _member(self, parts: tuple[str, ...], modified: float, is_folder: bool, stream: IO[bytes] | None) -> None:
        self._files_left -= 1
        if self._files_left < 0 or self._bytes_left < 0:
            raise ValueError(f"it holds more than {MOST:,} files" if self._files_left < 0 else
                             f"it holds more than {self._most_bytes >> 20} MiB")
        if junk := next((n for n, part in enumerate(parts, 1) if JUNK.fullmatch(part)), 0):
            known = Unused(parts[:junk], SYSTEM)
            if known not in self.tree.unused[-50:]:
                self.tree.unused.append(known)
        elif is_folder:
            self.tree.folders.add(parts)
        elif stream is None:
            self._leave(parts, "a link: only files and folders are read")
        elif is_archive(parts[-1]):
            path = self._unpack(stream, self._bytes_left)
            self._archive(path, parts)
        elif self._is_wanted(parts):
            path = self._unpack(stream, LARGEST_NOTEBOOK if is_notebook(parts[-1]) else LARGEST)
            self.tree.entries.append(Entry(parts, path, modified))

    def _unpack(self, stream: IO[bytes], most: int) -> Path:
        """Write a member into the scratch folder, at most one byte more than ``most``, under a name of ours."""
        assert self._scratch is not None
        self._unpacked += 1
        path = self._scratch / f"{self._unpacked:06d}"
        left = min(most, self._bytes_left) + 1
        with open(path, "xb") as file:
            while left > 0 and (piece := stream.read(min(left, 1 << 20))):
                file.write(piece)
                left -= len(piece)
                self._bytes_left -= len(piece)
        return path
