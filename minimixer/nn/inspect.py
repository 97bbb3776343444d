"""Trace a Mixer: what each step computes and needs, read from the graph that one real image leaves behind."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from minimixer.autograd import Node
from minimixer.backend import Array, to_device
from minimixer.nn.mixer import MlpMixer
from minimixer.nn.model import Model
from minimixer.nn.module import Module
from minimixer.nn.random import draw_from
from minimixer.nn.trace_table import Step, Trace
from minimixer.ops.linear import Linear
from minimixer.ops.matmul import MatMul
from minimixer.tensor import Tensor

# A Mixer whose sizes all differ, so that each number in a shape identifies its axis.
DISTINCT: dict[str, Any] = {"image_size": 6, "patch_size": 2, "in_channels": 5, "hidden_dim": 7,
                            "tokens_mlp_dim": 11, "channels_mlp_dim": 13, "num_classes": 17}
LETTERS = {9: "S", 20: "P*P*{in_channels}", 7: "C", 11: "D_S", 13: "D_C", 17: "classes"}


def trace(model: MlpMixer) -> Trace:
    """Run a Mixer on one black image, as in training, and read its steps from the graph.

    Parameters
    ----------
    model : MlpMixer
        Not changed.

    Returns
    -------
    Trace

    Raises
    ------
    RuntimeError
        Under ``no_grad()``, where there is no graph.
    """
    parts, weight_bytes = _run(model)
    twin = MlpMixer(replace(model.config, **DISTINCT), seed=None)
    lettered = [[replace(step, axes=tuple(LETTERS[n].format(in_channels=model.config.in_channels)
                                     for n in twin_step.shape))
                 for step, twin_step in zip(part, twin_part, strict=True)]
                for part, twin_part in zip(parts, _run(twin)[0], strict=True)]
    return Trace(lettered[0], lettered[1:-1], lettered[-1], weight_bytes)


def _run(model: MlpMixer) -> tuple[list[list[Step]], int]:
    """The steps up to the first block, of each block, and after the last; and the bytes of the weights."""
    with _all_trained(model), _results(model) as results:
        logits, image = _one_image(model)
    layers = {node: name for name, module, node in results if len(list(module.modules())) == 1}
    ends = {node for _, module, node in results if module is model.stem or module in model.blocks}
    weights = {id(_memory(t.data)): t.data.nbytes for _, t in model.named_tensors()}
    known = {*weights, id(_memory(image.data))}
    parts: list[list[Step]] = [[]]
    for node in _in_order(logits):
        name = layers.get(node) or node.op.__name__.lower()
        parts[-1].append(_step(re.sub(r"^blocks\.\d+\.", "", name), node, image, known))
        if node in ends:
            parts.append([])
    return parts, sum(weights.values())


def count_macs(model: Model) -> int:
    """Multiply-adds per image of any model, in its Linear layers and ``@``.

    Raises RuntimeError under ``no_grad()``, as ``trace``.
    """
    return sum(_macs(node) for node in _in_order(_one_image(model)[0]))


def _one_image(model: Model) -> tuple[Node, Tensor]:
    """Run a model on one black image, as in training: the Node of its logits, and the image."""
    size, channels = model.config.image_size, model.config.in_channels
    image = Tensor(to_device(np.zeros((1, size, size, channels), np.float32), model.device),
                   requires_grad=True)                          # otherwise the graph would begin after the patches
    modes = [(module, module.training) for module in model.modules()]
    try:
        with draw_from(np.random.default_rng(0)):
            logits = model.train()(image)
    finally:
        for module, mode in modes:
            module.training = mode
    if logits.node is None:
        raise RuntimeError("a trace reads the graph, and under no_grad() there is none: call it outside")
    return logits.node, image


def _macs(node: Node) -> int:
    """Multiply-adds of one op: elements of its result times the length of each sum."""
    op = node.op
    if op not in (Linear, MatMul) or node.saved is None:
        return 0
    return math.prod(node.shape) * node.saved[1].shape[-2]          # both save their second factor, (..., k, m)


@contextmanager
def _all_trained(model: Module) -> Iterator[None]:
    """Within this block, frozen parameters count as parameters too."""
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
    """Record name, Module and resulting Node of every ``forward`` call within this block."""
    results: list[tuple[str, Module, Any]] = []

    def watch(name: str, module: Module, forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def watched(*inputs: Any) -> Tensor:
            y = forward(*inputs)
            if not any(y is x for x in inputs):                 # a Dropout of rate 0 returns its input
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
    """A Node and all that it depends on, in topological order."""
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


def _step(name: str, node: Node, image: Tensor, known: set[int]) -> Step:
    """The Step of a Node; memory in ``known`` is already counted, and the Node's own is added to it."""
    parameters = [edge for edge in node.edges if isinstance(edge, Tensor) and edge is not image]
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
