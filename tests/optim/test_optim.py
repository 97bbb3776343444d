import math

import numpy as np
import pytest

import minimixer as mm
from minimixer import optim
from minimixer.backend import DeviceError, to_device, to_numpy
from minimixer.tensor import Tensor


def parameters(rng, *shapes):
    return [Tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]


SGD_OPTIONS = [{}, {"momentum": 0.0}, {"nesterov": True}, {"weight_decay": 0.1, "nesterov": True}]
ADAMW_OPTIONS = [{}, {"weight_decay": 0.3}, {"betas": (0.8, 0.9), "eps": 1e-3}]


@pytest.mark.parametrize(("ours", "theirs", "options"), [
    *(("SGD", "SGD", {"lr": 0.1, "momentum": 0.9, **options}) for options in SGD_OPTIONS),
    *(("AdamW", "AdamW", {"lr": 0.1, "weight_decay": 0.01, **options}) for options in ADAMW_OPTIONS)])
def test_ten_steps_agree_with_pytorch(ours, theirs, options, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    params = parameters(rng, (3, 4), (4,))
    twins = [torch.tensor(p.data.copy(), requires_grad=True) for p in params]
    optimizer, twin = getattr(optim, ours)(params, **options), getattr(torch.optim, theirs)(twins, **options)
    for _ in range(10):
        gradients = [rng.standard_normal(p.shape) for p in params]
        for t, g in zip(twins, gradients, strict=True):
            t.grad = torch.tensor(g)
        optimizer.step(gradients)
        twin.step()
    for p, t in zip(params, twins, strict=True):
        assert np.allclose(p.data, t.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_vectors_can_be_spared_from_decay(rng):
    matrix, vector = parameters(rng, (2, 2), (2,))
    before = matrix.data.copy(), vector.data.copy()
    optim.AdamW([matrix, vector], lr=0.1, weight_decay=0.5, decay_vectors=False).step([np.zeros((2, 2)), np.zeros(2)])
    assert np.allclose(matrix.data, before[0] * 0.95)
    assert np.array_equal(vector.data, before[1])


def test_step_uses_grad_and_misses_it(rng):
    (p,) = parameters(rng, (2,))
    optimizer = optim.SGD([p], lr=1.0, momentum=0.0)
    with pytest.raises(ValueError, match=r"no \.grad.*loss\.backward\(\)"):
        optimizer.step()
    assert optimizer.step_count == 0
    before = p.data.copy()
    p.sum().backward()
    optimizer.step()
    assert np.allclose(p.data, before - 1)
    with pytest.raises(ValueError, match="2 gradients for 1 parameters"):
        optimizer.step([p.data, p.data])


@pytest.mark.parametrize("make", [optim.SGD, optim.AdamW])
def test_gradients_of_another_shape_or_place_change_nothing(make, rng):
    (p,) = parameters(rng, (2, 3))
    before = p.data.copy()
    optimizer = make([p], lr=0.1)
    for shape in ((3, 2), (3,), (1,)):
        with pytest.raises(ValueError, match=r"gradient of parameter 0 has shape .* expected that .* \(2, 3\)"):
            optimizer.step([np.ones(shape)])
    assert np.array_equal(p.data, before)
    p.data = to_device(p.data, "standin")                   # as Module.to does, after the optimizer was made
    with pytest.raises(DeviceError, match="operands live on two devices"):
        optimizer.step([to_device(before, "standin")])
    assert optimizer.step_count == 0


@pytest.mark.parametrize("make", [lambda: optim.AdamW([]), lambda: optim.SGD([Tensor([1.0])], lr=-1)])
def test_senseless_optimizers_are_refused(make):
    with pytest.raises(ValueError, match=r"expected numbers|nothing to optimize"):
        make()


def test_a_generator_is_as_good_as_a_list(rng):
    params = parameters(rng, (2, 3), ())
    (params[0].sum() * params[1]).backward()
    gradients = [p.grad for p in params]
    expected = optim.clip_factor(gradients, 0.1)
    assert optim.clip_factor((g for g in gradients), 0.1) == expected
    clipped, norm = optim.clip_by_global_norm((g for g in gradients), 0.1)
    assert norm == expected[1]
    assert all(type(g) is np.ndarray for g in clipped)
    optim.AdamW(params).step(g / 2 for g in gradients)
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert len(mm.grad((x * x).sum(), (p for p in [x]))) == 1
    with pytest.raises(TypeError, match=r"one Tensor, expected a list of them: grad\(loss, \[x\]\)"):
        mm.grad((x * x).sum(), x)


def test_clipping_scales_all_gradients_by_one_factor(rng):
    gradients = [rng.standard_normal((3, 4)), rng.standard_normal(5)]
    before = [g.copy() for g in gradients]
    norm = math.sqrt(sum((g**2).sum() for g in gradients))
    clipped, found = mm.optim.clip_by_global_norm(gradients, 0.5)
    assert found == pytest.approx(norm)
    assert math.sqrt(sum((g**2).sum() for g in clipped)) == pytest.approx(0.5, rel=1e-5)
    assert all(np.allclose(c / g, c.flat[0] / g.flat[0]) for c, g in zip(clipped, gradients, strict=True))
    assert all(np.array_equal(g, b) for g, b in zip(gradients, before, strict=True))
    same, _ = mm.optim.clip_by_global_norm(gradients, 2 * norm)
    assert all(np.array_equal(s, g) for s, g in zip(same, gradients, strict=True))
    with pytest.raises(ValueError, match="positive"):
        mm.optim.clip_by_global_norm(gradients, 0)


@pytest.mark.parametrize(("kind", "expected"), [
    ("constant", [0.5, 1, 1, 1, 1, 1, 1]),
    ("linear", [0.5, 1, 1, 0.75, 0.5, 0.25, 0]),
    ("cosine", [0.5, 1, 1, 0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125), 0])])
def test_schedules(kind, expected):
    schedule = optim.Schedule(kind, peak=1.0, total_steps=7, warmup_steps=2)
    assert [schedule(step) for step in range(7)] == pytest.approx(expected, abs=1e-12)
    assert schedule(100) == pytest.approx(expected[-1], abs=1e-12)


def test_senseless_schedules_are_refused():
    with pytest.raises(ValueError, match=r"'step'.*expected 'cosine'"):
        optim.Schedule("step", 1.0, 10)
    with pytest.raises(ValueError, match="warm-up of 11 steps"):
        optim.Schedule("cosine", 1.0, 10, warmup_steps=11)


def test_averaged_weights_are_the_exponential_mean_with_its_warm_up(device):
    data = to_device(np.array([1.0, 2.0]), device)
    parameter = mm.Tensor(data, requires_grad=True)
    average = optim.EMA([parameter], decay=0.5)
    expected = np.array([1.0, 2.0])
    for step in range(1, 20):
        parameter.data += 1
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * to_numpy(parameter.data)
    np.testing.assert_allclose(to_numpy(average.means[0]), expected, rtol=1e-12)
    own = parameter.data
    with average.in_place_of_parameters():
        assert parameter.data is average.means[0]
    assert parameter.data is own
    with pytest.raises(ValueError, match="decay is 1"):
        optim.EMA([parameter], 1)
