"""What the process can be told so that NumPy runs faster in it."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3      # <malloc.h>


def keep_freed_memory() -> bool:
    """Let the C library keep the memory of freed arrays for the next ones; return whether it could be asked.

    By default glibc gives the memory of large arrays back to the system at once, and a training step, which frees and
    allocates the same sizes over and over, pays a page fault for every 4 KiB of them, every time.  Elsewhere than on
    Linux with glibc nothing is changed.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    largest = 2**31 - 1
    return all([mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, largest), mallopt(M_TOP_PAD, 64 << 20)])
