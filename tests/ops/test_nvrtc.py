"""The CUDA sources through NVIDIA's own compiler, which needs no GPU: ``pip install nvidia-cuda-nvrtc-cu12``."""

import ctypes
import ctypes.util
import importlib.util
import re
from pathlib import Path

import pytest

from tests.support.emulator import RANDAUGMENT, SOURCES, code, names


def find_nvrtc():
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(place) for place in (spec.submodule_search_locations if spec else [])]
    found = sorted(library for folder in folders for library in folder.glob("**/libnvrtc.so.*")
                   if "builtins" not in library.name and "alt" not in library.name)
    return str(found[-1]) if found else ctypes.util.find_library("nvrtc")


NVRTC = find_nvrtc()
needs_nvrtc = pytest.mark.skipif(NVRTC is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12")


def compiled(source, *options):
    """Status, log and machine code."""
    nvrtc = ctypes.CDLL(NVRTC)
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"cuda.cu", 0, None, None) == 0
    arguments = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = nvrtc.nvrtcCompileProgram(program, len(options), arguments)

    def fetch(size_of, get):
        size = ctypes.c_size_t()
        assert size_of(program, ctypes.byref(size)) == 0
        content = ctypes.create_string_buffer(size.value)
        assert get(program, content) == 0
        return content.raw

    log = fetch(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog).rstrip(b"\0").decode()
    machine_code = fetch(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN) if status == 0 else b""
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log, machine_code


@needs_nvrtc
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize(("source", "option"), [
    *((source, option) for source in SOURCES for option in ("-DREAL=float", "-DREAL=double")),
    (RANDAUGMENT, "-DREAL=float --fmad=false")], ids=str)
def test_every_kernel_compiles_without_a_warning(architecture, source, option):
    status, log, machine_code = compiled(code(source), "-std=c++17", *option.split(),
                                        f"--gpu-architecture={architecture}")
    assert status == 0, log
    assert log.strip() == ""
    assert [name for name in names(source) if f".text.{name}".encode() not in machine_code] == []


@needs_nvrtc
def test_an_error_in_the_source_is_seen():
    source = code(SOURCES[-1])
    broken = source.replace("__global__ void", "__global__ vooid")
    assert broken != source
    status, log, _ = compiled(broken, "-DREAL=float", "--gpu-architecture=sm_80")
    assert status != 0
    assert "cuda.cu" in log


def test_no_kernel_adds_up_in_an_order_that_may_change():
    assert "atomic" not in "".join(map(code, SOURCES)).replace("without atomics", "")


@needs_nvrtc
@pytest.mark.parametrize(("source", "option"), [
    *((source, "-DREAL=float") for source in SOURCES), (RANDAUGMENT, "-DREAL=float --fmad=false")], ids=str)
def test_no_kernel_spills_registers_into_memory(source, option):
    _, log, _ = compiled(code(source), "-std=c++17", *option.split(), "--gpu-architecture=sm_90", "-Xptxas=-v")
    spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", log)
    assert len(spills) == 2 * len(names(source))
    assert set(spills) == {"0"}
