from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import functional as F
from minimixer.autograd import grad
from minimixer.backend import Array
from minimixer.exercises.cases import normal
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.tensor import Tensor

MANY = 5000         # calls of one node's backward that end the walk


class WalkError(Exception):
    """The walk was stopped."""


class RunsTwice(WalkError):
    """A node's backward ran more than once: gradients were passed on in parts."""


class WritesToGiven(WalkError):
    """The walk modified an array that it was given."""


class Step:
    """A node of the library's own graph, with the interface that the exercise describes."""

    def __init__(self, parents: tuple["Step", ...], op: Any = None, saved: tuple[Any, ...] = ()):
        self.parents = parents
        self.op = op
        self.saved = saved
        self.calls = 0
        self.given: list[tuple[Array, Array]] = []      # arrays handed out, with copies
        if not parents:
            self.backward = None        # type: ignore[method-assign, assignment]  # a leaf, as in the exercise

    def backward(self, gy: Array) -> tuple[Array, ...]:
        """One gradient per parent, computed by the library's op."""
        self.calls += 1
        if self.calls > MANY:
            raise RunsTwice
        gradients = self.op.backward(np, gy, *self.saved)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        self.given.extend((g, g.copy()) for g in gradients)
        return gradients


def _steps(loss: Tensor) -> tuple[Step, dict[Any, Step]]:
    """The graph that made a Tensor, as Steps, by node or leaf."""
    made: dict[Any, Step] = {}
    stack: list[Any] = [loss.node]
    while stack:
        node = stack[-1]
        edges = getattr(node, "edges", ())
        waiting = [edge for edge in edges if edge not in made]
        if waiting:
            stack.extend(waiting)
        else:
            stack.pop()
            made[node] = Step(tuple(made[edge] for edge in edges), getattr(node, "run", None),
                              getattr(node, "saved", ()))
    return made[loss.node], made


def _case(label: str, fn: Callable[..., Tensor], *shapes: tuple[int, ...]) -> Case:
    leaves = [Tensor(array, requires_grad=True) for array in normal(len(shapes), *shapes)]
    gy, = normal(9, fn(*leaves).shape)
    expected = tuple(grad((fn(*leaves) * Tensor(gy)).sum(), leaves))
    return Case(label, (fn, leaves, gy), expected + (None,) * (2 - len(leaves)))


def _chain(x: Tensor) -> Tensor:
    for _ in range(3000):
        x = -x
    return x


def _doubling(x: Tensor) -> Tensor:
    for _ in range(30):
        x = x + x
    return x


def _detour(a: Tensor, b: Tensor) -> Tensor:
    c = a * b
    return c * F.gelu(c * b) + a                # c is used near the root and far from it


def _two_depths(a: Tensor, b: Tensor) -> Tensor:
    c = a * b
    d = -c
    return -d * c * a + c * b


def cases() -> list[Case]:
    return [_case("y = a * b", lambda a, b: a * b, (2, 3), (2, 3)),
            _case("y = x * x", lambda x: x * x, (4,)),
            _case("a node used both near the root and far from it", _detour, (2, 3), (2, 3)),
            _case("paths of different length", _two_depths, (3,), (3,)),
            _case("y = x + x: both parents get the same array", lambda x: x + x, (3,)),
            _case("30 times x + x: a billion paths", _doubling, (2,)),
            _case("3,000 nodes in a row", _chain, (2,))]


def call(function: Function, case: Case) -> Any:
    """Walk the library's graph with the student's function; return the gradients in the order of the leaves."""
    fn, leaves, gy = case.arguments
    root, made = _steps(fn(*leaves))
    before = gy.copy()
    gradients = function(root, gy)
    if gradients is None:
        return None
    if not isinstance(gradients, dict):
        raise TypeError(f"backward returned {type(gradients).__name__}, expected a dict: leaf -> gradient")
    if not np.array_equal(gy, before) or any(not np.array_equal(g, copy) for step in made.values()
                                             for g, copy in step.given):
        raise WritesToGiven
    if any(step.calls > 1 for step in made.values()):
        raise RunsTwice
    return tuple(gradients.get(made[leaf]) for leaf in leaves) + (None,) * (2 - len(leaves))


def _walk(root: Any, gy: Array, add: bool, parents: int | None = None) -> dict[Any, Array]:
    """Visit every node once, in the order of discovery: too early for some."""
    gradients = {root: gy}
    queue, seen = deque([root]), {root}
    while queue:
        node = queue.popleft()
        if not node.parents:
            continue
        for parent, g in list(zip(node.parents, node.backward(gradients[node]), strict=True))[:parents]:
            gradients[parent] = gradients[parent] + g if add and parent in gradients else g
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return gradients


def overwrite(root: Any, gy: Array) -> dict[Any, Array]:
    return _walk(root, gy, add=False)


def overwrite_in_order(root: Any, gy: Array, turn: int = 1) -> dict[Any, Array]:
    """Visit every node after all its uses; parents from the first (``turn`` 1) or from the last (-1)."""
    order: list[Any] = []
    seen = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents[::-turn])
    gradients = {root: gy}
    for node in reversed(order):
        if node.parents:
            gradients.update(zip(node.parents, node.backward(gradients[node]), strict=True))
    return gradients


def too_early(root: Any, gy: Array) -> dict[Any, Array]:
    return _walk(root, gy, add=True)


def first_parent(root: Any, gy: Array) -> dict[Any, Array]:
    return _walk(root, gy, add=True, parents=1)


EXERCISE = Exercise(
    id="ex02", name="backward", title="Go back through a graph", lesson="02, autograd",
    tasks=(Task(
        "backward", "backward", 10, ("gradient of 1st leaf", "gradient of 2nd leaf"), cases,
        mistakes=(
            *(Mistake("overwrites", "A second gradient replaces the first, but they must be added.",
                    "A node that is used twice gets two gradients. In the graph of y = x * x, x appears twice. Look at "
                    "the line that stores a gradient: what happens if there already is one?", imitate)
              for imitate in (overwrite, overwrite_in_order, lambda root, gy: overwrite_in_order(root, gy, -1))),
            Mistake("too-early", "A node was run before all of its gradients had arrived.",
                    "You add gradients, and each node runs once, but some run too early: what arrives later is never "
                    "passed on. First count how many uses each node has, or sort the nodes so that each node comes "
                    "after all its uses.",
                    too_early),
            Mistake("first-parent-only", "Only the first parent of each node gets a gradient.",
                    "node.backward returns one gradient per parent: loop over both sequences together.",
                    first_parent),
        ),
        errors={
            "RecursionError": Mistake(
                "recursion", "The recursion is too deep.",
                "A function that calls itself for each node fails after about 1000 nodes in a row. Use a loop and a "
                "list of the nodes still to visit."),
            "RunsTwice": Mistake(
                "visits-paths", "The backward of a node ran more than once.",
                "You follow every path from the root and pass on each part of a gradient separately. The sum may be "
                "right, but the number of paths doubles with every x + x. Wait until a node's gradient is complete, "
                "then run the node once."),
            "WritesToGiven": Mistake(
                "writes-input", "Your function modified an array that it was given.",
                "`+=` changes an array for everyone who holds it, and two parents may have been given the same array. "
                "Create a new array for the sum."),
        },
        has_gradient=False, call=call),),
    hints=(
        "Use two dictionaries: the gradient that has arrived at each node so far, and the number of uses that have "
        "not sent theirs yet.",
        "First walk: from the root to the leaves, without gradients, to count how often each node is a parent.",
        "Second walk: keep a list of nodes that are ready. Take one, run it, pass its gradients to the parents, and "
        "count down. A parent whose count reaches 0 is ready.",
    ))
