"""How a batch is cut into shards, and which process computes which of them."""

from dataclasses import dataclass
from itertools import pairwise

from minimixer.nn import ModelConfig
from minimixer.parallel.tree_sum import Span

# The largest array of a shard, float32: a few times a core's own cache, or a part of a GPU's memory.
SHARD_BYTES = {"cpu": 2 << 20, "gpu": 256 << 20}
# On a CPU, a shard has as many images as that even if they are larger, up to so many bytes: with fewer, calling the ops
# and passing the interpreter's lock around costs more than the cache gains.
SMALLEST_SHARD, LARGEST_BYTES = 16, 16 << 20


def shards(batch_size: int, config: ModelConfig, device: str = "cpu", at_least: int = 1) -> list[slice]:
    """Cut a batch into parts of equal size, give or take one image, of few images if they are large.

    On a CPU their number is a multiple of four, so that two or four threads finish together, unless the batch is too
    small for that.  There are at least ``at_least`` shards, or one per image if there are fewer images.
    """
    per_image = 4 * config.widest_array
    largest = SHARD_BYTES["cpu" if device == "cpu" else "gpu"] // per_image         # images
    if device == "cpu":
        largest = max(largest, min(SMALLEST_SHARD, LARGEST_BYTES // per_image))
    count = -(-batch_size // max(1, largest))
    if device == "cpu":
        count = max(1, min(4 * -(-count // 4), batch_size // SMALLEST_SHARD), count)
    return even(batch_size, max(count, min(at_least, batch_size)))


def even(batch_size: int, count: int) -> list[slice]:
    """Cut a batch into so many parts of equal size, give or take one image."""
    ends = [batch_size * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(ends)]


@dataclass(frozen=True)
class Plan:
    """Which process computes which images of a batch.

    Attributes
    ----------
    shards : list of slice
        Those of the whole batch.
    spans : list of list of pair of int
        For every process, the spans of shards that it sums; together they are its shards.
    mine : list of slice
        The shards of this process.
    """

    shards: list[slice]
    spans: list[list[Span]]
    mine: list[slice]

    @property
    def images(self) -> slice:
        """The images of this process."""
        return slice(self.mine[0].start, self.mine[-1].stop) if self.mine else slice(0, 0)
