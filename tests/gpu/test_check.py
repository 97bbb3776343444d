"""The self-check of the forms for CuPy: right ones pass, each planted fault is found, and is remembered."""

import json

import numpy as np
import pytest

from minimixer import backend
from minimixer.gpu import check
from minimixer.ops import registry
from minimixer.ops.gelu import GELU
from minimixer.ops.layernorm import LayerNorm
from minimixer.optim.adamw import adamw
from tests.support.emulator import code, needs_compiler

F32 = np.dtype(np.float32)


@pytest.fixture
def standin(emulate, monkeypatch):
    emulate()
    monkeypatch.setattr(registry, "_refused", {})
    return backend.get_device("standin")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIMIXER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(check, "key", lambda device: "this GPU")
    return tmp_path / "cache" / check.FILE


@pytest.mark.slow
@needs_compiler
def test_right_forms_pass(standin):
    assert check.faults(standin) == {}


def test_every_op_with_a_form_for_cupy_is_tried():
    offered = {reference for reference, forms in registry.offers().items() if "cuda" in forms}
    assert {trial.reference for trial in check.trials()} == offered


@needs_compiler
@pytest.mark.parametrize("which", ["y", "gx", "nan"])
def test_a_result_that_is_off_by_a_thousandth_is_found(which, standin, monkeypatch):
    right = registry.load(LayerNorm, "cuda")

    class Wrong(right):
        @staticmethod
        def forward(xp, *arguments):
            y, saved = right.forward(xp, *arguments)
            return (y * 1.001 if which == "y" else y), saved

        @staticmethod
        def backward(xp, *arguments):
            gx, *others = right.backward(xp, *arguments)
            return (gx * {"y": 1, "gx": 1.001, "nan": np.nan}[which], *others)

    load = registry.load
    monkeypatch.setattr(registry, "load", lambda op, form: Wrong if op is LayerNorm else load(op, form))
    assert list(check.faults(standin)) == ["LayerNorm"]
    assert check.faults(standin)["LayerNorm"].startswith("differs from its reference by ")


@needs_compiler
def test_a_kernel_with_one_changed_sign_is_found(emulate):
    source = code(check.PACKAGE / "optim" / "adamw" / "kernel.cu")
    changed = source.replace("p[i] * keep - lr", "p[i] * keep + lr")
    assert changed != source
    emulate(changed=changed)
    assert list(check.faults(backend.get_device("standin"))) == ["adamw"]


@needs_compiler
def test_a_form_that_does_not_compile_is_found_and_named(standin, monkeypatch):
    from minimixer.ops import cuda
    right = cuda.kernel

    def broken(source, name, *options):
        if name.startswith("gelu"):
            raise RuntimeError("no image is available for this GPU\nmore")
        return right(source, name, *options)

    monkeypatch.setattr(cuda, "kernel", broken)
    found = check.faults(standin)
    assert found == dict.fromkeys(["GELU", "GELUErf"], "fails (RuntimeError: no image is available for this GPU)")


def test_what_was_found_is_kept_and_its_forms_are_not_used(standin, cache, monkeypatch):
    monkeypatch.setattr(check, "faults", lambda device: {"GELU": "differs"})
    assert registry.choose(GELU, standin.xp, F32) is registry.load(GELU, "cuda")
    with pytest.warns(RuntimeWarning, match="the fast form of GELU differs: it runs as its reference is written"):
        assert check.check(standin) == {"GELU": "differs"}
    assert registry.choose(GELU, standin.xp, F32) is GELU
    assert registry.choose(adamw, standin.xp, F32) is registry.load(adamw, "cuda")
    assert json.loads(cache.read_text()) == {"this GPU": {"GELU": "differs"}}
    monkeypatch.setattr(check, "faults", lambda device: pytest.fail("checked again"))
    with pytest.warns(RuntimeWarning, match="GELU"):
        check.check(standin)


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"this GPU": 3}', b"\xff", b'{"another GPU": {"GELU": "differs"}}'])
def test_a_damaged_cache_or_one_of_another_gpu_is_checked_again(content, standin, cache, monkeypatch):
    cache.parent.mkdir()
    cache.write_bytes(content)
    monkeypatch.setattr(check, "faults", lambda device: {})
    assert check.check(standin) == {}
    assert json.loads(cache.read_text())["this GPU"] == {}


def test_without_a_cache_every_process_checks(standin, cache, monkeypatch):
    cache.parent.write_text("a file where the folder should be")
    times = []
    monkeypatch.setattr(check, "faults", lambda device: times.append(device) or {})
    assert check.check(standin) == check.check(standin) == {}
    assert len(times) == 2


def test_the_key_changes_with_gpu_driver_cupy_and_sources(monkeypatch):
    from tests.support import fake_cupy
    cupy, _ = fake_cupy.make()
    device = backend.Device("gpu", cupy, np.ndarray, np.asarray, np.asarray, np.exp, model=lambda: "NVIDIA Test")
    keys = {check.key(device)}
    cupy.cuda.runtime.driverGetVersion = lambda: 13020
    keys.add(check.key(device))
    cupy.__version__ = "15.0"
    keys.add(check.key(device))
    monkeypatch.setattr(check, "__version__", "99")
    keys.add(check.key(device))
    assert len(keys) == 4
