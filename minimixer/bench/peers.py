"""The contenders of the race: one Mixer, one training step, written as each library's own users would.

All start from minimixer's weights on the same pictures, so the loss of their third step must agree.  OpenMP's threads
wait as they do by default: told to sleep (OMP_WAIT_POLICY=PASSIVE) they make PyTorch up to twice as slow.
"""

import importlib.metadata
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import minimixer as mm
from minimixer import nn
from minimixer.backend import Array
from minimixer.bench.children import Timed, peak_memory, trim_memory
from minimixer.parallel.host import keep_freed_memory
from minimixer.parallel.workers import Kernels

if TYPE_CHECKING:
    from minimixer.parallel import ShardedModel

LR, WEIGHT_DECAY, SMOOTHING, MAX_NORM = 1e-3, 0.05, 0.1, 1.0


def pictures(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images (B, 32, 32, 3) of uint8 and labels (B,)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (batch, 32, 32, 3), np.uint8), rng.integers(0, 10, batch)


def normalized(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures as floats around 0, made before the clock runs, and labels."""
    images, labels = pictures(batch)
    return (images.astype(np.float32) / 255 - 0.5) * 4, labels


class Contender(Timed):
    """One library: ``build`` makes the step of a cell.

    Parameters
    ----------
    threads : int
    kept_memory : bool
        Whether the C library keeps freed memory, as minimixer always asks it to: one line that serves the peers too.
    """

    def __init__(self, threads: int, kept_memory: bool):
        self.threads = threads
        if kept_memory:
            keep_freed_memory()
        self.load()

    def load(self) -> None:
        """Import the library."""

    def build(self, size: str, batch: int, train: bool) -> Callable[[], Any]:
        """A function that makes one step and returns something of which ``float`` is the loss, if it trains."""
        raise NotImplementedError

    def start(self, size: str, batch: int, mode: str) -> float | None:
        """Begin a cell; the loss of the third step where it trains."""
        train = mode == "train"
        self.step = self.build(size, batch, train)
        results = [self.step() for _ in range(3)]
        return float(results[-1]) if train else None

    def peak(self, size: str, batch: int, mode: str) -> int:
        """Bytes that steps need above those the library held, once warm, before the model was built."""
        self.start("pico", 1, mode)                     # loads what it loads at its first step
        base = trim_memory()
        self.start(size, batch, mode)
        trim_memory()                                   # the compilers' own, as far as they let go of it
        for _ in range(3):
            self.step()
        return peak_memory() - base


def training_step(model: "ShardedModel", optimizer: mm.optim.Optimizer, images: Array, labels: Array,
                  batch_size: int | None = None) -> Array:
    """One step of minimixer as its trainer makes it, clipped on the way into the update; the loss, a 0-d array."""
    loss, _, gradients = model.gradients(images, labels, optimizer.step_count, batch_size)
    optimizer.step(gradients, mm.optim.clip_factor(gradients, MAX_NORM)[0])
    return loss


class Minimixer(Contender):
    """minimixer, as its trainer runs it: with compiled loops where Numba is installed."""

    kernels: Kernels = "fast"

    def load(self) -> None:
        from minimixer.parallel import Workers
        self.workers = Workers(self.threads, self.kernels).__enter__()        # until the process ends

    def build(self, size: str, batch: int, train: bool) -> Callable[[], Any]:
        from minimixer.parallel import ShardedModel
        images, labels = pictures(batch)
        half, quarter = np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32)
        model = ShardedModel(nn.mixer(size), self.workers, half, quarter, SMOOTHING)
        if not train:
            return lambda: model.predict(images)
        optimizer = mm.optim.AdamW(model.params, LR, weight_decay=WEIGHT_DECAY)
        return lambda: training_step(model, optimizer, images, labels)


class NumpyOnly(Minimixer):
    """The same, with NumPy's loops."""

    kernels = "inplace"


class PyTorch(Contender):
    """Eager PyTorch."""

    def load(self) -> None:
        import torch
        torch.set_num_threads(self.threads)

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def build(self, size: str, batch: int, train: bool) -> Callable[[], Any]:
        import torch

        from minimixer.bench.torch_mixer import Mixer
        pixels, labels = map(torch.from_numpy, normalized(batch))
        images = pixels.permute(0, 3, 1, 2)             # (B, 3, H, W), channels last in memory
        model = Mixer(nn.mixer(size)).to(memory_format=torch.channels_last)
        if not train:
            forward = self.compile(model.eval())

            def infer() -> Any:
                with torch.inference_mode():
                    return forward(images)
            return infer
        params = list(model.parameters())
        optimizer = torch.optim.AdamW(params, LR, weight_decay=WEIGHT_DECAY, fused=True)
        loss_of = self.compile(
            lambda x, y: torch.nn.functional.cross_entropy(model(x), y, label_smoothing=SMOOTHING))

        def step() -> Any:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(images, labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(params, MAX_NORM, foreach=True)
            optimizer.step()
            return loss.detach()
        return step


class Compiled(PyTorch):
    """PyTorch behind torch.compile, for the shapes of the cell."""

    mode = "default"

    def load(self) -> None:
        super().load()
        import torch
        torch.compile(lambda x: x + 1)(torch.ones(1))       # loads the compiler

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import torch
        torch.compiler.reset()                              # the last cell's code
        return torch.compile(function, dynamic=False, mode=self.mode)


class Autotuned(Compiled):
    """The same, after a long search for the fastest code; not faster everywhere, and in the race only if named."""

    mode = "max-autotune"


class Jax(Contender):
    """JAX, compiled."""

    def load(self) -> None:
        import jax
        jax.numpy.ones(1).block_until_ready()               # loads the compiler

    def build(self, size: str, batch: int, train: bool) -> Callable[[], Any]:
        import jax

        from minimixer.bench import jax_mixer
        model = nn.mixer(size)
        images, labels = map(jax.numpy.asarray, normalized(batch))
        params = {name: jax.numpy.array(p.data) for name, p in model.named_parameters()}
        if not train:
            forward = jax.jit(lambda params, images: jax_mixer.forward(params, images, model.config))
            return lambda: forward(params, images).block_until_ready()
        update = jax_mixer.training_step(model.config, LR, WEIGHT_DECAY, SMOOTHING, MAX_NORM)
        state = [params, *({name: jax.numpy.zeros_like(p) for name, p in params.items()} for _ in range(2)),
                 jax.numpy.int32(0)]

        def step() -> Any:
            state[:], loss = update(*state, images, labels)
            jax.block_until_ready(state)
            return loss
        return step


class Roofline:
    """The fastest products of the machine: every thread multiplies matrices in a core's own cache."""

    def __init__(self, threads: int):
        from threadpoolctl import threadpool_limits
        self.limits = threadpool_limits(1, user_api="blas")
        rng = np.random.default_rng(0)
        self.operands = [(rng.random((1024, 128), np.float32), rng.random((128, 512), np.float32),
                          np.empty((1024, 512), np.float32)) for _ in range(threads)]

    def block(self, seconds: float = 0.3) -> float:
        """GFLOP/s of all threads together."""
        rates: list[float] = []
        barrier = threading.Barrier(len(self.operands))

        def multiply(a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
            np.matmul(a, b, out=y)
            barrier.wait()
            start, count = time.perf_counter(), 0
            while time.perf_counter() < start + seconds:
                np.matmul(a, b, out=y)
                count += 1
            rates.append(2e-9 * count * y.size * a.shape[1] / (time.perf_counter() - start))

        threads = [threading.Thread(target=multiply, args=arrays) for arrays in self.operands]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(rates)


CONTENDERS: dict[str, type[Contender]] = {
    "minimixer": Minimixer, "numpy": NumpyOnly,
    "pytorch": PyTorch, "compile": Compiled, "autotune": Autotuned, "jax": Jax}
OURS = {"minimixer", "numpy"}
PACKAGE = dict.fromkeys(OURS, "numpy") | {"pytorch": "torch", "compile": "torch", "autotune": "torch", "jax": "jax"}


def versions() -> dict[str, str | None]:
    """Of the packages that compute; None where one is not installed."""
    found: dict[str, str | None] = {}
    for name in ("numpy", "numba", "torch", "jax"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found
