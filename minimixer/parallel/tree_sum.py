"""A sum over shards in a fixed order: a binary tree, whose subtrees can be summed in different places.

Floating-point sums depend on their order.  Here the order follows from the number of shards alone: the sum of a span is
the sum of its first half plus the sum of its second.  Processes that hold whole spans reach the same bits as one
process that holds them all.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from minimixer.backend import Array

Leaf = TypeVar("Leaf")
Span = tuple[int, int]      # the shards from the first number up to the second


def halves(span: Span) -> tuple[Span, Span]:
    """The two spans whose sums add up to this one's; it has at least two shards."""
    middle = sum(span) // 2
    return (span[0], middle), (middle, span[1])


def cover(first: int, stop: int, span: Span) -> list[Span]:
    """The fewest spans of the tree below ``span`` that hold exactly its shards first..stop-1, in order."""
    first, stop = max(first, span[0]), min(stop, span[1])
    if first >= stop:
        return []
    if (first, stop) == span:
        return [span]
    return [part for half in halves(span) for part in cover(first, stop, half)]


def add_up(span: Span, leaves: Iterator[Leaf], begin: Callable[[Leaf], Array],
           add: Callable[[Array, Leaf], None]) -> Array:
    """The sum of a span whose shards arrive one after the other.

    Parameters
    ----------
    span : pair of int
    leaves : iterator
        One per shard; exactly those of the span are taken from it.
    begin : callable
        Makes a new buffer with the numbers of a leaf.
    add : callable
        Adds a leaf to a buffer, in place.

    Returns
    -------
    array
        There are never more buffers than the tree has levels.
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
    """The sum of a span from the sums of spans that cover it; the given arrays are consumed."""
    if span in parts:
        return parts[span]
    left, right = halves(span)
    total = combine(left, parts)
    total += combine(right, parts)
    return total
