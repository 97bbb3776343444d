"""What ``print(model)`` shows: every step with its shape, transposes included."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from minimixer.nn.module import Module

if TYPE_CHECKING:
    from minimixer.nn.convnet import ConvNet, ResidualBlock
    from minimixer.nn.mixer import MixerBlock, MlpBlock, MlpMixer
    from minimixer.nn.vit import VisionTransformer, ViTBlock

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


def _skip(block: "MixerBlock | ViTBlock | ResidualBlock", *shape: int | str) -> Iterator[Row]:
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


def vit_block_rows(block: "ViTBlock", s: int, c: int) -> Iterator[Row]:
    """The rows of one block of a ViT."""
    attention, h = block.attention, block.attention.num_heads
    yield _row("attention_norm", block.attention_norm, s, c)
    for name in ("query", "key", "value"):
        yield _row(f"attention.{name}", getattr(attention, name), s, c)
    yield "reshape, swapaxes(1, 2)", ("B", h, s, c // h), 0
    yield "softmax(query @ key.T / sqrt(d))", ("B", h, s, s), 0
    yield "@ value", ("B", h, s, c // h), 0
    yield "swapaxes(1, 2), reshape", ("B", s, c), 0
    yield _row("attention.out", attention.out, s, c)
    if block.dropout.rate:
        yield _row("dropout", block.dropout, s, c)
    yield from _skip(block, s, c)
    yield _row("mlp_norm", block.mlp_norm, s, c)
    yield from _mlp("mlp", block.mlp, s, c)
    yield from _skip(block, s, c)


def residual_block_rows(block: "ResidualBlock", side: int) -> Iterator[Row]:
    """The rows of one block of a ConvNet; ``side`` is that of its result."""
    shape = side, side, block.norm1.weight.size
    for i in (1, 2):
        yield _row(f"conv{i}", getattr(block, f"conv{i}"), *shape)
        yield _row(f"norm{i}", getattr(block, f"norm{i}"), *shape)
        if i == 1:
            yield "relu", ("B", *shape), 0
    if block.shortcut is not None:
        yield _row("shortcut", block.shortcut, *shape)
    yield from _skip(block, *shape)
    yield "relu", ("B", *shape), 0


def blocks_rows(blocks: list[list[Row]]) -> Iterator[Row | str]:
    """The rows of all blocks; neighbours that are alike, down to their rates, share theirs."""
    for numbers, of_block in alike(blocks):
        yield blocks_title(numbers) + (", each:" if len(numbers) > 1 else "")
        yield from (("  " + step, shape, parameters) for step, shape, parameters in of_block)


def patch_rows(model: "MlpMixer | VisionTransformer", blocks: list[list[Row]]) -> Iterator[Row | str]:
    """The rows of a model of patches, with its own blocks in the middle."""
    config = model.config
    s, c, p = config.num_patches, config.hidden_dim, config.patch_size
    yield f"patches {p} x {p}", ("B", s, p * p * config.in_channels), 0
    yield _row("stem", model.stem, s, c)
    if (position := getattr(model, "position", None)) is not None:
        yield "x = x + position", ("B", s, c), position.size
    yield from blocks_rows(blocks)
    yield _row("norm", model.norm, s, c)
    yield "mean(axis=1)", ("B", c), 0


def convnet_rows(model: "ConvNet") -> Iterator[Row | str]:
    """The rows of a ConvNet."""
    config, side, blocks = model.config, model.config.image_size, []
    yield _row("stem", model.stem, side, side, config.width)
    yield _row("norm", model.norm, side, side, config.width)
    yield "relu", ("B", side, side, config.width), 0
    for block in model.blocks:
        side //= block.conv1.stride
        blocks.append(list(residual_block_rows(block, side)))
    yield from blocks_rows(blocks)
    yield "mean(axis=(1, 2))", ("B", model.head.weight.shape[0]), 0


def summarize(model: Any) -> str:
    """A table of a Mixer, a ViT or a ConvNet; blocks of equal size and equal rates share their rows.

    Of another model, which may be made of anything, it lists the parameters.
    """
    from minimixer.nn.convnet import ConvNet
    from minimixer.nn.mixer import MlpMixer
    from minimixer.nn.vit import VisionTransformer

    title = f"{type(model).__name__}: {model.num_parameters():,} parameters"
    if not isinstance(model, (MlpMixer, VisionTransformer, ConvNet)):
        return "\n".join([title, "", *(f"{name:<44}{t.shape}" for name, t in model.named_tensors())])
    config = model.config
    if isinstance(model, MlpMixer):
        rows = patch_rows(model, [list(block_rows(b, config.num_patches, config.hidden_dim)) for b in model.blocks])
    elif isinstance(model, VisionTransformer):
        rows = patch_rows(model, [list(vit_block_rows(b, config.num_patches, config.hidden_dim)) for b in model.blocks])
    else:
        rows = convnet_rows(model)
    images = ("images", ("B", config.image_size, config.image_size, config.in_channels), 0)
    head = _row("head", model.head, config.num_classes)
    return "\n".join([title, "", _line("step", "shape of the result", "parameters"),
                      *(row if isinstance(row, str) else _format(*row) for row in (images, *rows, head))])


def _line(step: str, shape: str, parameters: str) -> str:
    return f"{step:<44}{shape:<22}{parameters:>11}".rstrip()


def _format(step: str, shape: tuple[int | str, ...], parameters: int) -> str:
    return _line(step, f"({', '.join(map(str, shape))})", f"{parameters:,}" if parameters else "")
