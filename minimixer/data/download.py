"""Download one large file over an unreliable connection: resumable, verified, and in place only when complete.

pooch restarts every download in a new temporary file, so it cannot resume one.
"""

import errno
import os
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import requests
import urllib3
from filelock import FileLock, Timeout

from minimixer.data.dataset import DataError
from minimixer.data.download_causes import cannot_write, cause_of, check_bundle, hopeless
from minimixer.data.part import Part, begin, check_part, discard, finish, is_begun
from minimixer.data.progress import progress
from minimixer.files import FileRefusedError, remove, set_aside, sha256_of
from minimixer.text import printable

TIMEOUT = (10, 30)      # seconds: to connect, and between two blocks
RETRIES = 3
PAUSE = 1.0             # seconds before the first retry; each retry waits one second longer
BLOCK = 1 << 16         # bytes
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)        # of some network disks


def download(url: str, target: Path, *, sha256: str, size: int, quiet: bool = False) -> Path:
    """Download `url` into the file `target`; do nothing if it is already there and complete.

    Bytes are collected in `target` + ``.part``, which an interrupted download leaves behind and the next one
    continues, if ``.part.json`` beside it says that it is of the same file.  `target` itself appears only at the end,
    with the right length and hash; another file of this name is kept under another.

    Parameters
    ----------
    url, target : str, Path
        Source and destination; missing folders are created.
    sha256, size : str, int
        Expected hash in hexadecimal and length in bytes; more bytes are never stored.
    quiet : bool
        Hide the progress bar, which is shown only on a terminal.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    DataError
        If the server cannot be reached or refuses, length or hash differ, the file cannot be written, or a ``.part``
        is in the way that this download did not begin.
    """
    part_path = target.with_name(target.name + ".part")
    is_ours = partial(is_begun, url=url, sha256=sha256, size=size)
    try:
        if _is_whole(target, sha256, size):
            return target
        check_bundle()
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part_path):
            check_part(part_path, is_ours)
            begin(part_path, url=url, sha256=sha256, size=size)
            with part_path.open("a+b") as file:                         # every write appends
                part = Part(file, part_path)
                with progress(target.name, size, quiet, part.length, in_bytes=True) as show:
                    _fetch(url, target, part, size, show)
                file.flush()
                os.fsync(file.fileno())
            if (got := part.hash.hexdigest()) != sha256:
                discard(part_path, is_ours)
                raise DataError(f"{url} came with sha256 {got}, expected {sha256}: it has changed or was damaged in "
                                "transit; the download is deleted, so run the same command again")
            if os.path.lexists(target):
                print(f"minimixer: {printable(target, None)} is not the file at {url}; it is kept as "
                      f"{printable(set_aside(target).name)}", file=sys.stderr)
            finish(part_path, target, is_ours)
    except Timeout:
        raise DataError(f"{target} is being downloaded by another process: wait for it, then run the same command again"
                        ) from None
    except OSError as error:
        raise cannot_write(target, part_path, error) from error
    return target


@contextmanager
def _alone(part_path: Path) -> Iterator[None]:
    """Keep other processes from downloading the same file.  Raises Timeout if one already does."""
    path = part_path.with_name(part_path.name + ".lock")
    if os.path.lexists(path) and not _is_lock(path):
        raise DataError(f"{printable(path, None)} is there, and is no lock of a download: move it away, or choose "
                        "another folder")
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, Timeout) or (isinstance(error, OSError) and error.errno not in NO_LOCKS):
            raise
        # Two downloads at once would mix their bytes, and the hash would say so.
        print(f"minimixer: {printable(part_path.parent, None)} cannot lock files: run no second download into it "
              "meanwhile", file=sys.stderr)
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError, FileRefusedError):       # Windows cannot delete an open file
            remove(path, proof=_is_lock)


def _is_lock(path: Path) -> bool:
    """Whether this is what FileLock makes: an empty file."""
    return path.is_file() and not path.is_symlink() and not path.stat().st_size


def _is_whole(file: Path, sha256: str, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size and sha256_of(file) == sha256


def _fetch(url: str, target: Path, part: Part, size: int, show: Callable[[int], None]) -> None:
    """Append until the part is `size` bytes long, with at most RETRIES retries."""
    failures = 0
    while part.length != size:      # the first request empties a part that is too long
        cause: Exception | None = None
        try:
            _request(url, part, size, show)
        # ValueError: requests does not catch it after a redirect to a URL such as "http://[".
        except (requests.RequestException, urllib3.exceptions.HTTPError, ssl.SSLError, ValueError) as error:
            if (final := hopeless(error, url, target)) is not None:
                raise final from error
            cause = error
        if part.length != size:
            failures += 1
            if failures > RETRIES:
                why = type(cause).__name__ if cause else "it ended early"
                kept = f"{part.length:,} of {size:,} bytes are kept in {part.file.name}"
                raise DataError(f"{url} could not be downloaded ({why}); {kept}, run again to continue"
                                f"{cause_of(cause)}") from cause
            time.sleep(PAUSE * failures)


def _request(url: str, part: Part, size: int, show: Callable[[int], None]) -> None:
    """Append the bytes of one request; if the server cannot resume, empty the part instead."""
    rest = {"Range": f"bytes={part.length}-"} if part.length else {}
    same = {"If-Range": part.validator} if part.length and part.validator else {}
    headers = {"Accept-Encoding": "identity", **rest, **same}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        status = response.status_code
        if status not in (200, 206, 416):
            raise DataError(f"{url} was refused: {status} {printable(response.reason)}; open it in a browser to see "
                            "why")
        sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        total = response.headers.get("Content-Length", "") if status == 200 else sent[2] if sent else ""
        if total.isdecimal() and total != str(size):
            raise DataError(f"{url} is {total} bytes long, expected {size}: it has changed, or a login page "
                            "of the network answered; open it in a browser to see")
        if status == 200:           # the whole file, whatever was requested
            part.clear(response.headers.get("ETag", ""))
        elif status == 416 or sent is None or sent[1] != str(part.length):
            return part.clear()     # not the rest of the part: the next request starts over
        # Raw bytes: requests would unpack a .tar.gz that a server labels "Content-Encoding: gzip".
        for block in response.raw.stream(BLOCK, decode_content=False):
            if part.length + len(block) > size:
                raise DataError(f"{url} is longer than the expected {size:,} bytes: it has changed")
            part.append(block)
            show(part.length)
