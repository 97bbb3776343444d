"""The whole engine: a graph of Nodes, and one walk through it from the loss back to the parameters.

Eight rules, each with a test in tests/test_autograd.py:

1. The graph is walked by a loop, never by recursion: 20,000 chained ops work.
2. `forward` never writes to its inputs; `backward` never writes to `gy` nor to what was saved.
3. Only the engine adds gradients up.  The first sum allocates and is owned; later ones are in place.
4. What a node saved is dropped as soon as its backward has run, and nothing forms a reference cycle.
5. A gradient has the shape and dtype of its input; the error names op, argument and both.
6. `backward()` adds into the leaves' `.grad`; `grad(loss, params)` returns arrays and touches no `.grad`.
   Grad mode belongs to the thread.  A second walk through a freed node raises RuntimeError.
7. Scalars that meet arrays are Python floats, so float32 stays float32.
8. A leaf whose numbers were overwritten after an op had used them is an error of the walk, never a wrong gradient.
   Noticed are `mark_changed`, which optimizers, `load_state_dict` and `Module.to` call, and `x.data += y`; not noticed
   is what a bare array does alone: `x.data[...] = y`, `np.add(x.data, 1, out=x.data)`.  `x.data = array` leaves the
   old numbers to the graph, and the gradient is right for them.

The engine knows no op by name, and of a Tensor only the attributes that `Leaf` lists.
"""

import inspect
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from minimixer.backend import Array, Module, array_module
from minimixer.grad_mode import grad_enabled, no_grad

__all__ = ["Edge", "Leaf", "Node", "backward", "edge_to", "grad", "grad_enabled", "mark_changed", "no_grad"]


class Leaf(Protocol):
    """What the engine asks of a Tensor: its array, its gradient, and the Node that made it (None at a leaf)."""

    data: Array
    grad: Array | None
    requires_grad: bool
    changed: int

    @property
    def node(self) -> "Node | None": ...                # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...             # noqa: D102
    @property
    def dtype(self) -> Any: ...                         # noqa: D102


_ticks = itertools.count(1)
_now = 0            # counts the times that leaves were overwritten


def mark_changed(leaves: Iterable[Leaf]) -> None:
    """Say that the numbers of leaves were overwritten in place: a graph that has used the old ones is refused."""
    global _now
    now = next(_ticks)
    for leaf in leaves:
        leaf.changed = now
    _now = max(_now, now)


class Node:
    """One op that ran: what it saved, and where the gradients of its arguments go.

    ``op`` is the op as it is read; ``run`` is the form of it that ran, and whose ``backward`` will run.

    An edge is the Node that made an argument, or the leaf Tensor itself, or None where no gradient is
    wanted.  It is never a Tensor made by an op: such a Tensor owns its Node, and the way back would close a cycle.
    """

    __slots__ = ("__weakref__", "born", "dtype", "edges", "op", "run", "saved", "shape", "xp")

    def __init__(self, op: Any, run: Any, xp: Module, saved: tuple[Any, ...], edges: Sequence["Edge | None"],
                 y: Array):
        self.op = op
        self.run = run
        self.xp = xp
        self.saved: tuple[Any, ...] | None = saved      # None once freed
        self.edges = edges
        self.shape = y.shape
        self.dtype = y.dtype
        self.born = _now


Edge: TypeAlias = Node | Leaf


def edge_to(tensor: Leaf) -> Edge | None:
    """Where a gradient for this Tensor goes."""
    return tensor.node or (tensor if tensor.requires_grad else None)


def _count_consumers(root: Edge) -> dict[Edge, int]:
    """How many edges lead to each node: its gradient is complete after as many contributions."""
    count = {root: 0}
    stack = [root]
    while stack:
        node = stack.pop()
        for edge in node.edges if isinstance(node, Node) else ():
            if edge is None:
                continue
            if edge not in count:
                count[edge] = 0
                stack.append(edge)
            count[edge] += 1
    return count


def _walk(root: Edge, gy: Array) -> dict[Edge, Array]:
    """Carry `gy` from the root to the leaves; return each leaf's gradient."""
    waiting = _count_consumers(root)
    gradients = {root: gy}
    owned: set[Edge] = set()        # edges whose sum lies in an array allocated here
    ready = [root]
    while ready:
        node = ready.pop()
        if not isinstance(node, Node):
            continue                                    # a leaf keeps its gradient in the dict
        gy = gradients.pop(node)
        if node.saved is None:
            raise RuntimeError(f"backward through {node.op.__name__} a second time: its saved arrays were freed "
                               "by the first; run the forward pass again, or add the losses and go back once")
        if node.born != _now:
            _refuse_changed(node)
        gxs = node.run.backward(node.xp, gy, *node.saved)
        node.saved = None
        if not isinstance(gxs, tuple):
            gxs = (gxs,)
        for position, edge in enumerate(node.edges):
            if edge is None:
                continue
            gx = gxs[position] if position < len(gxs) else None
            if gx is None or gx.shape != edge.shape or gx.dtype != edge.dtype:
                raise TypeError(_describe_mismatch(node.op, position, gx, edge))
            if edge not in gradients:
                gradients[edge] = gx
            elif edge in owned:
                gradients[edge] += gx
            else:
                gradients[edge] = gradients[edge] + gx
                owned.add(edge)
            waiting[edge] -= 1
            if waiting[edge] == 0:
                ready.append(edge)
    return gradients


def _refuse_changed(node: Node) -> None:
    """Rule 8."""
    for edge in node.edges:
        if edge is not None and not isinstance(edge, Node) and edge.changed > node.born:
            raise RuntimeError(f"backward through {node.op.__name__}: its parameter of shape {edge.shape} was changed "
                               "in place after the forward pass, by an optimizer's step, load_state_dict, .to() or "
                               "x.data += y, so its gradient would be wrong: call backward before the change, or run "
                               "the forward pass again")


def _describe_mismatch(op: Any, position: int, gx: Array | None, edge: Edge) -> str:
    names = list(inspect.signature(op.forward).parameters)[1:]              # the first is xp
    argument = names[position] if position < len(names) else position       # one of *arrays
    returned = "no gradient" if gx is None else f"a gradient of shape {gx.shape} and dtype {gx.dtype}"
    return (f"{op.__name__}.backward returned {returned} for its argument {argument!r}, "
            f"which has shape {edge.shape} and dtype {edge.dtype}")


def _start(tensor: Leaf, gradient: Array | None) -> tuple[Edge, Array]:
    """The edge to begin at, and the gradient to begin with."""
    root = edge_to(tensor)
    if root is None:
        raise RuntimeError("this Tensor depends on nothing that requires a gradient: make an input with "
                           "requires_grad=True, and do not compute the loss under no_grad()")
    data = tensor.data
    if gradient is None:
        if data.size != 1:
            raise ValueError(f"backward starts from a one-element Tensor, this one has shape {data.shape}: reduce "
                             "it with .sum() or .mean(), or pass a gradient of that shape")
        return root, array_module(data).ones_like(data)
    if type(gradient) is not type(data) and (hasattr(gradient, "node") or not hasattr(gradient, "dtype")):
        hint = "pass its bare array, gradient.data" if hasattr(gradient, "data") else "make an array of it"
        raise TypeError(f"the gradient to start from is a {type(gradient).__name__}, expected an array of shape "
                        f"{data.shape} and dtype {data.dtype}: {hint}")
    if gradient.shape != data.shape or gradient.dtype != data.dtype:
        raise ValueError(f"the gradient to start from has shape {gradient.shape} and dtype {gradient.dtype}: "
                         f"expected those of the Tensor, {data.shape} and {data.dtype}")
    return root, gradient


def backward(tensor: Leaf, gradient: Array | None = None) -> None:
    """Add the gradient of `tensor` into the `.grad` of every leaf it depends on; `Tensor.backward` calls this."""
    for leaf, gx in _walk(*_start(tensor, gradient)).items():
        assert not isinstance(leaf, Node)
        # A copy: two leaves may have been handed one and the same array.
        xp = array_module(leaf.data)
        leaf.grad = xp.array(gx) if leaf.grad is None else xp.asarray(leaf.grad + gx)


def grad(loss: Leaf, params: Iterable[Leaf]) -> list[Array]:
    """Gradients of a one-element Tensor with respect to leaf Tensors.

    Parameters
    ----------
    loss : Tensor
        One element.
    params : iterable of Tensor
        Leaves with ``requires_grad=True``.

    Returns
    -------
    list of array
        One gradient a parameter, of its shape and dtype; zeros where the loss does not depend on it.  Two of
        them may share memory: read them, do not write to them.  No ``.grad`` is touched, so several threads
        may call this at once on the same parameters.

    Raises
    ------
    ValueError
        If a parameter is not a leaf, or the loss has more than one element.
    TypeError
        If there is one Tensor in the place of several.
    """
    if hasattr(params, "requires_grad"):
        raise TypeError("params is one Tensor, expected a list of them: grad(loss, [x])")
    params = list(params)
    for position, param in enumerate(params):
        if param.node is not None or not param.requires_grad:
            raise ValueError(f"params[{position}] of shape {param.shape} is not a leaf with requires_grad=True: "
                             "gradients are kept for leaves only")
    gradients = _walk(*_start(loss, None))
    return [array_module(p.data).asarray(gradients[p]) if p in gradients else array_module(p.data).zeros_like(p.data)
            for p in params]
