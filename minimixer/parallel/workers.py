"""Threads that compute shards; NumPy releases the interpreter's lock while it computes."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Literal, TypeVar

from minimixer.ops.registry import Wish, inherit, use
from minimixer.parallel.host import limit_blas_here, one_blas_thread, physical_cores

A = TypeVar("A")
R = TypeVar("R")
Kernels = Literal["fast", "inplace", "reference"]
WISHES: dict[Kernels, Wish] = {"fast": "compiled", "inplace": "inplace", "reference": "reference"}


class Workers:
    """Threads for shards, each with single-threaded BLAS.  Use it as a context manager; it restores what it changed.

    Parameters
    ----------
    count : int, optional
        By default one per physical core that this process may use.
    kernels : "fast", "inplace" or "reference"
        Which form of every op runs: the fastest there is, the fastest without compiled loops, or the op as written.

    Attributes
    ----------
    compiled : bool
        Inside the block, whether compiled loops run: the setting asks for them, and Numba is installed.
    """

    def __init__(self, count: int | None = None, kernels: Kernels = "fast"):
        self.count = physical_cores() if count is None else count
        self.kernels = kernels
        self.compiled = False
        self._stack = ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        self._stack.enter_context(one_blas_thread())
        runs = self._stack.enter_context(use(WISHES[self.kernels]))
        self.compiled = runs == "compiled"
        if self.count > 1:
            self._pool = ThreadPoolExecutor(self.count, "minimixer", _begin_thread, (runs,))
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            ordinary = error is None or issubclass(error, Exception)     # after Ctrl-C nobody waits for a shard
            self._pool.shutdown(wait=ordinary, cancel_futures=True)
        self._stack.close()

    def map(self, fn: Callable[[A], R], items: Iterable[A]) -> Iterable[R]:
        """Results of fn on every item, in order, as they come; an exception in a thread is raised here."""
        return map(fn, items) if self._pool is None else self._pool.map(fn, items)


def _begin_thread(runs: Wish) -> None:
    inherit(runs)
    limit_blas_here()
