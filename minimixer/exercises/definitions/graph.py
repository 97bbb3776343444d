"""The library's own graphs as the nodes of exercise 02, and what can be wrong with a walk."""

from typing import Any

import numpy as np

from minimixer.backend import Array
from minimixer.exercises.wire import Node
from minimixer.tensor import Tensor

MANY = 500          # calls of one node's backward that end the walk

class WalkError(Exception):
    """The walk was stopped."""


class RunsTwice(WalkError):
    """A node's backward ran more than once: gradients were passed on in parts."""


class StoppedEarly(RunsTwice):
    """A node's backward ran so often that the walk was stopped."""


class VisitsOften(WalkError):
    """The result is right, but the nodes were looked at again and again."""


class WritesToGiven(WalkError):
    """The walk modified an array that it was given."""


class NoDict(WalkError):
    """The result is not a dict."""


class KeysAreNoNodes(WalkError):
    """The keys of the result are not nodes."""


class KeysOfAnotherCall(WalkError):
    """The result holds nodes of another graph."""


class MoreThanLeaves(WalkError):
    """The result holds nodes that are no leaves."""


class Step(Node):
    """A node of the library's own graph, with the interface that the exercise describes."""

    def __init__(self, parents: tuple["Step", ...], op: Any = None, saved: tuple[Any, ...] = ()):
        super().__init__(parents, self.run if parents else None)
        self.op = op
        self.saved = saved
        self.calls = 0
        self.given: list[tuple[Array, Array]] = []      # arrays handed out, with copies

    def run(self, gy: Array) -> tuple[Array, ...]:
        """One gradient per parent, computed by the library's op."""
        self.calls += 1
        if self.calls > MANY:
            raise StoppedEarly
        gradients = self.op.backward(np, gy, *self.saved)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        self.given.extend((g, g.copy()) for g in gradients)
        return gradients


def steps(loss: Tensor) -> tuple[Step, dict[Any, Step]]:
    """The graph that made a Tensor, as Steps, by node or leaf."""
    root = loss if loss.node is None else loss.node
    made: dict[Any, Step] = {}
    stack: list[Any] = [root]
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
    return made[root], made
