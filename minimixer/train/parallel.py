"""A batch is cut into shards, and threads work on them; NumPy lets go of the interpreter while it computes.

Where the cuts are depends on the model and the batch alone, and the gradients of the shards are added in an order that
depends on their number alone: the result does not depend on the number of workers, to the last bit.  Processes that
train together take neighbouring shards each, and meet in the sum (group.py).
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np

from minimixer import autograd
from minimixer import functional as F
from minimixer.backend import Array, array_module
from minimixer.data.batches import LAYERS, generator, normalize
from minimixer.data.enlarge import enlarge
from minimixer.gpu.graph import Repeated
from minimixer.kernels.host import keep_freed_memory, one_blas_thread
from minimixer.kernels.registry import compiled_loops
from minimixer.nn import Model, draw_from
from minimixer.tensor import Tensor
from minimixer.train.group import Group
from minimixer.train.ordered import add_up, cover
from minimixer.train.shards import Plan, shards

A = TypeVar("A")
R = TypeVar("R")


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
        keep_freed_memory()
        self._stack.enter_context(one_blas_thread())
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
    group : Group, optional
        The processes that share the work; by default there is this one only.
    graph : bool
        Whether a GPU records the gradients as a CUDA graph.  It cannot where several processes share a batch, pictures
        are enlarged, or a layer draws.
    """

    def __init__(self, model: Model, workers: Workers, mean: Array, std: Array, label_smoothing: float = 0.0,
                 seed: int = 0, enlarged_from: int | None = None, group: Group | None = None, graph: bool = False):
        self.model = model
        self.workers = workers
        self.mean = mean
        self.std = std
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.enlarged_from = enlarged_from
        self.group = group or Group()
        self.params = model.parameters()
        tensors = [tensor for _, tensor in model.named_tensors()]                      # frozen ones too
        self.dtype = tensors[0].dtype
        self.repeated = Repeated(tensors) if graph and self.group.size == 1 else None
        # Every thread of every process should get a shard; a process alone leaves the cuts as they are.
        self.at_least = self.group.size * self.group.largest(workers.count) if self.group.size > 1 else 1

    def plan(self, batch_size: int) -> Plan:
        """Give every process its run of the shards of a batch."""
        device, size = self.model.device, self.group.size
        cuts = shards(batch_size, self.model.config, device, self.at_least if device == "cpu" else size)
        ends = [len(cuts) * rank // size for rank in range(size + 1)]
        spans = [cover(start, stop, (0, len(cuts))) for start, stop in pairwise(ends)]
        return Plan(cuts, spans, cuts[ends[self.group.rank]:ends[self.group.rank + 1]])

    def alone(self) -> "ShardedModel":
        """The same model, for one process to compute with by itself."""
        return ShardedModel(self.model, self.workers, self.mean, self.std, self.label_smoothing, self.seed,
                            self.enlarged_from)

    def _inputs(self, images: Array) -> Tensor:
        """What the model is given for pictures of uint8: (B, H, W, channels), numbers of the type of its weights."""
        if images.shape[1] == self.enlarged_from:
            images = enlarge(images, self.model.config.image_size)
        return Tensor(normalize(images, self.mean, self.std).astype(self.dtype, copy=False))

    def gradients(self, images: Array, labels: Array, step: int,
                  batch_size: int | None = None) -> tuple[Array, Array, list[Array]]:
        """Loss, number of right answers and gradients of one training step.

        Parameters
        ----------
        images : array of uint8, shape (B, H, W, channels)
            Of a batch that several processes share, the pictures that are this one's by ``plan``.
        labels : array
            Class numbers, integers of shape (B,), or probabilities of shape (B, num_classes).
        step : int
            Decides, with the seed, what Dropout and StochasticDepth draw for every picture.
        batch_size : int, optional
            Of the whole batch; by default the pictures given are all of it.

        Returns
        -------
        loss : array, shape ()
            Mean over the whole batch, in nats.
        correct : array, shape ()
            How many of its pictures got their class, or the likelier one of a mixture's two.
        gradients : list of array
            Of the mean loss, one a parameter; of a graph, until the next step.
        """
        self.model.train()

        def compute(images: Array, labels: Array) -> tuple[Array, Array, list[Array]]:
            return self._gradients(images, labels, step, batch_size or len(images))

        key = batch_size, self.label_smoothing, id(self.mean), id(self.std)
        loss, correct, gradients = (compute(images, labels) if self.repeated is None else
                                    self.repeated(compute, images, labels, key=key))
        return loss.copy(), correct.copy(), gradients       # kept until a line is logged, without the buffer of all

    def _gradients(self, images: Array, labels: Array, step: int, batch: int) -> tuple[Array, Array, list[Array]]:
        plan = self.plan(batch)
        first = plan.pictures.start
        answers = labels if labels.ndim == 1 else labels.argmax(1)          # (B,)

        def work(shard: slice) -> list[Array]:
            here = slice(shard.start - first, shard.stop - first)
            with draw_from(generator(self.seed, LAYERS, step), shard, batch):
                logits = self.model(self._inputs(images[here]))
            loss = F.cross_entropy(logits, labels[here], self.label_smoothing, reduction="sum") / batch
            correct = (logits.data.argmax(1) == answers[here]).sum()
            return [*autograd.grad(loss, self.params), loss.data, correct]

        if len(plan.shards) == self.group.size == 1:        # nothing to add up
            *gradients, loss, correct = work(plan.mine[0])
            return loss, correct, gradients
        done = iter(self._map(work, plan.mine))
        sums = [add_up(span, done, self._flat, self._add) for span in plan.spans[self.group.rank]]
        *gradients, loss, correct = self._views(self.group.total(sums, plan.spans, self.length))
        return loss, correct, gradients

    def _map(self, fn: Callable[[slice], R], items: Iterable[slice]) -> Iterable[R]:
        """Shard by shard on a GPU, which works through one queue anyway: one at a time is in its memory."""
        return self.workers.map(fn, items) if self.model.device == "cpu" else map(fn, items)

    @property
    def length(self) -> int:
        """Numbers that a step adds up: the gradients, the loss, the right answers."""
        return self._ends[-1]

    @cached_property
    def _ends(self) -> list[int]:
        """Where the gradient of each parameter, the loss and the right answers end in the flat buffer of them all."""
        return list(accumulate([*(p.size for p in self.params), 1, 1]))

    def _views(self, flat: Array) -> list[Array]:
        """What a flat buffer holds, in its own memory: the gradients, the loss, the number of right answers."""
        shapes = [*(p.shape for p in self.params), (), ()]
        starts = [0, *self._ends]
        return [flat[start:stop].reshape(shape) for (start, stop), shape in zip(pairwise(starts), shapes, strict=True)]

    def _flat(self, parts: Sequence[Array]) -> Array:
        xp = array_module(self.params[0].data)
        flat = xp.empty(self.length, self.dtype)
        for view, part in zip(self._views(flat), parts, strict=True):
            view[...] = part
        return flat

    def _add(self, flat: Array, parts: Sequence[Array]) -> None:
        for view, part in zip(self._views(flat), parts, strict=True):
            view += part

    def predict(self, images: Array) -> Array:
        """Logits, (B, num_classes), of pictures (B, H, W, channels) of uint8, the same ones in every process."""
        self.model.eval()

        def work(shard: slice) -> Array:
            with autograd.no_grad():
                return self.model(self._inputs(images[shard])).data

        xp = array_module(images)
        none = xp.empty((0, self.model.config.num_classes), self.dtype)       # where there is no shard
        return self.group.join(xp.concatenate([none, *self._map(work, self.plan(len(images)).mine)]))


def score(logits: Array, labels: Array) -> tuple[float, float]:
    """Mean cross-entropy in nats, without smoothing, and share of right answers in 0..1."""
    with autograd.no_grad():
        loss = F.cross_entropy(Tensor(logits), labels).item()
    return loss, float(np.mean((logits.argmax(1) == labels).tolist()))
