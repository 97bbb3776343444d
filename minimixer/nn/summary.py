"""What ``print(model)`` shows: every step with the shape of its result, transposes included.

Models and their blocks list their own rows in ``summary_rows``; this file only formats them and imports no model.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from minimixer.nn.module import Module

B = TypeVar("B")
Row = tuple[str, tuple[int | str, ...], int]        # step, shape of its result, parameters


def layer_row(name: str, layer: Module, *shape: int | str) -> Row:
    """A step that a layer computes; ``shape`` is the shape of its result without the batch axis."""
    return f"{name}: {layer!r}", ("B", *shape), layer.num_parameters()


def step_row(step: str, *shape: int | str) -> Row:
    """A step without a layer, such as ``swapaxes(1, 2)``."""
    return step, ("B", *shape), 0


def random_rows(name: str, layer: Any, *shape: int | str) -> Iterator[Row]:
    """The row of a Dropout or StochasticDepth; none if its rate is 0."""
    if layer.rate:
        yield layer_row(name, layer, *shape)


def group_equal(blocks: Sequence[B]) -> list[tuple[range, B]]:
    """Group consecutive blocks that are equal: their numbers, and the block."""
    groups: list[tuple[range, B]] = []
    for i, block in enumerate(blocks):
        if groups and groups[-1][1] == block:
            groups[-1] = range(groups[-1][0].start, i + 1), block
        else:
            groups.append((range(i, i + 1), block))
    return groups


def blocks_title(numbers: range) -> str:
    """``blocks.0`` or ``blocks.0 to blocks.7``."""
    return f"blocks.{numbers[0]}" + (f" to blocks.{numbers[-1]}" if len(numbers) > 1 else "")


def blocks_rows(blocks: Sequence[Sequence[Row]]) -> Iterator[Row | str]:
    """The rows of all blocks; consecutive blocks with equal rows, down to their rates, are shown once."""
    for numbers, rows in group_equal(blocks):
        yield blocks_title(numbers) + (", each:" if len(numbers) > 1 else "")
        yield from (("  " + step, shape, parameters) for step, shape, parameters in rows)


def summarize(model: Any) -> str:
    """Format the rows of a model's ``summary_rows``; if it has none, list its parameters."""
    title = f"{type(model).__name__}: {model.num_parameters():,} parameters"
    rows = list(model.summary_rows())
    if not rows:
        return "\n".join([title, "", *(f"{name:<44}{t.shape}" for name, t in model.named_tensors())])
    return "\n".join([title, "", _line("step", "shape of the result", "parameters"),
                      *(row if isinstance(row, str) else _format(*row) for row in rows)])


def _line(step: str, shape: str, parameters: str) -> str:
    return f"{step:<44}{shape:<22}{parameters:>11}".rstrip()


def _format(step: str, shape: tuple[int | str, ...], parameters: int) -> str:
    return _line(step, f"({', '.join(map(str, shape))})", f"{parameters:,}" if parameters else "")
