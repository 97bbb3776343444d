"""Muon against its definition, against torch.optim.Muon where PyTorch has it, and against itself in another form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimixer as mm
from minimixer import nn, optim
from minimixer.backend import get_device, to_device, to_numpy
from minimixer.ops.registry import load
from minimixer.optim.muon import muon, orthogonalize
from minimixer.tensor import Tensor

SHAPES = [(64, 64), (128, 512), (512, 128), (7, 3), (1, 5)]
FORMS = [orthogonalize, load(muon, "inplace").__globals__["orthogonalize"]]


def test_the_map_of_singular_values_takes_all_but_tiny_ones_near_one():
    s = np.linspace(0.01, 1, 1000)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    assert 0.6 < s.min() < s.max() < 1.21


@pytest.mark.parametrize("orthogonalize", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_result_has_the_singular_vectors_of_the_matrix_and_singular_values_near_one(orthogonalize, shape, rng):
    u, _, v = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    s = np.linspace(0.1, 1, len(v))
    matrix = u * s @ v
    before = matrix.copy()
    found = orthogonalize(matrix)
    assert np.array_equal(matrix, before)
    inside = u.T @ found @ v.T
    assert np.allclose(inside, np.diag(np.diag(inside)), atol=1e-10)         # the vectors are kept
    assert 0.5 < np.diag(inside).min() <= np.diag(inside).max() < 1.21


@pytest.mark.parametrize("orthogonalize", FORMS)
@given(st.sampled_from(SHAPES), st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
def test_the_size_of_a_gradient_does_not_matter_and_transposing_commutes(orthogonalize, shape, size, seed):
    matrix = np.random.default_rng(seed).standard_normal(shape)
    found = orthogonalize(matrix)
    assert np.allclose(orthogonalize(size * matrix), found, atol=1e-3)
    assert np.allclose(orthogonalize(matrix.T), found.T, atol=1e-10)


@pytest.mark.parametrize("orthogonalize", FORMS)
def test_a_zero_gradient_is_no_step(orthogonalize):
    assert np.array_equal(orthogonalize(np.zeros((4, 3), np.float32)), np.zeros((4, 3)))


@pytest.mark.parametrize("shape", [(128, 512), (512, 128), (64, 64)])
@pytest.mark.parametrize("smallest", [1.0, 1e-3, 1e-6, 0.0])
def test_in_float32_no_singular_value_however_small_lets_the_forms_part(shape, smallest, rng):
    u, _, v = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    s = np.full(len(v), smallest)
    s[:8] = 1
    exact = orthogonalize(u * s @ v)
    for form in FORMS:
        found = form((u * s @ v).astype(np.float32))
        assert found.dtype == np.float32
        assert np.linalg.norm(found - exact, 2) < 2e-3


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("factor", [None, 0.25])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_the_form_in_place_takes_the_steps_of_the_reference(nesterov, factor, dtype, tolerance, rng):
    starts = [rng.standard_normal(shape) for shape in SHAPES]
    results = []
    for form, kind in (("reference", np.float64), ("inplace", dtype)):
        params, ms = [s.astype(kind) for s in starts], [np.zeros(s.shape, kind) for s in starts]
        numbers = np.random.default_rng(1)
        for _ in range(3):
            gradients = [numbers.standard_normal(p.shape).astype(kind) for p in params]
            for g in gradients:
                g.flags.writeable = False
            load(muon, form)(np, params, gradients, ms, None if factor is None else np.asarray(factor, kind), lr=0.1,
                             weight_decays=[0.1] * len(params), momentum=0.95, nesterov=nesterov, map=map)
        results.append([*params, *ms])
    for exact, ours in zip(*results, strict=True):
        assert ours.dtype == dtype
        assert np.allclose(ours, exact, atol=tolerance)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("factor", [None, 0.25])
def test_the_form_for_cupy_takes_the_steps_of_the_reference(nesterov, factor, emulate, rng):
    emulate()
    shapes = [(7, 3), (3, 7), (7, 3), (1, 5), (6, 6)]
    starts, results = [rng.standard_normal(shape) for shape in shapes], []
    for form, device in (("reference", "cpu"), ("cuda", "standin")):
        xp = get_device(device).xp
        params, ms = [to_device(s.copy(), device) for s in starts], [to_device(0 * s, device) for s in starts]
        numbers = np.random.default_rng(1)
        for _ in range(3):
            gradients = [to_device(numbers.standard_normal(shape), device) for shape in shapes]
            load(muon, form)(xp, params, gradients, ms, None if factor is None else to_device(np.array(factor), device),
                             lr=0.1, weight_decays=[0.1, 0, 0.2, 0.1, 0.1], momentum=0.95, nesterov=nesterov, map=map)
        results.append([to_numpy(a) for a in (*params, *ms)])
    for exact, ours in zip(*results, strict=True):
        assert np.allclose(ours, exact, atol=1e-12)


def test_ten_steps_agree_with_pytorch(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon")
    p = Tensor(rng.standard_normal((6, 9)).astype(np.float32), requires_grad=True)
    twin = torch.tensor(p.data.copy(), requires_grad=True)
    ours = optim.Muon([p], lr=0.01, weight_decay=0.1, matrices=[p])
    theirs = torch.optim.Muon([twin], lr=0.01, weight_decay=0.1, momentum=0.95, nesterov=True,
                              adjust_lr_fn="match_rms_adamw")
    for _ in range(10):
        g = rng.standard_normal((6, 9)).astype(np.float32)
        twin.grad = torch.tensor(g)
        ours.step([g])
        theirs.step()
    assert np.allclose(p.data, twin.detach().numpy(), atol=2e-3)            # PyTorch multiplies in bfloat16


def test_it_takes_the_matrices_of_stem_and_blocks_and_leaves_the_rest_to_adamw(rng):
    model, twin = (nn.mixer("pico", seed=1) for _ in range(2))
    gradients = [rng.standard_normal(p.shape).astype(np.float32) for p in model.parameters()]
    muon_, adamw = optim.Muon(model, 0.01), optim.AdamW(twin.parameters(), 0.01, weight_decay=0.0)
    for optimizer in (muon_, adamw):
        optimizer.step(gradients)
    for (name, ours), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
        of_muon = ours.ndim == 2 and name != "head.weight"
        assert np.allclose(ours.data, theirs.data, atol=1e-7) != of_muon, name
    sizes = {name: v.size for (name, _), v in zip(model.named_parameters(), muon_.state["v"], strict=True)}
    assert sizes["stem.weight"] == sizes["blocks.0.token_mixing.fc1.weight"] == 0
    assert sizes["head.weight"] > 0


def test_of_a_vit_it_leaves_the_positions_to_adamw():
    model = nn.build("vit-pico")
    optimizer = optim.Muon(model)
    left = [name for name, p, own in zip(optimizer.names, optimizer.params, optimizer.is_matrix, strict=True)
            if p.ndim == 2 and not own]
    assert left == ["position", "head.weight"]


@pytest.mark.parametrize("named", [True, False])
def test_it_takes_the_matrices_before_the_last_of_another_model(named):
    class Three(nn.Module):
        def __init__(self):
            self.a, self.b, self.c = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    model = Three()
    optimizer = optim.Muon(model if named else model.parameters())
    assert [p for p, own in zip(optimizer.params, optimizer.is_matrix, strict=True) if own] == [
        model.a.weight, model.b.weight]


def test_what_is_no_matrix_is_refused():
    vector = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(ValueError, match=r"among the parameters, got one of shape \(3,\): leave it out of matrices"):
        optim.Muon([vector], matrices=[vector])
    with pytest.raises(ValueError, match="before the last, and here is none: use AdamW"):
        optim.Muon([vector])


def test_it_learns_and_works_on_every_device(device, rng):
    weight = Tensor(to_device(np.zeros((5, 4), np.float32), device), requires_grad=True)
    target = to_device(rng.standard_normal((5, 4)).astype(np.float32), device)
    optimizer = optim.Muon([weight], 0.2, matrices=[weight])
    losses = []
    for _ in range(60):
        difference = weight - Tensor(target)
        loss = (difference * difference).mean()
        optimizer.step(mm.grad(loss, [weight]))
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
    assert np.isfinite(to_numpy(weight.data)).all()
