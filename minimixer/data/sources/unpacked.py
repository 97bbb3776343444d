import tarfile
from typing import IO

HEADER = 1 << 13        # bytes: the longest name or list of attributes that tarfile may take in
BLOCK = 1 << 16         # bytes


class Unpacked:
    """What a .gz file unpacks to, as tarfile reads it: forwards, and never more than `limit` bytes.

    A few kilobytes of gzip can unpack to terabytes, and a header can claim a name of any length.  `at_once` is the
    most that one call may ask for; whoever reads the content of a member raises it.

    Raises
    ------
    tarfile.ReadError
        If there is more than that.
    """

    def __init__(self, stream: IO[bytes], limit: int):
        self.stream = stream
        self.limit = limit
        self.at_once = HEADER
        self.position = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes, or those up to the end."""
        if not 0 <= size <= self.at_once:
            raise tarfile.ReadError(f"a header claims {size:,} bytes, expected at most {self.at_once:,}")
        block = self.stream.read(size)
        self.position += len(block)
        if self.position > self.limit:
            raise tarfile.ReadError(f"it unpacks to more than {self.limit:,} bytes")
        return block

    def seek(self, position: int) -> None:
        """Skip forwards."""
        if position < self.position:
            raise tarfile.ReadError("a header points backwards")
        while self.position < position and self.read(min(BLOCK, self.at_once, position - self.position)):
            pass

    def tell(self) -> int:
        """How many bytes were read."""
        return self.position
