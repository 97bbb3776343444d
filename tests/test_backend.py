import sys
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend
from minimixer.backend import DeviceError
from minimixer.commands import doctor
from minimixer.gpu.enable import STREAMS
from tests.support import fake_cupy


@pytest.fixture
def fake(monkeypatch):
    """Put a CuPy of our own in the place of CuPy; what the backend learns from it is forgotten afterwards."""
    def start(faults=None, **options):
        for name in ("_devices", "_by_type", "_by_module", "_by_types"):
            known = {key: value for key, value in getattr(backend, name).items() if key != "gpu"}
            monkeypatch.setattr(backend, name, known)
        monkeypatch.setattr(backend, "_faults", {})
        monkeypatch.setattr(backend, "_gpu", replace(backend._gpu, check=lambda device: faults or {}))
        cupy, linalg = fake_cupy.make(**options)
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        monkeypatch.setitem(sys.modules, "cupy._core._routines_linalg", linalg)
        return linalg
    return start


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setattr(backend, "_devices", {"cpu": backend.CPU})
    monkeypatch.setitem(sys.modules, "cupy", None)


def test_without_cupy_the_choice_is_the_cpu_and_says_why(no_cupy):
    name, why = backend.choose_device("auto")
    assert name == "cpu"
    assert why == "on the CPU: CuPy is not installed"
    assert backend.choose_device("cpu") == ("cpu", "on the CPU, as asked")
    with pytest.raises(DeviceError, match=r"'gpu' cannot be used: CuPy is not installed; .*gpu-cuda12.*gpu-cuda13"):
        backend.choose_device("gpu")
    with pytest.raises(DeviceError, match="unknown device 'tpu': expected 'auto', 'cpu' or 'gpu'"):
        backend.choose_device("tpu")


def test_a_gpu_that_cannot_compute_is_not_chosen(fake, monkeypatch):
    fake()

    def no_library(shape, dtype):
        raise ImportError("Failure finding libcublasLt.so")

    monkeypatch.setattr(sys.modules["cupy"], "ones", no_library)
    name, why = backend.choose_device("auto")
    assert name == "cpu"
    assert "no usable CUDA device (Failure finding libcublasLt.so)" in why
    monkeypatch.setenv(STREAMS, "1")
    with pytest.raises(DeviceError, match="threads do not wait for each other's arrays: unset it"):
        backend.get_device("gpu")


def test_an_array_of_cupy_is_known_before_anybody_asked_for_the_gpu(fake, monkeypatch):
    fake()
    monkeypatch.setattr(fake_cupy.ndarray, "__module__", "cupy")
    theirs = sys.modules["cupy"].asarray(np.ones(3))
    tensor = mm.Tensor(theirs)
    assert tensor.data is theirs
    assert tensor.device == "gpu"
    assert type(backend.to_numpy(theirs)) is np.ndarray


def test_arrays_on_disk_are_arrays_of_the_cpu(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3.0))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert mm.Tensor(mapped).dtype == np.float64
    assert backend.device_of(mapped) is backend.CPU
    with pytest.raises(DeviceError, match=r"builtins\.str is not an array of a known device: expected one of numpy"):
        backend.device_of("a")


def test_cupy_without_a_device_is_told_apart(fake):
    fake(devices=0)
    assert backend.choose_device("auto") == (
        "cpu", "on the CPU: CuPy is installed but this machine has no CUDA device")
    with pytest.raises(DeviceError, match="no CUDA device"):
        backend.get_device("gpu")


def test_a_gpu_is_chosen_and_named(fake):
    fake()
    assert backend.choose_device("auto") == ("gpu", "on the GPU: NVIDIA Test")
    assert backend.choose_device("gpu") == ("gpu", "on the GPU, as asked: NVIDIA Test")
    there = backend.to_device(np.ones(3), "gpu")
    assert backend.device_of(there).name == "gpu"
    assert type(backend.to_numpy(there)) is np.ndarray
    with pytest.raises(DeviceError, match="'gpu' and 'cpu'"):
        backend.array_module(there, np.ones(3))


def test_a_gpu_that_computes_something_else_is_chosen_only_if_asked_for(fake):
    fake(faults={"GELU": "differs", "LayerNorm": "fails"})
    assert backend.choose_device("auto") == (
        "cpu", "on the CPU: on this GPU the fast form of GELU and LayerNorm is wrong")
    assert backend.choose_device("gpu") == ("gpu", "on the GPU, as asked: NVIDIA Test")
    assert doctor.gpu_kernels() == (
        "GPU kernels", "GELU differs; LayerNorm fails: not used, and --device auto takes the CPU")


def test_tf32_is_switched_on_and_off_where_the_gpu_has_it(fake):
    linalg = fake()
    with backend.use_matmul_precision("tf32", "gpu"):
        assert backend.matmul_precision() == "tf32"
    assert backend.matmul_precision() == "float32"
    assert linalg.types_set == [("float32", linalg.COMPUTE_TYPE_TF32), ("float32", linalg.COMPUTE_TYPE_DEFAULT)]


def test_tf32_where_there_is_none_is_one_sentence(fake):
    linalg = fake(capability="75")
    with pytest.raises(DeviceError, match=r"capability 8\.0, and NVIDIA Test has less: choose 'float32'"), \
            backend.use_matmul_precision("tf32", "gpu"):
        pass
    assert linalg.types_set == []
    with backend.use_matmul_precision("float32", "cpu"):
        assert backend.matmul_precision() == "float32"
    with pytest.raises(DeviceError, match=r"needs an NVIDIA GPU, and this runs on .cpu.: choose .float32."), \
            backend.use_matmul_precision("tf32", "cpu"):
        pass
    with pytest.raises(DeviceError, match="unknown precision 'bf16': expected 'float32' or 'tf32'"), \
            backend.use_matmul_precision("bf16", "cpu"):
        pass


def test_the_private_names_of_cupy_that_are_used_exist():
    pytest.importorskip("cupy", reason="CuPy is not installed")
    from cupy._core import _routines_linalg as linalg
    assert linalg.COMPUTE_TYPE_TF32 != linalg.COMPUTE_TYPE_DEFAULT
    linalg.set_compute_type(np.float32, linalg.COMPUTE_TYPE_DEFAULT)


def test_doctor_describes_and_measures_a_gpu(fake):
    linalg = fake()
    facts = dict(doctor.describe())
    assert facts["GPU"] == "NVIDIA Test, compute capability 9.0, 132 multiprocessors"
    assert facts["GPU memory"] == "140.0 GiB, 100.0 free"
    assert facts["CuPy"] == "14.2.0, CUDA 12.9, driver for CUDA up to 13.1"
    rates = doctor.measure_gpu(size=100, megabytes=1)
    assert rates == [("product of 100 x 100, float32", "0.0 TFLOP/s"), ("product of 100 x 100, tf32", "0.0 TFLOP/s"),
                     ("copy, read and written", "2 GB/s")]          # 2 MiB in the ms of the fake clock
    assert linalg.types_set[-1] == ("float32", linalg.COMPUTE_TYPE_DEFAULT)


def test_doctor_on_a_gpu_without_tf32_says_so(fake):
    fake(capability="70")
    assert ("product of 64 x 64, tf32", "not on this GPU") in doctor.measure_gpu(size=64, megabytes=1)
