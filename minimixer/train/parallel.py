"""A batch is cut into shards, and threads work on them; NumPy lets go of the interpreter while it computes.

Where the cuts are depends on the model and the batch alone, and the gradients of the shards are added in the order of
the shards: the result does not depend on the number of workers, to the last bit.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from typing import TypeVar

import numpy as np

from minimixer import autograd
from minimixer import functional as F
from minimixer.backend import Array, array_module
from minimixer.data.batches import LAYERS, generator, normalize
from minimixer.data.enlarge import enlarge
from minimixer.kernels.host import keep_freed_memory
from minimixer.kernels.registry import compiled_loops
from minimixer.nn import Model, ModelConfig, draw_from
from minimixer.tensor import Tensor

A = TypeVar("A")
R = TypeVar("R")

# The largest array of a shard, float32: a few times a core's own cache, or a part of a GPU's memory.
SHARD_BYTES = {"cpu": 2 << 20, "gpu": 1 << 30}
SMALLEST_SHARD = 16         # pictures: with fewer, handing the interpreter back and forth costs more than it gains


class Workers:
    """Threads for shards, each with single-threaded BLAS.  Use it as a context manager.

    Parameters
    ----------
    count : int, optional
        By default one a physical core that this process may use.
    compiled : bool
        Whether loops over elements run as Numba compiles them, where it is installed.
    """

    def __init__(self, count: int | None = None, compiled: bool = True):
        if count is None:
            import joblib
            count = joblib.cpu_count(only_physical_cores=True)
        self.count = count
        self.compiled = compiled
        self._stack = ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        from threadpoolctl import threadpool_limits
        keep_freed_memory()
        self._stack.enter_context(threadpool_limits(1, user_api="blas"))
        self.compiled = self._stack.enter_context(compiled_loops(self.compiled))
        if self.count > 1:
            self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="minimixer")
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            ordinary = error is None or issubclass(error, Exception)     # after Ctrl-C nobody waits for a shard
            self._pool.shutdown(wait=ordinary, cancel_futures=True)
        self._stack.close()

    def map(self, fn: Callable[[A], R], items: Iterable[A]) -> Iterable[R]:
        """Results of fn on every item, in order, as they come; an exception in a thread is raised here."""
        return map(fn, items) if self._pool is None else self._pool.map(fn, items)


def shards(batch_size: int, config: ModelConfig, device: str = "cpu") -> list[slice]:
    """Cut a batch into parts as equal as can be, small enough that the arrays of a shard stay near the processor.

    On a CPU their number is a multiple of four, so that two or four threads end together, unless the batch is too small
    for that.
    """
    largest = max(1, SHARD_BYTES["cpu" if device == "cpu" else "gpu"] // (4 * config.widest_array))     # pictures
    count = -(-batch_size // largest)
    if device == "cpu":
        count = max(1, min(4 * -(-count // 4), batch_size // SMALLEST_SHARD), count)
    ends = [batch_size * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(ends)]


class ShardedModel:
    """A model that computes on whole batches of pictures, shard by shard.

    Parameters
    ----------
    model : Model
    workers : Workers
    mean, std : array, shape (channels,)
        Of the pixels on the 0..1 scale.
    label_smoothing : float
    seed : int
        Of the layers that draw.
    enlarged_from : int, optional
        Pictures of this side are enlarged to the model's size, shard by shard.
    """

    def __init__(self, model: Model, workers: Workers, mean: Array, std: Array, label_smoothing: float = 0.0,
                 seed: int = 0, enlarged_from: int | None = None):
        self.model = model
        self.workers = workers
        self.mean = mean
        self.std = std
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.enlarged_from = enlarged_from
        self.params = model.parameters()

    def _shards(self, images: Array) -> list[slice]:
        return shards(len(images), self.model.config, self.params[0].device)

    def _inputs(self, images: Array) -> Tensor:
        """What the model is given for pictures of uint8: (B, H, W, channels) float32."""
        if images.shape[1] == self.enlarged_from:
            images = enlarge(images, self.model.config.image_size)
        return Tensor(normalize(images, self.mean, self.std))

    def gradients(self, images: Array, labels: Array, step: int) -> tuple[Array, Array, list[Array]]:
        """Loss, number of right answers and gradients of one training step.

        Parameters
        ----------
        images : array of uint8, shape (B, H, W, channels)
        labels : array
            Class numbers, integers of shape (B,), or probabilities of shape (B, num_classes).
        step : int
            Decides, with the seed, what Dropout and StochasticDepth draw for every picture.

        Returns
        -------
        loss : array, shape ()
            Mean over the batch, in nats.
        correct : array, shape ()
            How many pictures got their class, or the likelier one of a mixture's two.
        gradients : list of array
            Of the mean loss, one a parameter.
        """
        self.model.train()
        batch = len(images)
        answers = labels if labels.ndim == 1 else labels.argmax(1)          # (B,)

        def work(shard: slice) -> tuple[Array, Array, Sequence[Array]]:
            with draw_from(generator(self.seed, LAYERS, step), shard, batch):
                logits = self.model(self._inputs(images[shard]))
            loss = F.cross_entropy(logits, labels[shard], self.label_smoothing, reduction="sum") / batch
            correct = (logits.data.argmax(1) == answers[shard]).sum()
            return loss.data, correct, autograd.grad(loss, self.params)

        loss, correct = 0.0, 0
        total: list[Array] = []
        for shard_loss, shard_correct, gradients in self.workers.map(work, self._shards(images)):
            loss = loss + shard_loss
            correct = correct + shard_correct
            if not total:
                total = [g.copy() for g in gradients]
            else:
                for t, g in zip(total, gradients, strict=True):
                    t += g
        return loss, correct, total

    def predict(self, images: Array) -> Array:
        """Logits, (B, num_classes), of pictures (B, H, W, channels) of uint8."""
        self.model.eval()

        def work(shard: slice) -> Array:
            with autograd.no_grad():
                return self.model(self._inputs(images[shard])).data

        return array_module(images).concatenate(list(self.workers.map(work, self._shards(images))))


def score(logits: Array, labels: Array) -> tuple[float, float]:
    """Mean cross-entropy in nats, without smoothing, and share of right answers in 0..1."""
    with autograd.no_grad():
        loss = F.cross_entropy(Tensor(logits), labels).item()
    return loss, float(np.mean((logits.argmax(1) == labels).tolist()))
