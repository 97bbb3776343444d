"""How much memory images need, and how much there is: said before it is used."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from minimixer.data.dataset import DataError

GROUPS = Path("/sys/fs/cgroup")     # where Linux limits the memory of containers and batch jobs
UNLIMITED = 1 << 60


def available() -> int | None:
    """Bytes that this process can still take without swapping; None if the system does not say."""
    found = [*_linux(), *_address_space()] if sys.platform != "win32" else _windows()
    if not found and hasattr(os, "sysconf"):
        with suppress(ValueError, OSError):     # macOS says how much it has, not how much is free
            found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    return min(found, default=None)


def check_memory(needed: int, what: str, advice: str) -> None:
    """Raise DataError if there is less memory than ``needed`` bytes; ``what`` needs it, ``advice`` says what to do."""
    there = available()
    if there is not None and needed > there:
        raise DataError(f"{what} need {readable(needed)} of memory, and {readable(there)} are available: {advice}")


def readable(count: int) -> str:
    """A number of bytes in the unit that people use: 2,310 kB, 147 MB, 5.2 GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}" if count < 10 * size else f"{count / size:,.0f} {unit}"
    return f"{max(count, 0) / 1e3:,.0f} kB"


def _linux() -> list[int]:
    found = []
    with suppress(OSError, ValueError, IndexError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) << 10)
    for limit, used in (("memory.max", "memory.current"),
                        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        with suppress(OSError, ValueError):     # "max" is no number: no limit
            most = int((GROUPS / limit).read_text())
            if most < UNLIMITED:
                found.append(max(most - int((GROUPS / used).read_text()), 0))
    return found


def _address_space() -> list[int]:
    import resource
    most, _ = resource.getrlimit(resource.RLIMIT_AS)        # ulimit -v
    if not 0 <= most < UNLIMITED:
        return []
    used = 0
    with suppress(OSError, ValueError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return [max(most - used, 0)]


def _windows() -> list[int]:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong),
                    *((name, ctypes.c_ulonglong) for name in ("total", "free", "total_page", "free_page",
                                                              "total_virtual", "free_virtual", "extended"))]

    status = Status(length=ctypes.sizeof(Status))
    with suppress(AttributeError, OSError):
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):   # type: ignore[attr-defined,unused-ignore]
            return [int(status.free)]
    return []
