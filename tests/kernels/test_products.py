"""Products of stacks by cuBLAS: any layout, nothing copied that need not be."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimixer as mm
from minimixer import backend, nn
from minimixer.kernels import cuda, products
from minimixer.tensor import Tensor
from tests import fake_cupy, standin
from tests.kernels import blas
from tests.kernels.conftest import use_blas
from tests.kernels.emulator import needs_compiler

LAYOUTS = {"by rows": lambda a: a, "by columns": lambda a: np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2),
           "in a wider one": lambda a: np.ascontiguousarray(np.pad(a, [(0, 0)] * (a.ndim - 1) + [(1, 2)]))[..., 1:-2],
           "every second": lambda a: np.repeat(np.repeat(a, 2, -1), 2, -2)[..., ::2, ::2],
           "backwards": lambda a: a[..., ::-1].copy()[..., ::-1]}
sizes, layouts = st.integers(0, 4), st.sampled_from(sorted(LAYOUTS))


@given(sizes, sizes, sizes, sizes, layouts, layouts, st.booleans(), st.sampled_from(["f", "d"]))
def test_products_of_stacks_are_those_of_numpy(batch, n, k, m, layout_a, layout_b, is_one, dtype):
    rng = np.random.default_rng(0)
    a = LAYOUTS[layout_a](rng.standard_normal((n, k) if is_one else (batch, n, k)).astype(dtype))
    b = LAYOUTS[layout_b](rng.standard_normal((batch, k, m)).astype(dtype))
    with pytest.MonkeyPatch.context() as patch:
        use_blas(patch)
        there = [standin.DeviceArray(x) for x in (a, b)]
        found = backend.to_numpy(products.stacked_product(standin.xp, *there))
    assert found.dtype == dtype
    assert np.allclose(found, a @ b, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(backend.gpu_problem() is not None, reason=str(backend.gpu_problem()))
@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("shape", [(3, 5, 4), (5, 4), (1, 1, 1)])
@pytest.mark.parametrize("m", [1, 6])
def test_products_of_stacks_on_a_gpu(dtype, shape, m, rng):
    device = backend.get_device("gpu")
    for layout_a in ("by rows", "by columns"):
        for layout_b in ("by rows", "by columns"):
            a, b = (rng.standard_normal(s).astype(dtype) for s in (shape, (3 if len(shape) == 2 else shape[0],
                                                                          shape[-1], m)))
            given = [device.to_device(np.ascontiguousarray(x.swapaxes(-1, -2))).swapaxes(-1, -2) if how == "by columns"
                     else device.to_device(x) for x, how in ((a, layout_a), (b, layout_b))]
            assert np.allclose(device.to_numpy(products.stacked_product(device.xp, *given)), a @ b, atol=1e-5)


@needs_compiler
def test_a_step_of_a_mixer_moves_no_axis_of_a_block_in_memory(emulate, monkeypatch, rng):
    emulate()
    blas.called.clear()
    copied = []
    for module in (cuda, products):
        plain = cuda.plain
        monkeypatch.setattr(module, "plain", lambda xp, *arrays, plain=plain: (
            copied.extend(a.shape for a in arrays if not a.flags.c_contiguous), plain(xp, *arrays))[1])
    reshape = standin.DeviceArray.__getattr__

    def watched(self, name):
        method = reshape(self, name)
        if name != "reshape" or self.flags.c_contiguous:
            return method
        copied.append(self.shape)
        return method

    monkeypatch.setattr(standin.DeviceArray, "__getattr__", watched)
    config = replace(nn.VARIANTS["pico"], image_size=16, hidden_dim=6, num_blocks=2, tokens_mlp_dim=5,
                     channels_mlp_dim=7, num_classes=3)
    model = nn.MlpMixer(config).to("standin")
    images = backend.to_device(rng.standard_normal((2, 16, 16, 3)).astype("f"), "standin")
    loss = mm.functional.cross_entropy(model(Tensor(images)), backend.to_device(np.array([2, 0]), "standin"))
    mm.grad(loss, model.parameters())
    # But when pictures are cut into patches, and where the mean of the patches spreads its gradient over them.
    assert copied == [(2, 4, 4, 4, 4, 3), (2, 16, 6)]
    # Two Linear layers that mix patches in each of two blocks, and three products for each.
    assert len(blas.called) == 2 * 2 * 3
    x = standin.DeviceArray(rng.standard_normal((2, 3, 4)).astype("f")).swapaxes(0, 1)
    cuda.plain(standin.xp, x)
    assert copied[2:] == [(3, 2, 4)]                # the check sees what it is there for


def test_products_are_added_up_as_the_precision_says(monkeypatch):
    cupy, linalg = fake_cupy.make()
    cupy.cuda.runtime.CUDA_R_32F, cupy.cuda.runtime.CUDA_R_64F = 0, 1
    monkeypatch.setattr(products, "cublas", lambda: blas)
    monkeypatch.setitem(sys.modules, "cupy._core._routines_linalg", linalg)
    set_to = linalg.COMPUTE_TYPE_DEFAULT
    linalg.get_compute_type = lambda dtype: set_to
    assert products.arithmetic(cupy, np.dtype("f")) == (0, blas.CUBLAS_COMPUTE_32F)
    set_to = linalg.COMPUTE_TYPE_TF32
    assert products.arithmetic(cupy, np.dtype("f")) == (0, blas.CUBLAS_COMPUTE_32F_FAST_TF32)
    assert products.arithmetic(cupy, np.dtype("d")) == (1, blas.CUBLAS_COMPUTE_64F)
