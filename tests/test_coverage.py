"""No op, no function and no layer escapes the comparison with PyTorch, nor the gradient check."""

import ast
from pathlib import Path

import numpy as np
import pytest

from minimixer import functional as F
from minimixer import nn
from minimixer.tensor import Tensor
from tests.support.cases import CASES

TESTS = Path(__file__).parent
BESIDE_PYTORCH = [TESTS / "ops/test_against_pytorch.py", TESTS / "nn/test_against_pytorch.py",
                  TESTS / "nn/test_convnet.py", TESTS / "nn/test_vit.py"]
NO_TWIN = {
    "Module": "computes nothing", "Model": "computes nothing", "Dropout": "draws: tests/nn/test_module.py",
    "StochasticDepth": "draws: tests/nn/test_module.py", "Linear": "F.linear", "LayerNorm": "F.layer_norm",
    "GroupNorm": "F.group_norm", "MlpBlock": "a part of MlpMixer", "MixerBlock": "a part of MlpMixer",
    "ViTBlock": "a part of VisionTransformer", "Attention": "a part of VisionTransformer",
    "ResidualBlock": "a part of ConvNet"}


def used(name):
    """The attributes of ``name``, such as ``F``, that the files beside PyTorch mention."""
    trees = [ast.parse(path.read_text()) for path in BESIDE_PYTORCH]
    return {node.attr for tree in trees for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name}


def test_every_function_is_compared_with_pytorch():
    assert set(F.__all__) - {"GELU_FORMS", "GeluForm"} <= used("F")


def test_every_layer_is_compared_with_pytorch():
    public = {name: getattr(nn, name) for name in nn.__all__}
    layers = {name for name, thing in public.items() if isinstance(thing, type) and issubclass(thing, nn.Module)}
    assert layers - NO_TWIN.keys() <= used("nn")
    assert NO_TWIN.keys() <= layers                     # no reason outlives its layer


def test_every_public_name_is_listed():
    for room in (F, nn):
        here = {name for name, thing in vars(room).items() if not name.startswith("_") and callable(thing)
                and getattr(thing, "__module__", "").startswith(room.__name__)}
        assert here <= set(room.__all__)


def test_every_op_is_compared_with_pytorch(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from minimixer import tensor
    from tests.ops import test_against_pytorch as beside
    ran, choose = set(), tensor.choose
    monkeypatch.setattr(tensor, "choose", lambda op, *others: ran.add(op) or choose(op, *others))
    tables = [*((ours, (shape,)) for ours, _, shape, _ in beside.CASES if shape == (3, 4)),
              *((ours, ((3, 4), (3, 4))) for ours, _ in beside.OF_TWO),
              *((ours, shapes) for ours, _, shapes in beside.LAYERS)]
    for ours, shapes in tables:
        ours(*[Tensor(np.random.default_rng(0).uniform(0.5, 2, shape)) for shape in shapes])
    assert {case.op for case in CASES} <= ran


@pytest.mark.parametrize("name", F.__all__)
def test_a_function_that_is_asked_of_a_tensor_is_one_or_says_what_to_write(name):
    x = Tensor(np.ones(2))
    if name[0].islower() and name not in dir(x):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}': write minimixer.functional.{name}"):
            getattr(x, name)
