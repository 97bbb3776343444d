"""The contenders of the race: one Mixer and one training step, written as users of each library would.

All start from minimixer's weights on the same images, so their losses after three steps must agree.  OpenMP's threads
keep their default wait policy: OMP_WAIT_POLICY=PASSIVE makes PyTorch up to twice as slow.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minimixer import nn
from minimixer.bench.memory import peak_memory, trim_memory
from minimixer.bench.report import OURS
from minimixer.bench.steps import LR, MAX_NORM, SMOOTHING, WEIGHT_DECAY, random_batch, step_of
from minimixer.bench.timing import Timed
from minimixer.parallel.host import keep_freed_memory
from minimixer.parallel.workers import Kernels, Workers


def normalized(config: nn.MixerConfig, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images, already normalized to float32, and labels: the peers need not convert them in the step."""
    images, labels = random_batch(config, batch)
    return (images.astype(np.float32) / 255 - 0.5) * 4, labels


class Contender(Timed):
    """One library; ``build`` makes the step of a cell, which is a size, a batch and a mode.

    Parameters
    ----------
    threads : int
    kept_memory : bool
        Whether the C library keeps freed memory.  minimixer always asks for it, and the peers gain from it too.
    """

    def __init__(self, threads: int, kept_memory: bool):
        self.threads = threads
        if kept_memory:
            keep_freed_memory()
        self.load()

    def load(self) -> None:
        """Import the library."""

    def build(self, size: str, batch: int, train: bool) -> Callable[[], Any]:
        """A function that makes one step; if it trains, ``float`` of its result is the loss."""
        raise NotImplementedError

    def start(self, size: str, batch: int, mode: str) -> float | None:
        """Start a cell; return the loss of its third step if it trains."""
        train = mode == "train"
        self.step = self.build(size, batch, train)
        results = [self.step() for _ in range(3)]
        return float(results[-1]) if train else None

    def peak(self, size: str, batch: int, mode: str) -> int:
        """Peak bytes of the steps, minus what the warm library held before the model was built."""
        self.start("pico", 1, mode)                     # loads what the first step loads
        base = trim_memory()
        self.start(size, batch, mode)
        trim_memory()                                   # memory of the compilers, as far as they free it
        for _ in range(3):
            self.step()
        return peak_memory() - base


class Minimixer(Contender):
    """minimixer as its trainer runs it: with compiled loops if Numba is installed."""

    kernels: Kernels = "fast"

    def load(self) -> None:
        self.workers = Workers(self.threads, self.kernels).__enter__()        # until the process ends

    def build(self, size: str, batch: int, train: bool) -> Callable[[], Any]:
        return step_of(nn.mixer(size), batch, self.workers, train)


class NumpyOnly(Minimixer):
    """minimixer without compiled loops."""

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

        from minimixer.bench.torch_mixer import Mixer, training_step
        twin = nn.mixer(size)
        pixels, labels = map(torch.from_numpy, normalized(twin.config, batch))
        images = pixels.permute(0, 3, 1, 2)             # (B, 3, H, W), channels last in memory
        model = Mixer(twin).to(memory_format=torch.channels_last)
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
        return training_step(lambda: loss_of(images, labels), params, optimizer, MAX_NORM, foreach=True)


class Compiled(PyTorch):
    """PyTorch with torch.compile, for the shapes of the cell."""

    mode = "default"

    def load(self) -> None:
        super().load()
        import torch
        torch.compile(lambda x: x + 1)(torch.ones(1))       # loads the compiler

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import torch
        torch.compiler.reset()                              # drops the code of the last cell
        return torch.compile(function, dynamic=False, mode=self.mode)


class Autotuned(Compiled):
    """torch.compile after a long search for the fastest code; not always faster, and raced only on request."""

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
        images, labels = map(jax.numpy.asarray, normalized(model.config, batch))
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


CONTENDERS: dict[str, type[Contender]] = {
    "minimixer": Minimixer, "numpy": NumpyOnly,
    "pytorch": PyTorch, "compile": Compiled, "autotune": Autotuned, "jax": Jax}
PACKAGE = dict.fromkeys(OURS, "numpy") | {"pytorch": "torch", "compile": "torch", "autotune": "torch", "jax": "jax"}
