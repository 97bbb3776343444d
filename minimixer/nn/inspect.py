"""What a Mixer computes and what it needs, step by step, read from the graph that one real picture leaves behind."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minimixer.autograd import Node
from minimixer.backend import Array, to_device
from minimixer.kernels.registry import reference_of
from minimixer.nn.mixer import MlpMixer
from minimixer.nn.model import Model
from minimixer.nn.module import Module, where
from minimixer.nn.random import draw_from
from minimixer.nn.summary import alike, blocks_title
from minimixer.ops.linear import Linear
from minimixer.ops.matmul import MatMul
from minimixer.tensor import Tensor

# A Mixer whose sizes all differ: in its shapes every number says which axis it is.
DISTINCT: dict[str, Any] = {"image_size": 6, "patch_size": 2, "in_channels": 5, "hidden_dim": 7,
                            "tokens_mlp_dim": 11, "channels_mlp_dim": 13, "num_classes": 17}
LETTERS = {9: "S", 20: "P*P*{in_channels}", 7: "C", 11: "D_S", 13: "D_C", 17: "classes"}


@dataclass(frozen=True)
class Step:
    """One op that ran.

    Attributes
    ----------
    name : str
        The layer that ran it, such as ``token_mixing.fc1``, or the op where no layer stands for it: ``swapaxes``.
    shape : tuple of int
        Of the result for one picture, without the batch axis.
    axes : tuple of str
        What its axes are: S, C, D_S, D_C, ...
    parameters : int
        Numbers that this op takes from the model.
    macs : int
        Multiplications with an addition, for one picture; those of Linear layers are counted.
    kept_bytes : int
        What it keeps for the way back, for one picture, that no earlier step keeps already.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    parameters: int
    macs: int
    kept_bytes: int


@dataclass(frozen=True)
class Trace:
    """Every step of a Mixer in the order in which they ran; ``print`` it for a table.

    Attributes
    ----------
    first : list of Step
        Before the blocks.
    blocks : list of list of Step
    last : list of Step
        After the blocks.
    weight_bytes : int
        Memory of the parameters.
    """

    first: list[Step]
    blocks: list[list[Step]]
    last: list[Step]
    weight_bytes: int

    @property
    def steps(self) -> list[Step]:
        """All of them."""
        return [*self.first, *(step for block in self.blocks for step in block), *self.last]

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        return sum(step.parameters for step in self.steps)

    @property
    def macs(self) -> int:
        """Of the whole model, for one picture."""
        return sum(step.macs for step in self.steps)

    @property
    def kept_bytes(self) -> int:
        """Memory of the activations that one picture needs in training."""
        return sum(step.kept_bytes for step in self.steps)

    def __str__(self) -> str:
        lines = [_line("step", "shape of the result", "parameters", "MACs", "kept")]
        lines += [_step_line(step) for step in self.first]
        for numbers, block in alike(self.blocks):
            lines.append(f"blocks.{numbers[0]}")
            lines += [_step_line(step, "  ") for step in block]
            if len(rest := numbers[1:]):
                lines.append(_line(f"{blocks_title(rest)}: the same, together", "", *_figures(block * len(rest))))
        lines += [_step_line(step) for step in self.last]
        return "\n".join([*lines, _line("all", "", *_figures(self.steps))])


def trace(model: MlpMixer) -> Trace:
    """Run a Mixer on one black picture, as in training, and read from its graph what it did.

    Parameters
    ----------
    model : MlpMixer
        It is not changed.

    Returns
    -------
    Trace

    Raises
    ------
    RuntimeError
        Under ``no_grad()``, where no graph is left.
    """
    parts, weight_bytes = _run(model)
    twin = MlpMixer(replace(model.config, **DISTINCT), seed=None)
    lettered = [[replace(step, axes=tuple(LETTERS[n].format(in_channels=model.config.in_channels)
                                     for n in twin_step.shape))
                 for step, twin_step in zip(part, twin_part, strict=True)]
                for part, twin_part in zip(parts, _run(twin)[0], strict=True)]
    return Trace(lettered[0], lettered[1:-1], lettered[-1], weight_bytes)


def _run(model: MlpMixer) -> tuple[list[list[Step]], int]:
    """The steps up to the first block, those of each block, and those after the last; bytes of the weights."""
    with _all_trained(model), _results(model) as results:
        logits, picture = _one_picture(model)
    layers = {node: name for name, module, node in results if len(list(module.modules())) == 1}
    ends = {node for _, module, node in results if module is model.stem or module in model.blocks}
    weights = {id(_memory(t.data)): t.data.nbytes for _, t in model.named_tensors()}
    known = {*weights, id(_memory(picture.data))}
    parts: list[list[Step]] = [[]]
    for node in _in_order(logits):
        name = layers.get(node) or reference_of(node.op).__name__.lower()
        parts[-1].append(_step(re.sub(r"^blocks\.\d+\.", "", name), node, picture, known))
        if node in ends:
            parts.append([])
    return parts, sum(weights.values())


def count_macs(model: Model) -> int:
    """Multiplications with an addition that any model makes for one picture: of Linear layers and of ``@``.

    Raises RuntimeError under ``no_grad()``, as ``trace``.
    """
    return sum(_macs(node) for node in _in_order(_one_picture(model)[0]))


def _one_picture(model: Model) -> tuple[Node, Tensor]:
    """Run a model on one black picture, as in training: the Node of its logits, and the picture."""
    size, channels = model.config.image_size, model.config.in_channels
    picture = Tensor(to_device(np.zeros((1, size, size, channels), np.float32), where(model)),
                     requires_grad=True)                        # else the graph would begin behind the patches
    modes = [(module, module.training) for module in model.modules()]
    try:
        with draw_from(np.random.default_rng(0)):
            logits = model.train()(picture)
    finally:
        for module, mode in modes:
            module.training = mode
    if logits.node is None:
        raise RuntimeError("a trace reads the graph, and under no_grad() there is none: call it outside")
    return logits.node, picture


def _macs(node: Node) -> int:
    """Of one op: elements of its result times the length of the sums that they are."""
    op = reference_of(node.op)
    if op not in (Linear, MatMul) or node.saved is None:
        return 0
    return math.prod(node.shape) * node.saved[1].shape[-2]          # both keep their second factor, (..., k, m)


@contextmanager
def _all_trained(model: Module) -> Iterator[None]:
    """Within this block what is frozen is not: its numbers are parameters too."""
    frozen = [tensor for _, tensor in model.named_tensors() if not tensor.requires_grad]
    for tensor in frozen:
        tensor.requires_grad = True
    try:
        yield
    finally:
        for tensor in frozen:
            tensor.requires_grad = False


@contextmanager
def _results(model: Module) -> Iterator[list[tuple[str, Module, Any]]]:
    """Name and Module of every ``forward`` that returns within this block, and the Node that it returned."""
    results: list[tuple[str, Module, Any]] = []

    def watch(name: str, module: Module, forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def watched(*inputs: Any) -> Tensor:
            y = forward(*inputs)
            if not any(y is x for x in inputs):                 # a Dropout of rate 0 hands on what it was given
                results.append((name, module, y.node))
            return y
        return watched

    watching = {id(module): (name, module) for name, module in model.named_modules()}      # a shared one once
    for name, module in watching.values():
        module.forward = watch(name, module, module.forward)    # type: ignore[method-assign]
    try:
        yield results
    finally:
        for _, module in watching.values():
            del module.forward


def _in_order(last: Node) -> Iterator[Node]:
    """The Nodes behind this one and itself, each after those whose results it takes."""
    seen: set[Node] = set()
    stack = [(last, False)]
    while stack:
        node, arguments_done = stack.pop()
        if arguments_done:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(edge, False) for edge in reversed(node.edges) if isinstance(edge, Node)]


def _step(name: str, node: Node, picture: Tensor, known: set[int]) -> Step:
    """What a Node says of the op that ran; ``known`` is the memory that others keep, to which its own is added."""
    parameters = [edge for edge in node.edges if isinstance(edge, Tensor) and edge is not picture]
    kept = 0
    for array in node.saved or ():
        if hasattr(array, "nbytes") and id(memory := _memory(array)) not in known:
            known.add(id(memory))
            kept += memory.nbytes
    return Step(name, node.shape[1:], (), sum(p.size for p in parameters), _macs(node), kept)


def _memory(array: Array) -> Array:
    """The array that owns the memory of a view."""
    while isinstance(array.base, type(array)):
        array = array.base
    return array


def _step_line(step: Step, indent: str = "") -> str:
    shape = ", ".join(["B", *(f"{axis}={n}" for axis, n in zip(step.axes, step.shape, strict=True))])
    return _line(indent + step.name, f"({shape})", *_figures([step]))


def _figures(steps: Sequence[Step]) -> tuple[str, str, str]:
    parameters, macs, kept = (sum(getattr(step, what) for step in steps) for what in ("parameters", "macs",
                                                                                     "kept_bytes"))
    return f"{parameters:,}" if parameters else "", short(macs) if macs else "", short(kept, "B") if kept else ""


def _line(step: str, shape: str, parameters: str, macs: str, kept: str) -> str:
    if not shape:
        return f"{step:<47}{parameters:>12}{macs:>9}{kept:>9}"
    return f"{step:<25}{shape:<22}{parameters:>12}{macs:>9}{kept:>9}".rstrip()


def short(number: float, unit: str = "") -> str:
    """A number with three digits and k, M or G: 12.6 G, 4.53 MB."""
    power = next((power for power in range(3) if number < 999.5 * 1000**power), 3)
    return f"{number / 1000**power:.3g} {('', 'k', 'M', 'G')[power]}{unit}".rstrip()
