"""A sum over shards in a fixed order: a tree that halves them, so that parts of it can be summed in different places.

Floating-point sums depend on their order.  Here it follows from the number of shards alone: the sum of a span is that
of its first half plus that of its second.  Processes that hold whole spans add up to the same bits as one that holds
them all.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from minimixer.backend import Array

Leaf = TypeVar("Leaf")
Span = tuple[int, int]      # the shards from the first number up to the second


def halves(span: Span) -> tuple[Span, Span]:
    """The two spans whose sums make the sum of this one, of at least two shards."""
    middle = sum(span) // 2
    return (span[0], middle), (middle, span[1])


def cover(first: int, stop: int, span: Span) -> list[Span]:
    """The fewest spans of the tree below ``span`` that hold just the shards first..stop-1 of it, in order."""
    first, stop = max(first, span[0]), min(stop, span[1])
    if first >= stop:
        return []
    if (first, stop) == span:
        return [span]
    return [part for half in halves(span) for part in cover(first, stop, half)]


def add_up(span: Span, leaves: Iterator[Leaf], begin: Callable[[Leaf], Array],
           add: Callable[[Array, Leaf], None]) -> Array:
    """The sum of a span whose shards' numbers come one after the other.

    Parameters
    ----------
    span : pair of int
    leaves : iterator
        What is added up; just the shards of the span are taken from it.
    begin : callable
        Makes a new buffer that holds a leaf.
    add : callable
        Adds a leaf to a buffer, in place.

    Returns
    -------
    array
        At no time are there more buffers than the tree has levels.
    """
    if span[1] - span[0] == 1:
        return begin(next(leaves))
    left, right = halves(span)
    total = add_up(left, leaves, begin, add)
    if right[1] - right[0] == 1:
        add(total, next(leaves))
    else:
        total += add_up(right, leaves, begin, add)
    return total


def combine(span: Span, parts: Mapping[Span, Array]) -> Array:
    """The sum of a span from those of spans that cover it; the given arrays are used up."""
    if span in parts:
        return parts[span]
    left, right = halves(span)
    total = combine(left, parts)
    total += combine(right, parts)
    return total
