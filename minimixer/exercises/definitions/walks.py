"""Wrong walks through a graph, for exercise 02."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from minimixer.backend import Array
from minimixer.exercises.task import Function


def visit(root: Any, gy: Array, add: bool = True, last: bool = False, backwards: bool = False,
          parents: slice = slice(None)) -> dict[Any, Array]:
    """Visit every node once, in the order of discovery, too early for some; ``last``: the last discovered first."""
    gradients = {root: gy}
    queue, seen = deque([root]), {root}
    while queue:
        node = queue.pop() if last else queue.popleft()
        if not node.parents:
            continue
        pairs = list(zip(node.parents, node.backward(gradients[node]), strict=True))[parents]
        for parent, g in pairs[::-1] if backwards else pairs:
            gradients[parent] = gradients[parent] + g if add and parent in gradients else g
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return _leaves(gradients)


def _leaves(gradients: dict[Any, Any]) -> dict[Any, Any]:
    return {node: g for node, g in gradients.items() if not node.parents}


def _order(root: Any, turn: int = 1) -> list[Any]:
    """Every node after its parents, which are visited from the first (``turn`` 1) or from the last (-1)."""
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
    return order


def in_order(change: Callable[..., Any], start: Callable[[Array], Any] = lambda gy: gy, turn: int = 1) -> Function:
    """A walk in the right order that does something else with the gradients; ``change(old, new, pairs)``."""
    def walk(root: Any, gy: Array) -> dict[Any, Array]:
        gradients: dict[Any, Any] = {root: start(gy)}
        for node in reversed(_order(root, turn)):
            if node.parents:
                for parent, g in zip(node.parents, node.backward(gradients[node]), strict=True):
                    gradients[parent] = change(gradients.get(parent), g)
        return _leaves(gradients)
    return walk


def swapped(root: Any, gy: Array) -> dict[Any, Array]:
    gradients = {root: gy}
    for node in reversed(_order(root)):
        if node.parents:
            for parent, g in zip(node.parents, node.backward(gradients[node])[::-1], strict=True):
                gradients[parent] = gradients.get(parent, 0) + g
    return _leaves(gradients)


def first_for_all(root: Any, gy: Array) -> dict[Any, Array]:
    gradients = {root: gy}
    for node in reversed(_order(root)):
        if node.parents:
            first = node.backward(gradients[node])[0]
            for parent in node.parents:
                gradients[parent] = gradients.get(parent, 0) + first
    return _leaves(gradients)


def distinct_uses(root: Any, gy: Array, last: bool = True) -> dict[Any, Array]:
    """Counts how many nodes use a node, not how often."""
    uses: dict[Any, int] = {}
    todo, seen = [root], {root}
    while todo:
        for parent in dict.fromkeys(todo.pop().parents):
            uses[parent] = uses.get(parent, 0) + 1
            if parent not in seen:
                seen.add(parent)
                todo.append(parent)
    gradients, ready = {root: gy}, [root]
    while ready:
        node = ready.pop() if last else ready.pop(0)
        for parent, g in zip(node.parents, node.backward(gradients[node]) if node.parents else (), strict=True):
            gradients[parent] = gradients.get(parent, 0) + g
            uses[parent] -= 1
            if uses[parent] == 0:
                ready.append(parent)
    return _leaves(gradients)


def levels(root: Any, gy: Array) -> dict[Any, Array]:
    """Level by level; a node on two levels runs twice, with all that has arrived."""
    gradients, level = {root: gy}, [root]
    for _ in range(100):
        found: list[Any] = []
        for node in level:
            for parent, g in zip(node.parents, node.backward(gradients[node]) if node.parents else (), strict=True):
                gradients[parent] = gradients.get(parent, 0) + g
                found.append(parent)
        level = list(dict.fromkeys(found))
    return _leaves(gradients)


def reduced(function: Function) -> Function:
    """The right gradients, each reduced to one number."""
    def walk(root: Any, gy: Array) -> dict[Any, Any]:
        right = in_order(add)(root, gy)
        return {leaf: function(g) for leaf, g in right.items()}
    return walk


def add(old: Any, new: Array) -> Array:
    return new if old is None else old + new


def overwriting() -> Sequence[Function]:
    return [lambda root, gy: visit(root, gy, add=False), in_order(lambda old, new: new),
            in_order(lambda old, new: new, turn=-1), in_order(lambda old, new: new if old is None else old)]


def too_early() -> Sequence[Function]:
    return [lambda root, gy, last=last, backwards=backwards: visit(root, gy, last=last, backwards=backwards)
            for last in (False, True) for backwards in (False, True)]
