"""Runs CUDA sources without a GPU: a C++ compiler and block.h compile them, and work on the stand-in."""

import ctypes
import functools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from minimixer.data import cuda as data_cuda
from minimixer.kernels import cuda, products  # noqa: F401  products enters its pairs
from minimixer.kernels.registry import FAST
from tests import standin
from tests.standin import DeviceArray

SOURCE, RANDAUGMENT = cuda.SOURCE, data_cuda.SOURCE


def names(source: Path) -> list[str]:
    """The kernels that a file defines."""
    return re.findall(r"__global__ void (\w+)\(", source.read_text())


KERNELS = names(SOURCE)
COMPILER = shutil.which("g++") or shutil.which("clang++")
PAIRS = {reference: pair for (reference, module), pair in FAST.items() if module == "cupy"}
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler is installed")
FENCE = 4096        # elements around every array: NaN, so that to read them spoils a result, and to write them shows


@functools.cache
def library(file: Path, real: str, folder: Path, changed: str = "", only: str = "") -> ctypes.CDLL:
    """The kernels of a file for ``real``; of ``changed`` text in its place, ``only`` one."""
    exported = "\n".join(
        f'extern "C" const char* run_{name}(int blocks, int across, int down, size_t shared, const char* codes, '
        f"void** arguments, bool backwards) {{ return Launch<&{name}>::run(blocks, across, down, shared, codes, "
        "arguments, backwards); }" for name in ([only] if changed else names(file)))
    target = folder / f"{file.stem}-{real}-{abs(hash(changed + only))}"
    target.with_suffix(".cpp").write_text(f'#include "{Path(__file__).with_name("block.h")}"\n'
                                          f"{changed or file.read_text()}\n{exported}\n")
    options = ["-std=c++17", "-O0" if changed else "-O1", "-fPIC", "-shared", "-w", "-U_FORTIFY_SOURCE"]
    subprocess.run([COMPILER, *options, f"-DREAL={real}", "-o", target.with_suffix(".so"), target.with_suffix(".cpp")],
                   check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(target.with_suffix(".so")))


class Emulator:
    """Takes the place of ``cuda.kernel``; ``launched`` lists the kernels that ran."""

    def __init__(self, folder: Path, backwards: bool = False, changed: str = ""):
        self.folder, self.backwards, self.changed = folder, backwards, changed
        self.launched: list[str] = []

    def __call__(self, name, real, file=SOURCE):
        changed = (self.changed, name) if self.changed else ()
        function = getattr(library(file, real, self.folder, *changed), f"run_{name}")
        function.restype = ctypes.c_char_p

        def launch(grid, block, arguments, shared_mem=0):
            assert len(grid) == 1
            assert block[0] % 32 == 0
            assert block[0] * block[1] <= 1024
            assert shared_mem <= 48 << 10
            self.launched.append(name)
            standin.run(name, lambda: execute(grid, block, arguments, shared_mem), standin.unwrap(arguments))

        def execute(grid, block, arguments, shared_mem):
            memory = [_fence(a) if isinstance(a, DeviceArray) else np.array([a]) for a in arguments]
            values = [np.array([m.ctypes.data + FENCE * m.itemsize], np.uint64) if isinstance(a, DeviceArray) else m
                      for a, m in zip(arguments, memory, strict=True)]
            codes = "".join(("*" if isinstance(a, DeviceArray) else "") + _code(a.dtype) for a in arguments)
            pointers = (ctypes.c_void_p * len(values))(*(v.ctypes.data for v in values))
            error = function(grid[0], *block, ctypes.c_size_t(shared_mem), codes.encode(), pointers, self.backwards)
            assert error is None, f"{name}: {error.decode()}"
            for argument, array in zip(arguments, memory, strict=True):
                if isinstance(argument, DeviceArray):
                    before, inside, after = np.split(array, [FENCE, len(array) - FENCE])
                    fence = _fence(argument)
                    assert before.tobytes() == fence[:FENCE].tobytes(), f"{name} wrote in front of an array"
                    assert after.tobytes() == fence[-FENCE:].tobytes(), f"{name} wrote behind an array"
                    if not np.array_equal(inside, fence[FENCE:-FENCE], equal_nan=inside.dtype.kind == "f"):
                        argument._host[...] = inside.reshape(argument.shape)

        return launch


def _code(dtype):
    return {"float32": "f", "float64": "d", "int32": "i", "int64": "q", "uint64": "Q", "uint8": "B"}[str(dtype)]


def _fence(array):
    assert array.flags.c_contiguous
    host = array._host.reshape(-1)
    return np.pad(host, FENCE, constant_values=np.nan if host.dtype.kind == "f" else 99)
