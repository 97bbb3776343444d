"""Trace a model: what each step computes and needs, read from the graph that one real example leaves behind."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from minimixer.autograd import Node
from minimixer.backend import Array, to_device
from minimixer.nn.members import Buffer
from minimixer.nn.mixer import MlpMixer
from minimixer.nn.module import Module
from minimixer.nn.random import draw_from
from minimixer.nn.trace_table import Step, Trace
from minimixer.ops.einsum import Einsum
from minimixer.ops.linear import Linear
from minimixer.ops.matmul import MatMul
from minimixer.tensor import Tensor

# A Mixer whose sizes all differ, so that each number in a shape identifies its axis.
DISTINCT: dict[str, Any] = {"image_size": 6, "patch_size": 2, "in_channels": 5, "hidden_dim": 7,
                            "tokens_mlp_dim": 11, "channels_mlp_dim": 13, "num_classes": 17}
LETTERS = {9: "S", 20: "P*P*{in_channels}", 7: "C", 11: "D_S", 13: "D_C", 17: "classes"}


def trace(model: Module, *inputs: Any) -> Trace:
    """Run a model on one example, as in training, and read its steps from the graph.

    Parameters
    ----------
    model : Module
        Not changed.
    *inputs : Tensor, array or others
        What ``forward`` takes; the figures are of all of it, so give a batch of one.  A model of images with a
        ``config``, such as a Mixer, is run on one black image if there are none.

    Returns
    -------
    Trace
        Of a Mixer on its black image, the axes have letters.

    Raises
    ------
    TypeError
        If the model needs inputs, or its result is no Tensor or several.
    RuntimeError
        Under ``no_grad()``, where there is no graph.
    """
    if inputs or not isinstance(model, MlpMixer):
        parts, weight_bytes = _run(model, inputs)
        return Trace(parts[0], parts[1:-1], parts[-1] if len(parts) > 1 else [], weight_bytes)
    parts, weight_bytes = _run(model, inputs, skip=1)
    twin = MlpMixer(replace(model.config, **DISTINCT), seed=None)
    lettered = [[replace(step, axes=tuple(LETTERS[n].format(in_channels=model.config.in_channels)
                                     for n in twin_step.shape))
                 for step, twin_step in zip(part, twin_part, strict=True)]
                for part, twin_part in zip(parts, _run(twin, inputs, skip=1)[0], strict=True)]
    return Trace(lettered[0], lettered[1:-1], lettered[-1], weight_bytes)


def _run(model: Module, inputs: Sequence[Any], skip: int = 0) -> tuple[list[list[Step]], int]:
    """The steps up to the first block, of each block, and after the last; and the bytes of the weights.

    The first ``skip`` axes of every shape are left out.
    """
    with _all_trained(model), _results(model) as results:
        last, leaves = _one_example(model, inputs)
    layers = {node: name for name, module, _, node in results if len(list(module.modules())) == 1}
    blocks = [(before, node) for name, _, before, node in results if re.fullmatch(r"blocks\.\d+", name)]
    ends = {node for _, node in blocks} | {before for before, _ in blocks[:1]}
    weights = {id(_memory(t.data)): t.data.nbytes for _, t in model.named_tensors()}
    known = {*weights, *(id(_memory(leaf.data)) for leaf in leaves)}
    counted = set(leaves)
    parts: list[list[Step]] = [[], []] if None in ends else [[]]        # a block may be the first step
    for node in _in_order(last):
        name = layers.get(node) or node.op.__name__.lower()
        parts[-1].append(_step(re.sub(r"^blocks\.\d+\.", "", name), node, counted, known, skip))
        if node in ends:
            parts.append([])
    return parts, sum(weights.values())


def count_macs(model: Module, *inputs: Any) -> int:
    """Multiply-adds of any model for an example, in its Linear layers, ``@`` and einsum; all as in ``trace``."""
    return sum(_macs(node) for node in _in_order(_one_example(model, inputs)[0]))


def _one_example(model: Module, inputs: Sequence[Any]) -> tuple[list[Node], list[Tensor]]:
    """Run a model on an example, as in training: the Nodes of its results, and the Tensors that were its inputs."""
    examples = list(inputs) or [_black_image(model)]
    for i, x in enumerate(examples):
        array = x.data if isinstance(x, Tensor) else x
        if hasattr(array, "dtype") and array.dtype.kind == "f":         # otherwise the graph would begin at the weights
            examples[i] = Tensor(to_device(array, model.device), requires_grad=True)
    modes = [(module, module.training) for module in model.modules()]
    averages = [(t, t.data) for _, t in model.named_tensors() if isinstance(t, Buffer)]
    try:
        with draw_from(np.random.default_rng(0)):
            result = model.train()(*examples)
    finally:
        for module, mode in modes:
            module.training = mode
        for buffer, data in averages:
            buffer.data = data
    found = _tensors_in(result)
    if not found:
        raise TypeError(f"{type(model).__name__} returned a {type(result).__name__}, expected a Tensor, or a tuple, "
                        "list or dict of them")
    nodes = [y.node for y in found if y.node is not None]
    if not nodes:
        raise RuntimeError("a trace reads the graph, and under no_grad() there is none: call it outside")
    return nodes, [x for x in examples if isinstance(x, Tensor)]


def _black_image(model: Module) -> Array:
    config: Any = getattr(model, "config", None)
    if not hasattr(config, "image_size") or not hasattr(config, "in_channels"):
        raise TypeError(f"what does {type(model).__name__} take? Give an example, as in nn.trace(model, x)")
    return np.zeros((1, config.image_size, config.image_size, config.in_channels), np.float32)


def _tensors_in(result: Any) -> list[Tensor]:
    """The Tensors in what a Module returned."""
    if isinstance(result, Tensor):
        return [result]
    items = result.values() if isinstance(result, dict) else result if isinstance(result, (list, tuple)) else ()
    return [tensor for item in items for tensor in _tensors_in(item)]


def _macs(node: Node) -> int:
    """Multiply-adds of one op: elements of its result times the length of each sum."""
    if node.saved is None:
        return 0
    if node.op is Einsum:
        arrays, terms, _ = node.saved
        lengths = {letter: n for array, term in zip(arrays, terms, strict=True)
                   for letter, n in zip(term, array.shape, strict=True)}
        return math.prod(lengths.values()) * (len(arrays) - 1)
    if node.op not in (Linear, MatMul):
        return 0
    factor = node.saved[1]                                          # both save their second factor, (..., k, m)
    return math.prod(node.shape) * factor.shape[max(-2, -factor.ndim)]


@contextmanager
def _all_trained(model: Module) -> Iterator[None]:
    """Within this block, frozen parameters count as parameters too."""
    frozen = [t for _, t in model.named_tensors() if not t.requires_grad and not isinstance(t, Buffer)]
    for tensor in frozen:
        tensor.requires_grad = True
    try:
        yield
    finally:
        for tensor in frozen:
            tensor.requires_grad = False


@contextmanager
def _results(model: Module) -> Iterator[list[tuple[str, Module, Any, Any]]]:
    """Record name, Module and the Nodes of input and result of every ``forward`` call within this block."""
    results: list[tuple[str, Module, Any, Any]] = []

    def watch(name: str, module: Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*inputs: Any, **options: Any) -> Any:
            result = forward(*inputs, **options)
            before = next((x.node for x in inputs if isinstance(x, Tensor)), None)
            made = (y for y in _tensors_in(result) if not any(y is x for x in inputs))     # not a Dropout of rate 0
            results.extend((name, module, before, y.node) for y in made)
            return result
        return watched

    watching: dict[int, tuple[str, Module]] = {}
    for name, module in model.named_modules():
        watching.setdefault(id(module), (name, module))         # a shared one once, under its first name
    for name, module in watching.values():
        module.forward = watch(name, module, module.forward)    # type: ignore[method-assign]
    try:
        yield results
    finally:
        for _, module in watching.values():
            del module.forward


def _in_order(last: Sequence[Node]) -> Iterator[Node]:
    """Some Nodes and all that they depend on, in topological order."""
    seen: set[Node] = set()
    stack = [(node, False) for node in reversed(last)]
    while stack:
        node, arguments_done = stack.pop()
        if arguments_done:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(edge, False) for edge in reversed(node.edges) if isinstance(edge, Node)]


def _step(name: str, node: Node, counted: set[Tensor], known: set[int], skip: int) -> Step:
    """The Step of a Node; what is ``counted``, and memory in ``known``, is not counted again: both are added to."""
    parameters = {edge for edge in node.edges if isinstance(edge, Tensor)} - counted
    counted |= parameters
    kept = 0
    for array in node.saved or ():
        if hasattr(array, "nbytes") and id(memory := _memory(array)) not in known:
            known.add(id(memory))
            kept += memory.nbytes
    return Step(name, node.shape[skip:], (), sum(p.size for p in parameters), _macs(node), kept)


def _memory(array: Array) -> Array:
    """The array that owns the memory of a view."""
    while isinstance(array.base, type(array)):
        array = array.base
    return array
