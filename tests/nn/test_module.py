import numpy as np
import pytest

import minimixer as mm
from minimixer import nn, optim
from minimixer.parallel import ShardedModel, Workers
from minimixer.tensor import Tensor
from minimixer.train import checkpoint


class Model(nn.Module):
    def __init__(self):
        self.scale = Tensor([2.0], requires_grad=True)
        self.layers = [nn.Linear(2, 3), nn.GELU(), nn.Linear(3, 1)]
        self.mean = Tensor([0.0])               # no parameter
        self.norm = nn.LayerNorm(1)


def test_parameters_are_found_in_the_order_of_the_attributes():
    assert [name for name, _ in Model().named_parameters()] == [
        "scale", "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias", "norm.weight", "norm.bias"]
    assert Model().num_parameters() == 1 + 9 + 4 + 2


def test_state_goes_out_and_in_again():
    source, target = Model(), Model()
    state = source.state_dict()
    target.load_state_dict(state)
    state["scale"][:] = 7
    assert source.scale.item() == 2
    assert np.array_equal(target.layers[0].weight.data, source.layers[0].weight.data)
    target.load_state_dict({name: a.astype(np.float16) for name, a in source.state_dict().items()})
    assert target.scale.dtype == np.float32


def test_what_is_frozen_stays_a_part_of_the_model(tmp_path):
    model, other = nn.mixer("pico", seed=1), nn.mixer("pico", seed=2)
    for m in (model, other):
        m.stem.weight.requires_grad = m.stem.bias.requires_grad = False
    assert "stem.weight" in model.state_dict()
    assert "stem.weight" not in dict(model.named_parameters())
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    checkpoint.save(tmp_path / "a.safetensors", model, optimizer, {})
    checkpoint.load(tmp_path / "a.safetensors", other, optim.SGD(other.parameters(), lr=0.1))
    assert np.array_equal(other.stem.weight.data, model.stem.weight.data)
    mm.weights.save_timm(model, tmp_path / "timm.safetensors")
    assert model.to("standin").stem.weight.device == "standin"


def test_an_activation_that_forward_keeps_is_no_part_of_the_model():
    class Keeps(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 3)

        def forward(self, x):
            self.hidden = self.layer(x)
            return self.hidden.sum()

    model = Keeps()
    state = model.state_dict()
    with mm.no_grad():
        model(Tensor(np.ones((4, 2), np.float32)))
    assert model.state_dict().keys() == state.keys()
    loss = model(Tensor(np.ones((4, 2), np.float32)))
    assert model.num_parameters() == 9
    assert len(mm.grad(loss, model.parameters())) == 2
    model.load_state_dict(state)


def test_a_frozen_model_computes_and_is_counted_as_ever():
    model = nn.mixer("pico", image_size=8, patch_size=2, in_channels=1)
    before, macs = str(nn.trace(model)), nn.count_macs(model)
    for p in model.parameters():
        p.requires_grad = False
    with pytest.raises(RuntimeError, match="reads the graph"), mm.no_grad():
        nn.trace(model)
    assert (str(nn.trace(model)), nn.count_macs(model)) == (before, macs)
    assert not model.parameters()
    with Workers(1) as workers:
        one = np.ones(1, np.float32)
        assert ShardedModel(model, workers, one / 2, one).predict(np.zeros((3, 8, 8, 1), np.uint8)).shape == (3, 10)


def test_a_shared_block_is_traced_and_the_model_is_left_as_it_was():
    model = nn.mixer("pico")
    model.blocks[1] = model.blocks[0]
    nn.trace(model)
    assert not any("forward" in vars(module) for module in model.modules())


def test_other_models_show_their_layers():
    class Other(nn.Model):
        def __init__(self):
            self.head = nn.Linear(2, 3)

    assert repr(Other()).splitlines()[-1].split() == ["head", "Linear", "2", "->", "3", "9"]


def test_a_tied_parameter_is_one_parameter():
    class Tied(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(2, 2)] * 3

    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["layers.0.weight", "layers.0.bias"]
    assert model.num_parameters() == 6
    assert "layers.2.weight" in model.state_dict()
    model.load_state_dict(model.state_dict())


def test_every_key_that_does_not_fit_is_listed_and_nothing_changes():
    model = Model()
    before = model.state_dict()
    state = model.state_dict()
    del state["scale"], state["norm.bias"]
    state["extra"] = np.zeros(3)
    state["layers.0.weight"] = np.zeros((3, 2))
    with pytest.raises(ValueError, match="do not fit") as caught:
        model.load_state_dict(state)
    for line in ("missing scale (1,)", "missing norm.bias (1,)", "unexpected extra (3,)",
                 "layers.0.weight has shape (3, 2), expected (2, 3)"):
        assert line in str(caught.value)
    assert all(np.array_equal(a, before[name]) for name, a in model.state_dict().items())


def test_train_and_eval_reach_every_module_below():
    model = Model()
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.train().modules())


def test_zero_grad_forgets():
    model = Model()
    model.scale.sum().backward()
    assert model.scale.grad is not None
    model.zero_grad()
    assert model.scale.grad is None


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Model has no forward method"):
        Model()(1)


def test_dropout_and_stochastic_depth_draw_what_they_promise(rng):
    x = Tensor(np.ones((4000, 4, 3), np.float32))
    with nn.draw_from(rng):
        dropped = nn.Dropout(0.25)(x).data
        branches = nn.StochasticDepth(0.25)(x).data
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.02)
    assert set(np.unique(branches)) == {0, 1}
    assert np.array_equal(branches.min((1, 2)), branches.max((1, 2)))       # whole images
    assert np.mean(branches == 0) == pytest.approx(0.25, abs=0.03)


def test_device_is_that_of_the_parameters():
    model = Model()
    assert model.device == "cpu"
    assert model.to("standin").device == "standin"
    assert nn.ReLU().device == "cpu"                # no parameters
    assert "device" not in vars(model)
    with pytest.raises(AttributeError):
        model.device = "gpu"


def test_relu_is_a_layer():
    x = Tensor(np.array([[-1.0, 0.0, 2.0]]), requires_grad=True)
    y = nn.ReLU()(x)
    assert np.array_equal(y.data, [[0, 0, 2]])
    y.sum().backward()
    assert np.array_equal(x.grad, [[0, 0, 1]])
    assert repr(nn.ReLU()) == "ReLU"
