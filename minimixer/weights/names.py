"""The names of a Mixer's arrays in official files and in timm's files: one table for both directions.

P patch size, I input channels, C channels, S patches, D_S and D_C hidden units, K classes; ``{}`` is the number of a
block.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from minimixer.backend import Array
from minimixer.functional import GeluForm
from minimixer.nn import MixerConfig

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One array of a Mixer, or of every block: its names, and its shape in the official files."""

    ours: str
    official: str
    timm: str
    shape: tuple[str, ...]


TABLE = (
    Row("stem.weight", "stem/kernel", "stem.proj.weight", ("P", "P", "I", "C")),
    Row("stem.bias", "stem/bias", "stem.proj.bias", ("C",)),
    Row("blocks.{}.token_norm.weight", "MixerBlock_{}/LayerNorm_0/scale", "blocks.{}.norm1.weight", ("C",)),
    Row("blocks.{}.token_norm.bias", "MixerBlock_{}/LayerNorm_0/bias", "blocks.{}.norm1.bias", ("C",)),
    Row("blocks.{}.token_mixing.fc1.weight", "MixerBlock_{}/token_mixing/Dense_0/kernel",
        "blocks.{}.mlp_tokens.fc1.weight", ("S", "D_S")),
    Row("blocks.{}.token_mixing.fc1.bias", "MixerBlock_{}/token_mixing/Dense_0/bias",
        "blocks.{}.mlp_tokens.fc1.bias", ("D_S",)),
    Row("blocks.{}.token_mixing.fc2.weight", "MixerBlock_{}/token_mixing/Dense_1/kernel",
        "blocks.{}.mlp_tokens.fc2.weight", ("D_S", "S")),
    Row("blocks.{}.token_mixing.fc2.bias", "MixerBlock_{}/token_mixing/Dense_1/bias",
        "blocks.{}.mlp_tokens.fc2.bias", ("S",)),
    Row("blocks.{}.channel_norm.weight", "MixerBlock_{}/LayerNorm_1/scale", "blocks.{}.norm2.weight", ("C",)),
    Row("blocks.{}.channel_norm.bias", "MixerBlock_{}/LayerNorm_1/bias", "blocks.{}.norm2.bias", ("C",)),
    Row("blocks.{}.channel_mixing.fc1.weight", "MixerBlock_{}/channel_mixing/Dense_0/kernel",
        "blocks.{}.mlp_channels.fc1.weight", ("C", "D_C")),
    Row("blocks.{}.channel_mixing.fc1.bias", "MixerBlock_{}/channel_mixing/Dense_0/bias",
        "blocks.{}.mlp_channels.fc1.bias", ("D_C",)),
    Row("blocks.{}.channel_mixing.fc2.weight", "MixerBlock_{}/channel_mixing/Dense_1/kernel",
        "blocks.{}.mlp_channels.fc2.weight", ("D_C", "C")),
    Row("blocks.{}.channel_mixing.fc2.bias", "MixerBlock_{}/channel_mixing/Dense_1/bias",
        "blocks.{}.mlp_channels.fc2.bias", ("C",)),
    Row("norm.weight", "pre_head_layer_norm/scale", "norm.weight", ("C",)),
    Row("norm.bias", "pre_head_layer_norm/bias", "norm.bias", ("C",)),
    Row("head.weight", "head/kernel", "head.weight", ("C", "K")),
    Row("head.bias", "head/bias", "head.bias", ("K",)),
)


def rows_of(num_blocks: int) -> Iterator[tuple[Row, int]]:
    """Every array of a Mixer: its row of the table, and its block (0 for arrays outside of blocks)."""
    for row in TABLE:
        yield from ((row, block) for block in (range(num_blocks) if "{}" in row.ours else (0,)))


def is_head(row: Row) -> bool:
    """Whether the array belongs to the head."""
    return "K" in row.shape


def sizes_of(config: MixerConfig) -> dict[str, int]:
    """The sizes of a model by the letters of the table; L is the number of blocks."""
    return {"P": config.patch_size, "I": config.in_channels, "C": config.hidden_dim, "S": config.num_patches,
            "D_S": config.tokens_mlp_dim, "D_C": config.channels_mlp_dim, "K": config.num_classes,
            "L": config.num_blocks}


@dataclass(frozen=True)
class Layout:
    """One of the two file layouts.

    Attributes
    ----------
    name : str
        ``"official"`` or ``"timm"``: the column of the table.
    gelu : "tanh" or "erf"
        The form of GELU that these weights were trained with.
    axes : mapping of int to tuple of int
        By number of axes: the permutation from the official axes to those in the file.
    """

    name: str
    gelu: GeluForm
    axes: Mapping[int, tuple[int, ...]]

    def name_of(self, row: Row, block: int) -> str:
        """The name in the file."""
        pattern: str = getattr(row, self.name)
        return pattern.format(block)

    def blocks_in(self, names: Mapping[str, Shape]) -> set[int]:
        """Numbers of the blocks in these names."""
        patterns = {getattr(row, self.name) for row in TABLE if "{}" in row.ours}
        regex = re.compile("|".join(re.escape(p).replace(re.escape("{}"), r"(\d{1,6})") for p in patterns))
        found = (regex.fullmatch(name) for name in names)
        return {int(match[match.lastindex or 0]) for match in found if match}

    def letters(self, row: Row) -> tuple[str, ...]:
        """The shape in the file, in letters."""
        return tuple(row.shape[axis] for axis in self.axes[len(row.shape)])

    def from_file(self, array: Array) -> Array:
        """Convert an array to the model's shape: the stem (P * P * I, C), other matrices (in, out)."""
        order = self.axes[array.ndim]
        official = array.transpose([order.index(axis) for axis in range(array.ndim)])       # (P, P, I, C) or (in, out)
        return official.reshape(-1, official.shape[-1]) if array.ndim == 4 else official

    def to_file(self, array: Array, row: Row, sizes: Mapping[str, int]) -> Array:
        """The inverse of ``from_file``."""
        official = array.reshape([sizes[letter] for letter in row.shape])                   # (P, P, I, C) or (in, out)
        return official.transpose(self.axes[official.ndim])


OFFICIAL = Layout("official", "tanh", {1: (0,), 2: (0, 1), 4: (0, 1, 2, 3)})
TIMM = Layout("timm", "erf", {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)})       # Linear (out, in), Conv2d (C, I, P, P)
