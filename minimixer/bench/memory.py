"""Memory of this process, now and at its peak (Linux with glibc)."""

import ctypes
import gc
from pathlib import Path


def _memory(field: str) -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status[field].split()[0])


def trim_memory() -> int:
    """Return freed memory to the system and reset the peak; return the bytes still in memory."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def peak_memory() -> int:
    """Peak bytes in memory since ``trim_memory``.

    Not ru_maxrss of getrusage: it starts at the parent's peak and cannot be reset after compilation.
    """
    return _memory("VmHWM")
