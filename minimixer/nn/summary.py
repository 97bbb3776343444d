"""What ``print(model)`` shows: every step of a Mixer with its shape, transposes included."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from minimixer.nn.module import Module

if TYPE_CHECKING:
    from minimixer.nn.mixer import MixerBlock, MlpBlock, MlpMixer

B = TypeVar("B")
Row = tuple[str, tuple[int | str, ...], int]        # step, shape of its result, parameters


def _row(name: str, module: Module, *shape: int | str) -> Row:
    return f"{name}: {module!r}", ("B", *shape), module.num_parameters()


def _mlp(name: str, mlp: "MlpBlock", *shape: int | str) -> Iterator[Row]:
    """The rows of an MLP; ``shape`` is that of its input less the batch axis."""
    hidden = (*shape[:-1], mlp.fc1.weight.shape[1])
    yield _row(f"{name}.fc1", mlp.fc1, *hidden)
    yield _row(f"{name}.gelu", mlp.gelu, *hidden)
    if mlp.dropout.rate:
        yield _row(f"{name}.dropout", mlp.dropout, *hidden)
    yield _row(f"{name}.fc2", mlp.fc2, *shape)
    if mlp.dropout.rate:
        yield _row(f"{name}.dropout", mlp.dropout, *shape)


def _skip(block: "MixerBlock", *shape: int | str) -> Iterator[Row]:
    if block.drop_branch.rate:
        yield _row("drop_branch", block.drop_branch, *shape)
    yield "x = x + y", ("B", *shape), 0


def block_rows(block: "MixerBlock", s: int, c: int) -> Iterator[Row]:
    """The rows of one Mixer block."""
    yield _row("token_norm", block.token_norm, s, c)
    yield "swapaxes(1, 2)", ("B", c, s), 0
    yield from _mlp("token_mixing", block.token_mixing, c, s)
    yield "swapaxes(1, 2)", ("B", s, c), 0
    yield from _skip(block, s, c)
    yield _row("channel_norm", block.channel_norm, s, c)
    yield from _mlp("channel_mixing", block.channel_mixing, s, c)
    yield from _skip(block, s, c)


def alike(blocks: Sequence[B]) -> list[tuple[range, B]]:
    """Neighbours that are equal share an entry: their numbers, and what they are."""
    entries: list[tuple[range, B]] = []
    for i, block in enumerate(blocks):
        if entries and entries[-1][1] == block:
            entries[-1] = range(entries[-1][0].start, i + 1), block
        else:
            entries.append((range(i, i + 1), block))
    return entries


def blocks_title(numbers: range) -> str:
    """The blocks of these numbers, in words."""
    return f"blocks.{numbers[0]}" + (f" to blocks.{numbers[-1]}" if len(numbers) > 1 else "")


def summarize(model: "MlpMixer") -> str:
    """A table of the model; blocks of equal size and equal rates share their rows."""
    config = model.config
    s, c, size, p = config.num_patches, config.hidden_dim, config.image_size, config.patch_size
    rows: list[Row | str] = [
        ("images", ("B", size, size, config.in_channels), 0),
        (f"patches {p} x {p}", ("B", s, p * p * config.in_channels), 0),
        _row("stem", model.stem, s, c)]
    for numbers, of_block in alike([list(block_rows(block, s, c)) for block in model.blocks]):
        rows.append(blocks_title(numbers) + (", each:" if len(numbers) > 1 else ""))
        rows += [("  " + step, shape, parameters) for step, shape, parameters in of_block]
    rows.append(_row("norm", model.norm, s, c))
    rows.append(("mean(axis=1)", ("B", c), 0))
    rows.append(_row("head", model.head, config.num_classes))
    title = f"MlpMixer: {model.num_parameters():,} parameters"
    return "\n".join([title, "", _line("step", "shape of the result", "parameters"),
                      *(row if isinstance(row, str) else _format(*row) for row in rows)])


def _line(step: str, shape: str, parameters: str) -> str:
    return f"{step:<44}{shape:<22}{parameters:>11}".rstrip()


def _format(step: str, shape: tuple[int | str, ...], parameters: int) -> str:
    return _line(step, f"({', '.join(map(str, shape))})", f"{parameters:,}" if parameters else "")
