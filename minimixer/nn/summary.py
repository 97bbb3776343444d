"""What ``print(model)`` shows: every step of a Mixer with its shape, transposes included."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from minimixer.nn.module import Module

if TYPE_CHECKING:
    from minimixer.nn.mixer import MixerBlock, MlpBlock, MlpMixer

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


def summarize(model: "MlpMixer") -> str:
    """A table of the model; blocks of equal size and equal rates share their rows."""
    config = model.config
    s, c, size, p = config.num_patches, config.hidden_dim, config.image_size, config.patch_size
    rows: list[Row | str] = [
        ("images", ("B", size, size, config.in_channels), 0),
        (f"patches {p} x {p}", ("B", s, p * p * config.in_channels), 0),
        _row("stem", model.stem, s, c)]
    groups: list[tuple[int, list[Row]]] = []            # number of the first block, rows
    for i, block in enumerate(model.blocks):
        of_block = list(block_rows(block, s, c))
        if not groups or groups[-1][1] != of_block:
            groups.append((i, of_block))
    ends = [first for first, _ in groups[1:]] + [len(model.blocks)]
    for (first, of_block), end in zip(groups, ends, strict=True):
        rows.append(f"blocks.{first}" if end == first + 1 else f"blocks.{first} to blocks.{end - 1}, each:")
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
