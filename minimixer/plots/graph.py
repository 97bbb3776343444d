"""A drawing of the graph that autograd walks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minimixer.autograd import Edge, Node, edge_to
from minimixer.nn.module import Module
from minimixer.plots.style import BLUE, INK, ORANGE, PALE, canvas
from minimixer.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE, HIGH = 1.7, 0.82       # inches between the centers of boxes, at least
LETTER = 0.082               # inches


def graph(result: Tensor, names: Mapping[str, Tensor | Module] | None = None, *, alt: str = "") -> "Figure":
    """Draw the ops that computed a Tensor, from left to right, each with the shape of its result.

    Round blue boxes are ops; square orange boxes are leaves, which get a gradient.  Numbers and Tensors that need no
    gradient are not in the graph.

    Parameters
    ----------
    result : Tensor
        The result of an op, before or after ``backward``.
    names : mapping, optional
        Names of leaves and results, ``{"x": x, "loss": loss}``.  A Module names its parameters: with ``{"mlp": mlp}``
        they are ``mlp.fc1.weight`` and so on; with ``{"": mlp}``, ``fc1.weight``.
    alt : str
        What the graph shows, in words; by default each op with its arguments.

    Raises
    ------
    ValueError
        If the Tensor has no history.
    """
    root = result.node
    if root is None:
        raise ValueError("graph: this Tensor has no history: was it made by an op, from a leaf with "
                         "requires_grad=True, outside of no_grad()?")
    order = _leaves_first(root)
    titles = _titles(order, names or {})
    places = _places(order)
    wide = max(WIDE, 0.55 + LETTER * max(map(len, titles.values())))
    top = max(y for _, y in places.values())
    skips = any(places[node][0] - places[source][0] > 1 for node in order if isinstance(node, Node)
                for source in node.edges if source is not None)
    fig, axes = canvas(wide * (1 + max(x for x, _ in places.values())) + 0.2, HIGH * (top + 1 + skips) + 0.2,
                       alt=alt or _in_words(order, titles))
    spots = {edge: (wide * (x + 0.5), HIGH * (top - y + 0.5)) for edge, (x, y) in places.items()}
    boxes = {}
    for edge in order:
        is_op = isinstance(edge, Node)
        boxes[edge] = axes.text(
            *spots[edge], f"{titles[edge]}\n{edge.shape}", ha="center", va="center", fontsize=9, color=INK,
            linespacing=1.4, bbox={"boxstyle": f"{'round' if is_op else 'square'},pad=0.4",
                                   "linewidth": 1.3 if is_op else 2, "facecolor": PALE if is_op else "white",
                                   "edgecolor": BLUE if is_op else ORANGE})
    fig.draw_without_rendering()        # computes the sizes of the boxes
    for edge in order:
        sources = [source for source in edge.edges if source is not None] if isinstance(edge, Node) else []
        for position, source in enumerate(sources):
            same = [other is source for other in sources]
            bend = 0.25 * (sum(same) - 1) * (1 if position == same.index(True) else -1)
            span = places[edge][0] - places[source][0]
            if span > 1:                    # an arc, half an inch to one inch high, over the boxes in between
                bend -= min(0.9 + 0.2 * span, 1.9) / (wide * span)
            axes.annotate("", spots[edge], spots[source], zorder=1, arrowprops={
                "arrowstyle": "-|>", "color": INK, "linewidth": 1.0, "shrinkA": 1, "shrinkB": 1,
                "patchA": boxes[source].get_bbox_patch(), "patchB": boxes[edge].get_bbox_patch(),
                "connectionstyle": f"arc3,rad={bend}"})
    return fig


def _titles(order: list[Edge], names: Mapping[str, Tensor | Module]) -> dict[Edge, str]:
    """What is written in each box."""
    known: dict[Edge | None, str] = {}
    for name, value in names.items():
        if isinstance(value, Module):
            known |= {edge_to(tensor): full for full, tensor in value.named_parameters(f"{name}." if name else "")}
        else:
            known[edge_to(value)] = name
    return {edge: known.get(edge, "leaf") if not isinstance(edge, Node) else
            f"{known[edge]} = {edge.op.__name__}" if edge in known else edge.op.__name__ for edge in order}


def _in_words(order: list[Edge], titles: Mapping[Edge, str], most: int = 12) -> str:
    ops = [edge for edge in order if isinstance(edge, Node)]
    told = [f"{titles[op]} of {' and '.join(titles[s] for s in op.edges if s is not None)}, {op.shape}"
            for op in ops[:most]]
    return (f"Graph of {len(ops)} ops and {len(order) - len(ops)} leaves: " + "; ".join(told)
            + (f"; and {len(ops) - most} more." if len(ops) > most else "."))


def _leaves_first(root: Edge) -> list[Edge]:
    """All Nodes and leaves of the graph, arguments before results, without recursion."""
    order: list[Edge] = []
    seen: set[Edge] = set()
    stack = [(root, False)]
    while stack:
        edge, finished = stack.pop()
        if finished:
            order.append(edge)
        elif edge not in seen:
            seen.add(edge)
            stack.append((edge, True))
            if isinstance(edge, Node):
                stack += [(source, False) for source in reversed(edge.edges) if source is not None]
    return order


def _places(order: list[Edge]) -> dict[Edge, tuple[int, int]]:
    """Column and row of each box: ops are right of their arguments, leaves just left of the first op that uses them.

    In each column, leaves are below ops.
    """
    column: dict[Edge, int] = {}
    for edge in order:
        sources = [column[s] for s in edge.edges if s is not None] if isinstance(edge, Node) else []
        column[edge] = 1 + max(sources, default=-1)
    for edge in order:
        if not isinstance(edge, Node):
            column[edge] = min(column[n] for n in order if isinstance(n, Node) and any(edge is e for e in n.edges)) - 1
    columns = [sorted((edge for edge in order if column[edge] == i), key=lambda edge: not isinstance(edge, Node))
               for i in range(1 + max(column.values()))]
    return {edge: (i, row) for i, edges in enumerate(columns) for row, edge in enumerate(edges)}
