import pytest

from minimixer.data import cuda as data_cuda
from minimixer.kernels import cuda, products
from minimixer.kernels.registry import FAST
from tests.kernels import blas, emulator


def use_blas(patch):
    """Let products on the stand-in be those of NumPy, called as cuBLAS is."""
    patch.setattr(products, "cublas", lambda: blas)


def use_emulator(patch, folder, backwards=False, changed=""):
    """Let the stand-in use the pairs for CuPy, on kernels that a C++ compiler made; returns who runs them."""
    runner = emulator.Emulator(folder, backwards, changed)
    patch.setattr(cuda, "kernel", runner)
    patch.setattr(data_cuda, "kernel", lambda: runner("randaugment", "float", data_cuda.SOURCE))
    use_blas(patch)
    for reference, pair in emulator.PAIRS.items():
        patch.setitem(FAST, (reference, "standin"), pair)
    return runner


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def emulate(folder, monkeypatch):
    """``use_emulator``, with its options."""
    def start(backwards=False, changed=""):
        monkeypatch.setattr(cuda, "PARTS", 2)           # so that blocks have to go round more than once
        return use_emulator(monkeypatch, folder, backwards, changed)
    return start
