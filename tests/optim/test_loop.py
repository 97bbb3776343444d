"""A loop of one's own: backward, step, zero_grad."""

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer import nn, optim
from minimixer.tensor import Tensor

OPTIMIZERS = [lambda params: optim.SGD(params, 0.1), lambda params: optim.AdamW(params, 0.1),
              lambda params: optim.Muon(params, 0.1)]


def net():
    nn.seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))


def loss_of(model):
    return F.cross_entropy(model(Tensor(np.eye(2, dtype=np.float32))), np.array([0, 2]))


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_module_and_its_parameters_and_gradients_make_the_same_steps(make):
    states = []
    for of, own_gradients in ((lambda model: model, False), (nn.Module.parameters, False), (nn.Module.parameters, True),
                              (lambda model: iter(model.parameters()), False)):
        model = net()
        optimizer = make(of(model))
        for _ in range(3):
            if own_gradients:
                optimizer.step(mm.grad(loss_of(model), model.parameters()))
            else:
                optimizer.zero_grad()
                loss_of(model).backward()
                optimizer.step()
        states.append(model.state_dict())
    for state in states[1:]:
        assert all(np.array_equal(array, states[0][name]) for name, array in state.items())


def test_zero_grad_forgets_and_without_it_gradients_add_up():
    model = net()
    optimizer = optim.SGD(model, 0.1)
    loss_of(model).backward()
    once = [p.grad.copy() for p in model.parameters()]
    loss_of(model).backward()
    assert all(np.allclose(p.grad, 2 * g) for p, g in zip(model.parameters(), once, strict=True))
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_a_step_without_gradients_says_what_is_missing_and_changes_nothing():
    model = net()
    optimizer = optim.AdamW(model)
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"^0\.weight of shape \(2, 4\) has no \.grad, nor has any other .*call loss"):
        optimizer.step()
    loss_of(model).backward()
    model[2].weight.grad = None
    with pytest.raises(ValueError, match=r"^2\.weight .*the loss did not depend on it: .*grad\(loss, optim"):
        optimizer.step()
    model[2].weight.requires_grad = False
    with pytest.raises(ValueError, match=r"^2\.weight .*it was frozen: make the optimizer after that"):
        optimizer.step()
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    assert optimizer.step_count == 0


def test_the_graph_of_a_step_that_was_made_is_refused():
    model = net()
    optimizer = optim.SGD(model, 0.1)
    loss, late = loss_of(model), loss_of(model)
    loss.backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="was changed in place after the forward pass"):
        late.backward()


@pytest.mark.parametrize(("params", "error", "message"), [
    (Tensor([1.0], requires_grad=True), TypeError, r"one Tensor, expected a Module or a list of Tensors: \[x\]"),
    (net().parameters, TypeError, r"a function, expected .*: call it, model\.parameters\(\)"),
    ([np.ones(2)], TypeError, "parameter 0 is a ndarray, expected a Tensor"),
    ([nn.Linear(1, 1)], TypeError, r"parameter 0 is a Linear, expected a Tensor: .*model\.parameters\(\)"),
    ([Tensor([1.0])], ValueError, r"parameter 0 of shape \(1,\) is a Tensor without a gradient, expected"),
    ([Tensor([1.0], requires_grad=True) * 2], ValueError, "parameter 0 of shape .* is a result"),
    ([Tensor([1.0], requires_grad=True)] * 2, ValueError, "parameter 1 is the same Tensor as parameter 0"),
    (nn.ReLU(), ValueError, "there is nothing to optimize")])
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_what_cannot_be_optimized_gets_a_sentence(make, params, error, message):
    with pytest.raises(error, match=message):
        make(params)


def test_muon_says_that_a_small_model_has_no_matrix_for_it():
    with pytest.raises(ValueError, match="before the last, and here is none: use AdamW"):
        optim.Muon(nn.Linear(2, 3))
