"""Products by cuBLAS: any layout, nothing copied that need not be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimixer as mm
from minimixer import backend, nn
from minimixer.ops import cublas, cuda
from minimixer.ops.gelu import cuda as gelu
from minimixer.ops.layernorm import cuda as layernorm
from minimixer.ops.linear import cuda as linear
from minimixer.tensor import Tensor
from tests.support import blas, standin
from tests.support.emulator import needs_compiler, use_blas

LAYOUTS = {"by rows": lambda a: a, "by columns": lambda a: np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2),
           "in a wider one": lambda a: np.ascontiguousarray(np.pad(a, [(0, 0)] * (a.ndim - 1) + [(1, 2)]))[..., 1:-2],
           "every second": lambda a: np.repeat(np.repeat(a, 2, -1), 2, -2)[..., ::2, ::2],
           "backwards": lambda a: a[..., ::-1].copy()[..., ::-1]}
sizes, layouts = st.integers(0, 4), st.sampled_from(sorted(LAYOUTS))
KINDS = ["a matrix and a matrix", "a matrix and a stack", "a stack and a stack"]


def factors(kind, batch, n, k, m, dtype):
    rng = np.random.default_rng(0)
    stacks = [(batch,) * (kind != KINDS[0] and (which == "b" or kind == KINDS[2])) for which in "ab"]
    return [rng.standard_normal((*stack, *shape)).astype(dtype)
            for stack, shape in zip(stacks, ((n, k), (k, m)), strict=True)]


@given(st.sampled_from(KINDS), sizes, sizes, sizes, sizes, layouts, layouts, st.sampled_from(["f", "d"]))
def test_products_are_those_of_numpy(kind, batch, n, k, m, layout_a, layout_b, dtype):
    a, b = factors(kind, batch, n, k, m, dtype)
    a, b = LAYOUTS[layout_a](a), LAYOUTS[layout_b](b)
    with pytest.MonkeyPatch.context() as patch:
        use_blas(patch)
        found = backend.to_numpy(cublas.product(standin.xp, standin.DeviceArray(a), standin.DeviceArray(b)))
    assert found.dtype == dtype
    assert np.allclose(found, a @ b, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(backend.gpu_problem() is not None, reason=str(backend.gpu_problem()))
@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (3, 5, 4, 1), (1, 1, 1, 1), (2, 70, 130, 33)])
def test_products_on_a_gpu(kind, shape, dtype):
    device = backend.get_device("gpu")
    a, b = factors(kind, *shape, dtype)
    for a_is_swapped in (False, True):
        for b_is_swapped in (False, True):
            there = [device.to_device(np.ascontiguousarray(x.swapaxes(-1, -2))).swapaxes(-1, -2) if is_swapped
                     else device.to_device(x) for x, is_swapped in ((a, a_is_swapped), (b, b_is_swapped))]
            assert np.allclose(device.to_numpy(cublas.product(device.xp, *there)), a @ b, atol=1e-4)


@pytest.mark.parametrize(("precision", "dtype", "compute"), [("float32", "f", 68), ("tf32", "f", 77),
                                                             ("tf32", "d", 70)])
def test_products_are_added_up_as_the_precision_says(precision, dtype, compute, monkeypatch):
    use_blas(monkeypatch)
    monkeypatch.setattr(backend, "_precision", precision)
    x = standin.DeviceArray(np.ones((2, 2), dtype))
    cublas.product(standin.xp, x, x)
    assert blas.computed[-1] == compute
    assert blas.settings == ["handle", standin.Stream.ptr, cublas.WORKSPACE]


def test_what_cublas_refuses_is_an_error(monkeypatch):
    use_blas(monkeypatch)
    x = standin.DeviceArray(np.ones((2, 2), "f"))
    monkeypatch.setattr(cublas, "COMPUTE_32F", cublas.COMPUTE_64F)
    with pytest.raises(RuntimeError, match="cublasGemmEx of cuBLAS failed with status 7"):
        cublas.product(standin.xp, x, x)


def test_the_functions_of_cublas_that_are_called_exist():
    pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        library = cublas.cublas()
    except (ImportError, OSError) as error:
        pytest.skip(f"CUDA's libraries are not installed: {error}")
    assert len(library.cublasGemmStridedBatchedEx.argtypes) == 23
    assert len(library.cublasGemmEx.argtypes) == 19


@needs_compiler
def test_a_step_of_a_mixer_moves_no_axis_of_a_block_in_memory(emulate, monkeypatch, rng):
    emulate()
    blas.called.clear()
    copied = []
    plain = cuda.plain
    for module in (cuda, gelu, layernorm, linear):
        monkeypatch.setattr(module, "plain", lambda xp, *arrays: (
            copied.extend(a.shape for a in arrays if not a.flags.c_contiguous), plain(xp, *arrays))[1])
    reshape = standin.DeviceArray.__getattr__

    def watched(self, name):
        method = reshape(self, name)
        if name != "reshape" or self.flags.c_contiguous:
            return method
        copied.append(self.shape)
        return method

    monkeypatch.setattr(standin.DeviceArray, "__getattr__", watched)
    config = replace(nn.MIXERS["pico"], image_size=16, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5,
                     channels_mlp_dim=7, num_classes=3)
    model = nn.MlpMixer(config).to("standin")
    images = backend.to_device(rng.standard_normal((2, 16, 16, 3)).astype("f"), "standin")
    loss = mm.functional.cross_entropy(model(Tensor(images)), backend.to_device(np.array([2, 0]), "standin"))
    mm.grad(loss, model.parameters())
    # But when images are cut into patches, and where the mean of the patches spreads its gradient over them.
    assert copied == [(2, 4, 4, 4, 4, 3), (2, 16, 6)]
    # Two layers that mix patches, and two that mix channels, in each of two blocks, and three products for each.
    assert [batch for *_, batch in blas.called].count(2) == 2 * 2 * 3
    assert len(blas.called) == 2 * 4 * 3 + 2 * 3        # stem and head
    x = standin.DeviceArray(rng.standard_normal((2, 3, 4)).astype("f")).swapaxes(0, 1)
    cuda.plain(standin.xp, x)
    assert copied[2:] == [(3, 2, 4)]                # the check sees what it is there for
