import contextlib
import os

import numpy as np
import pytest
from hypothesis import settings

import minimixer as mm
from minimixer import backend
from tests.support import standin  # noqa: F401  registers the device "standin"
from tests.support.emulator import emulate, kernel_folder  # noqa: F401

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")

GPU_PROBLEM = backend.gpu_problem()
DEVICES = ["cpu", "standin", pytest.param("gpu", marks=[pytest.mark.gpu,
                                                       pytest.mark.skipif(GPU_PROBLEM is not None,
                                                                          reason=str(GPU_PROBLEM))])]


def pytest_addoption(parser):
    parser.addoption("--kernels", choices=["fast", "reference"], default="fast",
                     help="run the fastest form of every op (default), or the one that is read")


CHOOSE_FOR_THEMSELVES = {"test_forms.py", "test_cuda.py", "test_cublas.py", "test_graph.py",
                         "test_randaugment_kernel.py"}


@pytest.fixture(autouse=True)
def kernels(request):
    """The forms that the command line asks for, except in files that are about the choice."""
    wanted = request.config.getoption("kernels") == "reference" and request.path.name not in CHOOSE_FOR_THEMSELVES
    with mm.reference_kernels() if wanted else contextlib.nullcontext():
        yield


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Tests keep decoded images and downloads in a folder of their own, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIMIXER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(params=DEVICES)
def device(request):
    """Every test that takes this runs on every device."""
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(0)
