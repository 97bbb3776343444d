"""A function of arrays as a CUDA graph: its kernels are recorded once, and from then on one call starts them all."""

import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from minimixer.backend import Array, CopyInGraphError, Module, device_of, no_copies
from minimixer.kernels.registry import references_wanted
from minimixer.tensor import Tensor

_all: "weakref.WeakSet[Graph]" = weakref.WeakSet()


def graph_bytes() -> int:
    """Memory that graphs hold, in bytes; CuPy's own pool does not count it."""
    return sum(int(graph.memory.total_bytes()) for graph in _all)


class Graph:
    """The kernels of ``function(*arguments)``; called with arrays of the same shapes it runs them on these.

    What it returns, as the function did, lies in memory of its own, which the next call overwrites.

    Parameters
    ----------
    cupy : module
    function : callable
        Takes arrays, returns arrays in tuples and lists.  It must do the same at every call: copy nothing from the
        host, wait for nothing, and read beside its arguments only arrays that stay where they are.
    arguments : sequence of array
    """

    def __init__(self, cupy: Module, function: Callable[..., Any], arguments: Sequence[Array]):
        self.memory = cupy.cuda.MemoryPool()           # nobody else may use what the function frees
        self._arguments = [a.copy() for a in arguments]
        cupy.cuda.get_current_stream().synchronize()    # another stream does not wait for this one's kernels
        stream = cupy.cuda.Stream(non_blocking=True)
        with no_copies(), cupy.cuda.using_allocator(self.memory.malloc), stream:
            function(*self._arguments)                  # compiles kernels, and fills the pool
            stream.synchronize()
            stream.begin_capture()
            try:
                self._results = function(*self._arguments)
            finally:
                self._graph = stream.end_capture()
        _all.add(self)

    def __call__(self, *arguments: Array) -> Any:
        for mine, given in zip(self._arguments, arguments, strict=True):
            mine[...] = given
        self._graph.launch()
        return self._results


class Repeated:
    """Calls functions that do the same at every call, by a graph where the device has them.

    Parameters
    ----------
    reads : sequence of Tensor
        What the functions read beside their arguments.
    """

    def __init__(self, reads: Sequence[Tensor]):
        self._reads = list(reads)
        self._recorded: Any = None          # what the graph was made for,
        self._graph: Any = None             # and the graph; None if it cannot be one

    def __call__(self, function: Callable[..., Any], *arguments: Array) -> Any:
        """What ``function(*arguments)`` returns; the next call may overwrite it."""
        record = device_of(arguments[0]).record
        if record is None:
            return function(*arguments)
        wanted = (references_wanted(), [(a.shape, a.dtype) for a in arguments], [t.data.data.ptr for t in self._reads])
        if wanted != self._recorded:
            self._recorded, self._graph = wanted, None
            try:
                self._graph = record(function, arguments)
            except CopyInGraphError:        # Dropout draws on the host
                pass
            except Exception as error:
                warnings.warn(f"a training step could not be recorded as a CUDA graph ({error}): it runs kernel by "
                              "kernel, with the same numbers", RuntimeWarning, stacklevel=2)
        return function(*arguments) if self._graph is None else self._graph(*arguments)
