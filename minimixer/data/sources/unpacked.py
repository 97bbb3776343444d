"""Bounded decompression: protection against archives that unpack to far more than they should."""

import tarfile
from typing import IO

HEADER = 1 << 13        # bytes: the longest name or attribute list that tarfile may read
BLOCK = 1 << 16         # bytes


class Unpacked:
    """A decompressed stream for tarfile: forward only, and never more than `limit` bytes in total.

    A few kilobytes of gzip can unpack to terabytes, and a header can claim a name of any length.  `at_once` is the
    largest read that one call may request; raise it before reading the content of a member.

    Raises
    ------
    tarfile.ReadError
        If either limit is exceeded.
    """

    def __init__(self, stream: IO[bytes], limit: int):
        self.stream = stream
        self.limit = limit
        self.at_once = HEADER
        self.position = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes, or as many as are left."""
        if not 0 <= size <= self.at_once:
            raise tarfile.ReadError(f"a header claims {size:,} bytes, expected at most {self.at_once:,}")
        block = self.stream.read(size)
        self.position += len(block)
        if self.position > self.limit:
            raise tarfile.ReadError(f"it unpacks to more than {self.limit:,} bytes")
        return block

    def seek(self, position: int) -> None:
        """Skip forward."""
        if position < self.position:
            raise tarfile.ReadError("a header points backwards")
        while self.position < position and self.read(min(BLOCK, self.at_once, position - self.position)):
            pass

    def tell(self) -> int:
        """Number of bytes read so far."""
        return self.position
