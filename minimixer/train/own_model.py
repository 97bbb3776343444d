"""A model of the user's own: what the trainer measures of it, and why one cannot be trained."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import numpy as np

from minimixer import autograd
from minimixer import functional as F
from minimixer.autograd import Node
from minimixer.backend import Array, to_device, to_numpy
from minimixer.errors import UsageError
from minimixer.files import json_text
from minimixer.nn import MODEL_CLASSES, MODELS, Model, Module, build, draw_from
from minimixer.tensor import Tensor

FREE_SIZES = {"image_size", "in_channels", "num_classes", "tokens_mlp_dim", "gelu", "dropout", "stochastic_depth"}
PROBED = 4                  # images
TOLERANCE = 1e-2            # of the gradient's norm: rounding is far below, a mean over the batch far above
SAME = 1e-5                 # of its largest number: twice the same
REFUSED = "train it by a loop of your own"


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model of the user's own; a ``nn.ModelConfig``."""

    image_size: int
    in_channels: int
    num_classes: int
    widest_array: int


def is_own(model: Module) -> bool:
    """Whether ``nn.build`` cannot make such a model, so that only its author's code can."""
    return (type(model) not in MODEL_CLASSES.values()
            or describe(build(nearest_name(cast(Model, model).config), None, **asdict(cast(Model, model).config)))
            != describe(model))


def nearest_name(config: Any) -> str:
    """The name of a model of the package with the same body; if there is none, of one of the same kind.

    The name decides the kind of the model only: ``build`` is told all sizes.
    """
    same_kind = {name: known for name, known in MODELS.items() if type(known) is type(config)}
    body = [field.name for field in fields(config) if field.name not in FREE_SIZES]
    same = [name for name, known in same_kind.items()
            if all(getattr(known, field) == getattr(config, field) for field in body)]
    usual = next(name for name in same_kind if name.endswith("micro"))
    return same[0] if same else usual


def describe(model: Module) -> dict[str, str]:
    """What a run keeps to recognize a model: its class, and a digest of its layers, names, shapes and dtypes."""
    def options(module: Module) -> dict[str, Any]:
        return {name: value for name, value in vars(module).items() if name != "training" and all(
            isinstance(each, bool | int | float | str) for each in (value if isinstance(value, tuple) else [value]))}

    parts = [[name, type(module).__qualname__, options(module)] for name, module in model.named_modules()]
    arrays = [[name, list(tensor.shape), str(tensor.dtype)] for name, tensor in model.named_tensors()]
    digest = hashlib.sha256(json_text([parts, arrays]).encode()).hexdigest()
    return {"class": type(model).__name__, "digest": f"sha256:{digest}"}


def examine(model: Module, image_size: int, channels: int, num_classes: int, device: str = "cpu") -> Sizes:
    """The sizes of a model, after a look at how it computes; it is moved to the device, and not changed otherwise.

    Four images of noise go through it, forward and backward.

    Returns
    -------
    Sizes
        The widest array is measured, unless a ``config`` of the model states it.

    Raises
    ------
    UsageError
        If it does not map images to logits, has no parameters, or computes in a way that training on shards of a
        batch, or resuming, cannot follow: state that its forward pass changes, random numbers of its own, or logits
        that depend on the other images of the batch, as with BatchNorm.
    """
    name = type(model).__name__
    params = model.parameters()
    if not params:
        raise UsageError(f"{name} has no parameters to train: assign layers, or Tensors made with requires_grad=True, "
                         "to its attributes")
    model.to(device)
    noise = np.random.default_rng(0).standard_normal((PROBED, image_size, image_size, channels))
    images = to_device(noise.astype(params[0].dtype), model.device)
    labels = to_device(np.arange(PROBED) % num_classes, model.device)
    modes = [(module, module.training) for module in model.modules()]
    before = _state(model)
    try:
        model.train()
        logits = _logits(model, images, slice(0, PROBED))
        if logits.shape != (PROBED, num_classes):
            raise UsageError(f"{name} maps images of shape {images.shape} to {logits.shape}: expected logits of shape "
                             f"{(PROBED, num_classes)}, one per class of the data")
        widest = _widest(logits, params)
        if changed := [path for path, value in _state(model).items()
                       if path in before and not np.array_equal(value, before[path], equal_nan=True)]:
            raise UsageError(f"the forward pass of {name} changes {changed[0]}: shards of a batch are computed at the "
                             "same time, and a checkpoint holds parameters only, so this state would be neither exact "
                             f"nor saved; use layers without state, such as LayerNorm or GroupNorm, or {REFUSED}")
        whole, again = (_gradient(model, images, labels, [slice(0, PROBED)], params) for _ in range(2))
        if not np.allclose(whole, again, rtol=0, atol=SAME * np.abs(whole).max(), equal_nan=True):
            raise UsageError(f"{name} computes something else each time for the same images: let it draw random "
                             "numbers by nn.Dropout or nn.StochasticDepth only, whose numbers follow from the step")
        parts = _gradient(model, images, labels, [slice(0, 1), slice(1, PROBED)], params)
        if not np.linalg.norm(parts - whole) <= TOLERANCE * np.linalg.norm(whole) and np.isfinite(whole).all():
            raise UsageError(f"what {name} computes for an image depends on the other images of the batch, as with "
                             "BatchNorm: a batch is trained in shards, whose gradients would not add up to that of the "
                             f"batch; use LayerNorm or GroupNorm, or {REFUSED}")
    finally:
        for path, array in before.items():
            _restore(model, path, array)
        for module, mode in modes:
            module.training = mode
    return Sizes(image_size, channels, num_classes, getattr(getattr(model, "config", None), "widest_array", widest))


def _logits(model: Module, images: Array, shard: slice) -> Tensor:
    """The logits of a shard, drawing what a step would draw for it.  Raises UsageError if the model cannot."""
    name, shown = type(model).__name__, images[shard].shape
    try:
        with draw_from(np.random.default_rng(0), shard, PROBED):
            logits = model(Tensor(images[shard]))
    except UsageError:                              # a layer says why it cannot work here, as BatchNorm does
        raise
    except (ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise UsageError(f"{name} cannot take images of shape {shown}, (B, H, W, channels): {error}") from error
    if not isinstance(logits, Tensor):
        raise UsageError(f"{name} returns a {type(logits).__name__} for images of shape {shown}: expected a Tensor of "
                         "logits, (B, classes)")
    if logits.node is None:
        raise UsageError(f"the logits of {name} do not depend on its parameters, so there is nothing to train: check "
                         "its forward method, and call fit outside no_grad()")
    return logits


def _gradient(model: Module, images: Array, labels: Array, shards: list[slice], params: list[Tensor]) -> np.ndarray:
    """The gradient of the summed loss, all parameters in one row, float64; summed over these shards."""
    total = np.zeros(sum(p.size for p in params))
    for shard in shards:
        loss = F.cross_entropy(_logits(model, images, shard), labels[shard], reduction="sum")
        total += np.concatenate([to_numpy(g).ravel() for g in autograd.grad(loss, params)])
    return total


def _widest(logits: Tensor, params: list[Tensor]) -> int:
    """Elements per image of the largest array of a forward pass, parameters aside."""
    weights = {id(p.data) for p in params}
    seen, stack, widest = set[Node](), [logits.node], 1
    while stack:
        node = stack.pop()
        if not isinstance(node, Node) or node in seen:
            continue
        seen.add(node)
        stack += [edge for edge in node.edges if isinstance(edge, Node)]
        kept = [array.size for array in node.saved or () if hasattr(array, "nbytes") and id(array) not in weights
                and id(getattr(array, "base", None)) not in weights]
        widest = max(widest, math.prod(node.shape), *kept)
    return -(-widest // PROBED)


def _state(model: Module) -> dict[str, Any]:
    """Copies of all arrays and numbers that the Modules hold beside their parameters, by their paths."""
    return {path: to_numpy(value.data).copy() if isinstance(value, Tensor) else
            to_numpy(value).copy() if hasattr(value, "dtype") else value for path, value in _held(model)}


def _held(model: Module) -> Iterator[tuple[str, Any]]:
    for prefix, module in model.named_modules():
        for name, value in vars(module).items():
            is_state = (isinstance(value, Tensor) and value.node is None and not value.requires_grad
                        and not value.is_parameter) or isinstance(value, np.ndarray | int | float)
            if is_state and name != "training":
                yield (f"{prefix}.{name}" if prefix else name), value


def _restore(model: Module, path: str, value: Any) -> None:
    """Put back what ``_state`` copied, if it was changed."""
    *inside, name = path.split(".")
    module = dict(model.named_modules())[".".join(inside)]
    now = getattr(module, name, None)
    if isinstance(now, Tensor):
        now.data[...] = to_device(value, now.device)
    elif isinstance(now, np.ndarray) and now.shape == value.shape and now.flags.writeable:
        now[...] = value
    else:
        setattr(module, name, value)
