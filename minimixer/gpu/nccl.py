"""Sums over GPUs by NVIDIA's NCCL, through CuPy's bindings.  It imports no CuPy: its module is handed in."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from minimixer.backend import Array, DeviceError, Module


class Nccl:
    """One process's part in a communicator of NCCL, on the GPU that CuPy uses.

    Parameters
    ----------
    xp : module
        cupy.
    rank, size : int
    tell : callable
        Gives every process what the first one gives: how they all learn the name of the communicator.

    Raises
    ------
    DeviceError
        If CuPy finds no NCCL, or NCCL refuses.
    """

    def __init__(self, xp: Module, rank: int, size: int, tell: Callable[[Any], Any]):
        self.xp = xp
        self.nccl = importlib.import_module(f"{xp.__name__}.cuda.nccl")     # cupy.cuda does not import it
        if not getattr(self.nccl, "available", True):
            raise DeviceError("several GPUs meet through NCCL, and CuPy finds none: pip install nvidia-nccl-cu12 (or "
                              "-cu13, as your CuPy), or start one process only")
        self.types = {"float32": self.nccl.NCCL_FLOAT32, "float64": self.nccl.NCCL_FLOAT64}
        name = tell(self.nccl.get_unique_id() if rank == 0 else None)
        try:
            self.communicator = self.nccl.NcclCommunicator(size, name, rank)
        except self.nccl.NcclError as error:
            raise DeviceError(f"NCCL refused to connect {size} GPUs ({error}): there must be one GPU a process; "
                              "NCCL_DEBUG=INFO tells more") from error

    def total(self, sums: Sequence[Array]) -> Array:
        """The sum of the arrays of all processes, in NCCL's order.  sums: (n,) each, used up -> (n,).

        It is queued on the current stream; the host does not wait.
        """
        buffer, *others = sums
        for other in others:
            buffer += other
        self.communicator.allReduce(buffer.data.ptr, buffer.data.ptr, buffer.size, self.types[buffer.dtype.name],
                                    self.nccl.NCCL_SUM, self.xp.cuda.get_current_stream().ptr)
        return buffer
