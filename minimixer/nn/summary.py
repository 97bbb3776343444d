"""What ``print(model)`` shows: every step with the shape of its result, transposes included.

Models and their blocks list their own rows in ``summary_rows``; this file only formats them and imports no model.  Of a
Module without such rows, ``describe`` lists the layers.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from minimixer.nn.members import Buffer

B = TypeVar("B")
Row = tuple[str, tuple[int | str, ...], int]        # step, shape of its result, parameters


def layer_row(name: str, layer: Any, *shape: int | str) -> Row:
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
    """Format the rows of a model's ``summary_rows``; if it has none, list its layers."""
    rows = list(model.summary_rows())
    if not rows:
        return describe(model)
    return "\n".join([_title(model), "", _line("step", "shape of the result", "parameters"),
                      *(row if isinstance(row, str) else _format(*row) for row in rows)])


def describe(module: Any) -> str:
    """List the layers of any Module, with the Tensors that it holds itself; shared ones are counted once."""
    seen: set[int] = set()
    lines = [_layer_line(*row) for row in _layers(module, "", seen)]
    if not lines:
        return type(module).__name__
    return "\n".join([_title(module), "", _layer_line("name", "what", "parameters"), *lines])


def _layers(module: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, str, str]]:
    for name, member in module._members():
        name = f"{prefix}{name}"
        if not hasattr(member, "_members"):             # a Tensor
            if member.is_parameter:
                what = "buffer" if isinstance(member, Buffer) else "parameter" if member.requires_grad else "frozen"
                yield name, f"{what} {member.shape}", _count([member], seen)
        elif id(member) in seen:
            yield name, f"{type(member).__name__}, shared", ""
        else:
            seen.add(id(member))
            below = [] if _says_what_it_is(member) else list(_layers(member, f"{name}.", seen))
            yield from below or [(name, repr(member).splitlines()[0], _count(member.parameters(), seen))]


def _says_what_it_is(module: Any) -> bool:
    """Whether a Module has a line of its own, such as ``Linear 2 -> 3``."""
    return "\n" not in repr(module)


def _count(parameters: Sequence[Any], seen: set[int]) -> str:
    new = [p for p in parameters if p.requires_grad and id(p) not in seen]
    seen.update(map(id, new))
    return f"{sum(p.size for p in new):,}" if new else ""


def _title(model: Any) -> str:
    return f"{type(model).__name__}: {model.num_parameters():,} parameters"


def _line(step: str, shape: str, parameters: str) -> str:
    return f"{step:<44}{shape:<22}{parameters:>11}".rstrip()


def _layer_line(name: str, what: str, parameters: str) -> str:
    return f"{name:<34}{what:<32}{parameters:>11}".rstrip()


def _format(step: str, shape: tuple[int | str, ...], parameters: int) -> str:
    return _line(step, f"({', '.join(map(str, shape))})", f"{parameters:,}" if parameters else "")
