"""Runs CUDA sources without a GPU: a C++ compiler and block.h compile them, and work on the stand-in."""

import ctypes
import functools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import minimixer
from minimixer.ops import cublas, cuda, registry
from minimixer.ops.layernorm import cuda as layernorm
from tests.support import blas, standin
from tests.support.standin import DeviceArray

PACKAGE = Path(minimixer.__file__).parent


def names(source: Path) -> list[str]:
    """The kernels that a file defines."""
    return re.findall(r"__global__ void (\w+)\(", source.read_text())


def code(source: Path) -> str:
    """A file as it is compiled: behind what all of them share."""
    return cuda.COMMON.read_text() + source.read_text()


RANDAUGMENT = PACKAGE / "data" / "randaugment" / "kernel.cu"
SOURCES = [cuda.SUMS, *sorted(path for path in PACKAGE.glob("o*/*/kernel.cu"))]        # of ops/ and optim/
KERNELS = {name: source for source in SOURCES for name in names(source)}
COMPILER = shutil.which("g++") or shutil.which("clang++")
FORMS = {reference: registry.load(reference, "cuda") for reference, forms in registry.offers().items()
         if "cuda" in forms and reference.__module__.split(".")[1] in ("ops", "optim")}
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler is installed")
FENCE = 4096        # elements around every array: NaN, so that to read them spoils a result, and to write them shows


@functools.cache
def library(file: Path, real: str, folder: Path, changed: str = "", only: str = "") -> ctypes.CDLL:
    """The kernels of a file for ``real``; of ``changed`` text in its place, ``only`` one."""
    exported = "\n".join(
        f'extern "C" const char* run_{name}(int blocks, int across, int down, size_t shared, const char* codes, '
        f"void** arguments, bool backwards) {{ return Launch<&{name}>::run(blocks, across, down, shared, codes, "
        "arguments, backwards); }" for name in ([only] if changed else names(file)))
    target = folder / f"{file.parent.name}-{file.stem}-{real}-{abs(hash(changed + only))}"
    target.with_suffix(".cpp").write_text(f'#include "{Path(__file__).with_name("block.h")}"\n'
                                          f"{changed or code(file)}\n{exported}\n")
    options = ["-std=c++17", "-O0" if changed else "-O1", "-fPIC", "-shared", "-w", "-U_FORTIFY_SOURCE"]
    subprocess.run([COMPILER, *options, f"-DREAL={real}", "-o", target.with_suffix(".so"), target.with_suffix(".cpp")],
                   check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(target.with_suffix(".so")))


class Emulator:
    """Takes the place of ``cuda.kernel``; ``launched`` lists the kernels that ran."""

    def __init__(self, folder: Path, backwards: bool = False, changed: str = ""):
        self.folder, self.backwards, self.changed = folder, backwards, changed
        self.launched: list[str] = []

    def __call__(self, file, name, real, *options):
        changed = (self.changed, name) if self.changed and name in self.changed else ()
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


def use_blas(patch):
    """Let products on the stand-in be those of NumPy, called as cuBLAS is."""
    patch.setattr(cublas, "cublas", lambda: blas)


def use_emulator(patch, folder, backwards=False, changed=""):
    """Let the stand-in use the forms for CuPy, on kernels that a C++ compiler made; returns who runs them."""
    runner = Emulator(folder, backwards, changed)
    patch.setattr(cuda, "kernel", runner)
    use_blas(patch)
    use_forms_of_cupy(patch)
    return runner


def use_forms_of_cupy(patch):
    """Let the stand-in use the forms for CuPy."""
    patch.setitem(registry.FORMS, "standin", registry.FORMS["cupy"])
    patch.setattr(registry, "_chosen", {wish: {} for wish in registry._chosen})


@pytest.fixture(scope="session")
def kernel_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def emulate(kernel_folder, monkeypatch):
    """``use_emulator``, with its options."""
    def start(backwards=False, changed=""):
        for module in (cuda, layernorm):
            monkeypatch.setattr(module, "PARTS", 2)     # so that blocks have to go round more than once
        return use_emulator(monkeypatch, kernel_folder, backwards, changed)
    return start
