"""The moving averages of all parameters for CuPy: one kernel."""

from collections.abc import Sequence
from pathlib import Path

from minimixer.backend import Array, Module
from minimixer.ops.cuda import THREADS, launch, plain
from minimixer.optim.chunks import CHUNK, addresses, chunks
from minimixer.optim.ema import reference

SOURCE = Path(__file__).with_name("kernel.cu")


def average(xp: Module, means: Sequence[Array], params: Sequence[Array], share: float) -> None:
    """The averaged weights, of all parameters: one kernel."""
    if not all(mean.flags.c_contiguous for mean in means):
        reference.average(xp, means, params, share)
        return
    table = addresses(xp, means, everything := plain(xp, *params))
    sizes, owner, number = chunks(xp, tuple(mean.size for mean in means))
    launch(SOURCE, "weight_average", everything[0].dtype, len(owner), (THREADS, 1), table, sizes, len(means), owner,
           number, CHUNK, share)
