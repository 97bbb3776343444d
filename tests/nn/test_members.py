"""What a Module finds in its attributes, and what it refuses rather than lose."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.tensor import Tensor


class Holds(nn.Module):
    """A Module with one attribute."""

    def __init__(self, thing):
        self.thing = thing

    def forward(self, x):
        return x


class Nested(nn.Module):
    def __init__(self):
        self.heads = {"color": nn.Linear(2, 3), "sizes": [nn.Linear(2, 1), None, (nn.ReLU(), nn.Linear(1, 1))]}
        self.scales = [Tensor([1.0], requires_grad=True), {2: Tensor([2.0], requires_grad=True)}]
        self.net = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 1)))
        self.average = nn.Buffer(np.zeros(3, np.float32))
        self.sizes, self.name, self.table = {"a": [1, 2]}, "x", np.ones(3)

    def forward(self, x):
        return self.heads["color"](x)


NAMES = ["heads.color.weight", "heads.color.bias", "heads.sizes.0.weight", "heads.sizes.0.bias",
         "heads.sizes.2.1.weight", "heads.sizes.2.1.bias", "scales.0", "scales.1.2", "net.0.weight", "net.0.bias",
         "net.1.1.weight", "net.1.1.bias"]


def test_modules_and_tensors_in_dicts_and_nested_lists_are_parameters():
    model = Nested()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [name for name, _ in model.named_modules()] == [
        "", "heads.color", "heads.sizes.0", "heads.sizes.2.0", "heads.sizes.2.1", "net", "net.0", "net.1", "net.1.0",
        "net.1.1"]
    assert model.num_parameters() == 9 + 3 + 2 + 2 + 12 + 4
    assert not model.eval().heads["sizes"][2][1].training
    assert {t.device for _, t in model.to("standin").named_tensors()} == {"standin"}
    assert model.to("cpu").heads["sizes"][0].weight.device == "cpu"


def test_a_buffer_is_saved_and_moved_but_not_trained():
    model, other = Nested(), Nested()
    model.average.data = np.arange(3, dtype=np.float32)
    assert list(model.state_dict()) == [*NAMES, "average"]
    other.load_state_dict(model.state_dict())
    assert other.average.data.tolist() == [0, 1, 2]
    assert other.to("standin").average.device == "standin"
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert isinstance(twin.average, nn.Buffer)
        assert list(twin.state_dict()) == [*NAMES, "average"]
    with pytest.raises(ValueError, match="a Buffer is not trained: use Tensor"):
        nn.Buffer([1.0], requires_grad=True)


def test_a_shared_layer_is_counted_once_and_a_shared_parameter_too():
    shared = nn.Linear(2, 2)
    model = Holds({"a": shared, "b": [shared]})
    assert model.num_parameters() == 6
    assert len(mm.optim.AdamW(model).params) == 2
    assert [name for name, _ in model.named_tensors()] == [
        "thing.a.weight", "thing.a.bias", "thing.b.0.weight", "thing.b.0.bias"]
    assert str(model).splitlines()[-1].split() == ["thing.b.0", "Linear,", "shared"]


class NoModule:
    def __init__(self):
        self.layers = [nn.Linear(1, 1)]


class OfTheClass(nn.Module):
    layer = nn.Linear(1, 1)


class Cyclic(nn.Module):
    def __init__(self):
        self.child = Holds([self])


def two(kind):
    return kind([nn.ReLU(), nn.Linear(1, 1)])


@pytest.mark.parametrize(("model", "message"), [
    (Holds(two(set)), r"Holds\.thing is a set with a (ReLU|Linear) in it, .*use a list, a tuple or a dict, or"),
    (Holds(two(frozenset)), "thing is a frozenset with a"),
    (Holds(np.array([nn.ReLU(), nn.ReLU()], object)), "thing is a ndarray with a ReLU in it"),
    (Holds(SimpleNamespace(head=nn.ReLU())), "thing is a SimpleNamespace with a ReLU in it, which would be neither"),
    (Holds([NoModule()]), r"thing\.0 is a NoModule with a Linear in it, .*make a Module of it, class NoModule"),
    (Holds({"a": [{nn.ReLU()}]}), r"thing\.a\.0 is a set with a ReLU in it"),
    (Holds(layer for layer in two(list)), "is a generator, which is empty once it was read: make it a list"),
    (Holds(map(nn.Linear, (1,), (1,))), "thing is a map, which is empty"),
    (Holds({"a.b": nn.ReLU()}), r"thing\['a\.b'\] holds a ReLU, .*expected a string without a dot"),
    (Holds({1: nn.ReLU(), "1": nn.ReLU()}), r"thing\['1'\] holds a ReLU, .*and each once"),
    (Holds({(1, 2): Tensor([1.0], requires_grad=True)}), r"thing\[\(1, 2\)\] holds a Tensor, whose name"),
    (OfTheClass(), "layer is an attribute of the class OfTheClass, which all its objects share: assign"),
    (Cyclic(), "is a Module that contains this (Cyclic|Holds) itself: keep the outer one out of"),
    (Holds(0.1 * Tensor([1.0], requires_grad=True)), r"thing is the result of Multiply on a Tensor of shape \(1,\)"),
    (Holds([Tensor([1.0], requires_grad=True).exp()]), r"thing\.0 is the result of Exp .*make the Tensor last")],
    ids=range(15))
def test_what_would_be_lost_is_refused(model, message):
    for walk in (model.parameters, model.state_dict, lambda: mm.optim.AdamW(model)):
        with pytest.raises((TypeError, ValueError), match=message):
            walk()


@pytest.mark.parametrize("thing", [
    {1, 2}, {"a": {3}}, range(3), np.ones(3), np.array([1, None], object), SimpleNamespace(rate=0.1), iter([1]),
    "layer", Tensor([1.0]), SimpleNamespace(x=Tensor([1.0])), nn.Linear, lambda x: x], ids=range(12))
def test_what_holds_no_parameter_is_left_alone(thing):
    assert Holds(thing).parameters() == []
    assert Holds(thing).state_dict() == {}


def test_an_optimizer_a_callback_and_an_activation_may_be_kept():
    model = Holds(nn.Linear(2, 1))
    model.optimizer = mm.optim.SGD(model, 0.1)
    model.callback, model.hooks = SimpleNamespace(model=model, last=model.thing), {model.thing}
    model.last = model.thing(Tensor(np.ones((1, 2), np.float32)))
    assert model.num_parameters() == 3


def test_sequential_is_a_module_of_its_layers():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert (len(net), net[0], list(net)[1]) == (2, net.layers[0], net.layers[1])
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias"]
    assert nn.Sequential()(3) == 3
    with pytest.raises(TypeError, match=r"layer 0 is a list, expected a Module: write Sequential\(\*layers\)"):
        nn.Sequential([nn.ReLU()])
    with pytest.raises(TypeError, match=r"layer 1 is a function, expected a Module, such as nn\.ReLU"):
        nn.Sequential(nn.ReLU(), mm.functional.relu)


def test_forward_takes_named_arguments():
    class Scaled(nn.Module):
        def forward(self, x, scale=1.0):
            return x * scale

    assert Scaled()(Tensor([2.0]), scale=3.0).item() == 6


def test_print_shows_every_layer_of_any_module():
    model = Nested()
    model.heads["color"].weight.requires_grad = False
    lines = [line.split() for line in str(model).splitlines()]
    assert lines[0] == ["Nested:", "26", "parameters"]
    assert ["heads.color", "Linear", "2", "->", "3", "3"] in lines
    assert ["net.1.0", "Tanh"] in lines
    assert ["scales.1.2", "parameter", "(1,)", "1"] in lines
    assert ["average", "buffer", "(3,)"] in lines
    frozen = Tensor([1.0, 2.0], requires_grad=True)
    frozen.requires_grad = False
    assert str(Holds(frozen)).splitlines()[-1].split() == ["thing", "frozen", "(2,)"]
    assert sum(int(line[-1]) for line in lines[3:] if line[-1].isdigit() and len(line) > 2) == model.num_parameters()
    assert str(Holds(3)) == "Holds"
    assert "stem" in str(Holds(nn.build("vit-pico")))           # a whole model inside another
