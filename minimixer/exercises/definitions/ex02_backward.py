from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import functional as F
from minimixer.autograd import grad
from minimixer.exercises.cases import normal
from minimixer.exercises.definitions.graph import (
    KeysAreNoNodes,
    KeysOfAnotherCall,
    MoreThanLeaves,
    NoDict,
    RunsTwice,
    VisitsOften,
    WritesToGiven,
    steps,
)
from minimixer.exercises.definitions.walks import (
    add,
    distinct_uses,
    first_for_all,
    in_order,
    levels,
    overwriting,
    reduced,
    swapped,
    too_early,
    visit,
)
from minimixer.exercises.evidence import same
from minimixer.exercises.task import Case, Exercise, Function, Mistake, Task
from minimixer.exercises.wire import Node
from minimixer.tensor import Tensor

OFTEN = 50          # questions for parents, per node, that are too many
LONG = 1200         # nodes in a row: more than Python allows nested calls


def _case(label: str, fn: Callable[..., Tensor], *shapes: tuple[int, ...], turns: int = 1,
          reveals: Mistake | None = None, once: bool = False) -> Case:
    leaves = [Tensor(array, requires_grad=True) for array in normal(len(shapes), *shapes)]
    y = fn(*leaves)
    gy, = normal(9, y.shape)
    expected = (gy,) if y is leaves[0] else tuple(grad((fn(*leaves) * Tensor(gy)).sum(), leaves))
    return Case(label, (fn, leaves, gy, turns), expected + (None,) * (2 - len(leaves)), once=once, reveals=reveals)


def _chain(x: Tensor) -> Tensor:
    for _ in range(LONG):
        x = -x
    return x


def _doubling(x: Tensor) -> Tensor:
    for _ in range(30):
        x = x + x
    return x


def _detour(a: Tensor, b: Tensor) -> Tensor:
    c = a * b
    return c * F.gelu(c * b) + a                # c is used near the root and far from it


def _twice_and_once(a: Tensor, b: Tensor) -> Tensor:
    c = a * b
    return c * c + -c                           # one node uses c twice, another once


def _once_and_twice(a: Tensor, b: Tensor) -> Tensor:
    c = a * b
    d = -c
    d = -d
    return -d + c * c                     # far from the root, and near it


def _two_depths(a: Tensor, b: Tensor) -> Tensor:
    c = a * b
    d = -c
    return -d * c * a + c * b


LEAF = Mistake("root-is-leaf", "It fails where the root itself is a leaf.",
               "A graph can be a single node: without parents and without backward. Its gradient has arrived already: "
               "it is gy.")
AGAIN = Mistake("state-on-nodes", "A second walk over the same graph gives another result.",
                "You store gradients on the nodes and find them there the next time. Keep them in a dictionary that "
                "every call creates anew.")


def cases() -> list[Case]:
    return [_case("y = a * b", lambda a, b: a * b, (2, 3), (2, 3)),
            _case("y = x * x", lambda x: x * x, (4,)),
            _case("a node used both near the root and far from it", _detour, (2, 3), (2, 3)),
            _case("paths of different length", _two_depths, (3,), (3,)),
            _case("y = x + x: both parents get the same array", lambda x: x + x, (3,)),
            _case("a node used twice by one node, once by another", _twice_and_once, (3,), (3,)),
            _case("a node used once by one node, twice by another", _once_and_twice, (3,), (3,)),
            _case("a row and a column: y = a * b", lambda a, b: a * b, (2, 1), (1, 3)),
            _case("the root is a leaf", lambda x: x, (3,), reveals=LEAF),
            _case("the same graph, walked a second time", _detour, (2, 2), (2, 2), turns=2, reveals=AGAIN),
            _case("30 times x + x: a billion paths", _doubling, (2,), once=True),
            _case(f"{LONG:,} nodes in a row", _chain, (2,), once=True)]


def call(function: Function, case: Case) -> Any:
    """Walk the library's graph with the student's function; return the gradients in the order of the leaves."""
    fn, leaves, gy, turns = case.arguments
    root, made = steps(fn(*leaves))
    before = gy.copy()
    for _ in range(turns):
        for step in made.values():
            step.calls = step.visits = 0
        gradients = function(root, gy)
    if gradients is None:
        return None
    if not isinstance(gradients, dict):
        raise NoDict(f"it is a {type(gradients).__name__}")
    known = set(made.values())
    if any(key not in known for key in gradients):
        raise KeysOfAnotherCall if all(isinstance(key, Node) for key in gradients) else KeysAreNoNodes
    found = tuple(gradients.get(made[leaf]) for leaf in leaves)
    if any(key.before for key in gradients):
        raise MoreThanLeaves
    if not np.array_equal(gy, before) or root.written or any(
            not np.array_equal(g, copy) for step in known for g, copy in step.given):
        raise WritesToGiven
    if all(g is not None and same(np.asarray(g), e, 1e-6) for g, e in zip(found, case.expected, strict=False)):
        if any(step.calls > 1 for step in known):
            raise RunsTwice
        if sum(step.visits for step in known) > OFTEN * len(known):
            raise VisitsOften
    return found + (None,) * (2 - len(leaves))


PATHS = Mistake(
    "visits-paths", "The backward of a node ran more than once.",
    "You follow every path from the root and pass on each part of a gradient separately. The sum may be right, but the "
    "number of paths doubles with every x + x. Wait until a node's gradient is complete, then run the node once.",
    credit=0.5)

EXERCISE = Exercise(
    id="ex02", name="backward", title="Go back through a graph", lesson="02, autograd",
    tasks=(Task(
        "backward", "backward", 10, ("gradient of 1st leaf", "gradient of 2nd leaf"), cases,
        rows="y = x * x with one number", mistakes=(
            *(Mistake("overwrites", "A second gradient replaces the first, but they must be added.",
                    "A node that is used twice gets two gradients. In the graph of y = x * x, x appears twice. Look at "
                    "the line that stores a gradient: what happens if there already is one?", imitate)
              for imitate in overwriting()),
            *(Mistake("too-early", "A node was run before all of its gradients had arrived.",
                    "You add gradients, and each node runs once, but some run too early: what arrives later is never "
                    "passed on. A queue or a stack of discovered nodes is no order. First count how many uses each "
                    "node "
                    "has, or sort the nodes so that each node comes after all its uses.",
                    imitate) for imitate in too_early()),
            Mistake("first-parent-only", "Only the first parent of each node gets a gradient.",
                    "node.backward returns one gradient per parent: loop over both sequences together.",
                    lambda root, gy: visit(root, gy, parents=slice(1))),
            Mistake("last-parent-only", "Only the last parent of each node gets a gradient.",
                    "node.backward returns one gradient per parent: loop over both sequences together.",
                    lambda root, gy: visit(root, gy, parents=slice(-1, None))),
            Mistake("parents-swapped", "The gradients go to the wrong parents.",
                    "node.backward returns the gradients in the order of node.parents. Keep both in this order.",
                    swapped),
            Mistake("level-by-level", "Nodes are run level by level, some of them twice.",
                    "A node can be near the root on one path and far from it on another. It is run on both levels, and "
                    "passes on twice what had arrived. Wait until all its uses are done, then run it once.", levels),
            Mistake("first-for-all", "All parents of a node get the gradient of the first.",
                    "node.backward returns one gradient per parent: loop over both sequences together.", first_for_all),
            *(Mistake("distinct-uses", "A node that uses another twice counts as one use.",
                      "x * x has two parents, both of them x, and sends x two gradients. A set, or a test for what was "
                      "seen, counts them once; then x is ready too early.", imitate)
              for imitate in (distinct_uses, lambda root, gy: distinct_uses(root, gy, last=False))),
            Mistake("gy-summed", "gy is added up into one number at the root.",
                    "It has the shape of the root, and each number goes its own way.",
                    in_order(add, lambda gy: gy.sum())),
            Mistake("gy-ignored", "The walk does not start with gy.",
                    "It starts with ones at the root, so gy has no effect.", in_order(add, np.ones_like)),
            Mistake("starts-with-twice-gy", "The root gets gy twice.",
                    "Its gradient is set and then added once more.", in_order(add, lambda gy: 2 * gy)),
            Mistake("averages-uses", "The gradients of several uses are averaged, but they must be added.",
                    "Each use changes the loss, so their gradients add up.",
                    in_order(lambda old, new: new if old is None else (old + new) / 2)),
            Mistake("gradient-reduced", "The gradient of a leaf is averaged into one number.",
                    "It must have the leaf's shape: one number for each of its numbers.", reduced(np.mean)),
            Mistake("gradient-reduced", "The gradient of a leaf is summed into one number.",
                    "It must have the leaf's shape: one number for each of its numbers.", reduced(np.sum)),
        ),
        errors={
            "RecursionError": Mistake(
                "recursion", "The recursion is too deep.",
                "A function that calls itself for each node fails after about 1000 nodes in a row. Use a loop and a "
                "list of the nodes still to visit."),
            "RunsTwice": PATHS,
            "VisitsOften": Mistake(
                "visits-nodes", "The result is right, but every node is looked at again and again.",
                "The time grows with the square of the number of nodes: a search through all nodes inside a loop over "
                "all nodes. `in` on a list searches, and so does a look for the next node that is ready. Keep counts "
                "in "
                "a dictionary, seen nodes in a set, and the ready ones in a list.", credit=0.5),
            "WritesToGiven": Mistake(
                "writes-input", "Your function modified an array that it was given.",
                "`+=` changes an array for everyone who holds it, and two parents may have been given the same array. "
                "Create a new array for the sum."),
            "NoDict": Mistake("no-dict", "The result is not a dict.",
                              "Return a dictionary: the key is a leaf, the value its gradient."),
            "KeysAreNoNodes": Mistake(
                "keys-are-no-nodes", "The keys of the result are not nodes.",
                "The caller looks up the leaf itself. An id(), a name or a number does not find it: use the node as "
                "key."),
            "KeysOfAnotherCall": Mistake(
                "state-kept", "The result holds nodes of an earlier call.",
                "A dictionary outlives the call: as a global, an attribute or a default argument. Create it inside the "
                "function."),
            "TypeError:missing 1 required positional argument": Mistake(
                "backward-without-gradient", "node.backward is called without a gradient.",
                "It takes the gradient that has arrived at the node: by the chain rule, this multiplies its own."),
            "MoreThanLeaves": Mistake(
                "more-than-leaves", "The result holds more than the leaves.",
                "Inner nodes and the root have gradients too, but only leaves belong into the result: nodes without "
                "parents."),
            "TypeError:'NoneType' object is not callable": Mistake(
                "backward-of-leaf", "node.backward is called on a leaf.",
                "A leaf has no parents and no backward: its gradient only stays. Test for this before you call."),
            "KeyError": Mistake(
                "no-gradient-yet", "A node is run before any gradient has arrived at it.",
                "Its entry is not there yet. The walk goes from the root to the leaves; a list of nodes in which the "
                "parents come first must be reversed."),
        },
        has_gradient=False, call=call, credited=("RunsTwice", "VisitsOften")),),
    hints=(
        "Use two dictionaries: the gradient that has arrived at each node so far, and the number of uses that have "
        "not sent theirs yet.",
        "First walk: from the root to the leaves, without gradients, to count how often each node is a parent.",
        "Second walk: keep a list of nodes that are ready. Take one, run it, pass its gradients to the parents, and "
        "count down. A parent whose count reaches 0 is ready.",
    ))
