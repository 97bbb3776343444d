"""A function of arrays as a CUDA graph: its kernels are recorded once, and from then on one call starts them all."""

import contextlib
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from minimixer.backend import Array, CopyInGraphError, Module, device_of, matmul_precision, no_copies
from minimixer.errors import MinimixerError
from minimixer.ops.registry import wish
from minimixer.tensor import Tensor

_all: "weakref.WeakSet[Graph]" = weakref.WeakSet()


def graph_bytes() -> int:
    """Memory that graphs hold, in bytes; CuPy's own pool does not count it."""
    return sum(int(graph.memory.total_bytes()) for graph in _all)


class GraphError(MinimixerError, RuntimeError):
    """What a function does cannot be recorded; the cause says why."""


class Graph:
    """The kernels of ``function(*arguments)``; called with arrays of the same shapes it runs them on these.

    What it returns, as the function did, lies in memory of its own, which the next call overwrites.  Memory of results
    that outlive the graph is lost to CuPy.

    Parameters
    ----------
    cupy : module
    function : callable
        Takes arrays, returns arrays in tuples and lists.  It must do the same at every call: copy nothing from the
        host, wait for nothing, and read beside its arguments only arrays that stay where they are.
    arguments : sequence of array

    Raises
    ------
    CopyInGraphError
        If the function copies between devices.
    GraphError
        If it does something else that cannot be recorded, such as a product by CuPy, which refuses.
    """

    def __init__(self, cupy: Module, function: Callable[..., Any], arguments: Sequence[Array]):
        taken = 0

        def take(size: int) -> Any:
            nonlocal taken
            taken += size
            return cupy.cuda.MemoryPointer(cupy.cuda.Memory(size), 0)

        self.memory = cupy.cuda.MemoryPool(take)        # nobody else may use what the function frees
        self._arguments = [a.copy() for a in arguments]
        cupy.cuda.get_current_stream().synchronize()    # another stream does not wait for this one's kernels
        cupy.get_default_memory_pool().free_all_blocks()        # which the new pool could not have
        self._stream = cupy.cuda.Stream(non_blocking=True)
        with no_copies(), cupy.cuda.using_allocator(self.memory.malloc), self._stream:
            try:
                function(*self._arguments)              # compiles kernels, and fills the pool
            finally:
                self._stream.synchronize()
            self._stream.begin_capture()
            try:
                self._results = function(*self._arguments)
                self._graph = self._stream.end_capture()
            except BaseException as error:
                with contextlib.suppress(Exception):
                    self._stream.end_capture()
                if isinstance(error, Exception):
                    raise GraphError(str(error)) from error
                raise
            if self.memory.total_bytes() != taken:      # a full GPU: a pool then gives back what it does not use
                raise GraphError("the GPU's memory was full, and the graph would use memory that is no longer its own")
        _all.add(self)

    def __call__(self, *arguments: Array) -> Any:
        """Run the recorded kernels on these arrays."""
        for mine, given in zip(self._arguments, arguments, strict=True):
            mine[...] = given
        self._graph.launch()
        return self._results

    def __del__(self) -> None:
        # CuPy's pools do not give memory back by themselves.  At the end of the process there may be no CuPy any more.
        with contextlib.suppress(Exception):
            vars(self).update(_graph=None, _results=None, _arguments=None)
            self.memory.free_all_blocks()


class CapturedStep:
    """Calls functions that do the same at every call, as a CUDA graph where the device has them.

    Parameters
    ----------
    reads : sequence of Tensor
        What the functions read beside their arguments.

    Attributes
    ----------
    graph : callable or None
        What the last call used in place of the function, if anything.
    """

    def __init__(self, reads: Sequence[Tensor]):
        self.graph: Any = None
        self._reads = list(reads)
        self._recorded: Any = None          # what the graph was made for, or could not be made for

    def __call__(self, function: Callable[..., Any], *arguments: Array, key: object = None) -> Any:
        """What ``function(*arguments)`` returns; the next call may overwrite it.

        Another ``key`` says that the function does something else than at the last call.
        """
        record = device_of(arguments[0]).record
        if record is None:
            return function(*arguments)
        wanted = (key, wish(), matmul_precision(), [(a.shape, a.dtype) for a in arguments],
                  [(t.data.data.ptr, t.data.shape, t.data.strides) for t in self._reads])
        if wanted != self._recorded:
            self._recorded = self.graph = None
            try:
                self.graph = record(function, arguments)
            except CopyInGraphError:                    # Dropout draws on the host
                pass
            except GraphError as error:
                if not isinstance(error.__cause__, NotImplementedError):    # CuPy multiplies in ops as they are written
                    warnings.warn(f"a training step could not be recorded as a CUDA graph ({error}): it runs kernel by "
                                  "kernel, with the same numbers", RuntimeWarning, stacklevel=2)
            self._recorded = wanted
        return function(*arguments) if self.graph is None else self.graph(*arguments)
