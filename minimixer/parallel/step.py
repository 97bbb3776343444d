"""The forward and backward pass on a batch, cut into shards that threads compute.

The cuts depend on the model and the batch alone, and the order in which the shards' gradients are added depends on
their number alone: the result does not depend on the number of workers, to the last bit.  Processes that train together
take neighboring shards each and add them up in one collective call (group.py).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TypeVar, cast

import numpy as np

from minimixer import autograd
from minimixer import functional as F
from minimixer.backend import Array, array_module
from minimixer.data.batches import LAYERS, generator, normalize
from minimixer.data.enlarge import enlarge
from minimixer.gpu.graph import CapturedStep
from minimixer.nn import Model, ModelConfig, Module, draw_from
from minimixer.parallel.group import Group
from minimixer.parallel.shards import Plan, shards
from minimixer.parallel.tree_sum import add_up, cover
from minimixer.parallel.workers import Workers
from minimixer.tensor import Tensor

R = TypeVar("R")


class ShardedModel:
    """A model that computes on whole batches of images, shard by shard.

    Parameters
    ----------
    model : Module
    workers : Workers
    mean, std : array, shape (channels,)
        Those of the pixels, on the 0..1 scale.
    label_smoothing : float
    seed : int
        For layers that draw random numbers.
    enlarged_from : int, optional
        Images of this side are enlarged to the model's size, shard by shard.
    group : Group, optional
        The processes that share the work; by default this one only.
    graph : bool
        Record the gradients as a CUDA graph on a GPU.  Not possible if several processes share a batch, images are
        enlarged, or a layer draws random numbers.
    sizes : ModelConfig, optional
        Those of the model; by default its ``config``.
    """

    def __init__(self, model: Module, workers: Workers, mean: Array, std: Array, label_smoothing: float = 0.0,
                 seed: int = 0, enlarged_from: int | None = None, group: Group | None = None, graph: bool = False,
                 sizes: ModelConfig | None = None):
        self.model = model
        self.sizes: ModelConfig = sizes or cast(Model, model).config
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
        self.captured = CapturedStep(tensors) if graph and self.group.size == 1 else None
        # Every thread of every process should get a shard; a single process leaves the cuts as they are.
        self.at_least = self.group.size * self.group.all_reduce_max(workers.count) if self.group.size > 1 else 1

    def plan(self, batch_size: int) -> Plan:
        """Give every process its consecutive shards of a batch."""
        device, size = self.model.device, self.group.size
        cuts = shards(batch_size, self.sizes, device, self.at_least if device == "cpu" else size)
        ends = [len(cuts) * rank // size for rank in range(size + 1)]
        spans = [cover(start, stop, (0, len(cuts))) for start, stop in pairwise(ends)]
        return Plan(cuts, spans, cuts[ends[self.group.rank]:ends[self.group.rank + 1]])

    def alone(self) -> "ShardedModel":
        """The same model, in a group of one process."""
        return ShardedModel(self.model, self.workers, self.mean, self.std, self.label_smoothing, self.seed,
                            self.enlarged_from, sizes=self.sizes)

    def _inputs(self, images: Array) -> Tensor:
        """Normalized images, in the dtype of the weights: (B, H, W, channels) of uint8 -> the same shape."""
        if images.shape[1] == self.enlarged_from:
            images = enlarge(images, self.sizes.image_size)
        return Tensor(normalize(images, self.mean, self.std).astype(self.dtype, copy=False))

    def gradients(self, images: Array, labels: Array, step: int,
                  batch_size: int | None = None) -> tuple[Array, Array, list[Array]]:
        """Loss, number of correct predictions and gradients of one training step.

        Parameters
        ----------
        images : array of uint8, shape (B, H, W, channels)
            If several processes share the batch, the images that ``plan`` gives this one.
        labels : array
            Class numbers, integers of shape (B,), or probabilities of shape (B, num_classes).
        step : int
            With the seed, it fixes what Dropout and StochasticDepth draw for every image.
        batch_size : int, optional
            That of the whole batch; by default the given images are all of it.

        Returns
        -------
        loss : array, shape ()
            Mean over the whole batch, in nats.
        correct : array, shape ()
            How many of its images got their class, or the likelier of the two in a mixture.
        gradients : list of array
            Those of the mean loss, one per parameter.  With a CUDA graph, the next step overwrites them.
        """
        self.model.train()

        def compute(images: Array, labels: Array) -> tuple[Array, Array, list[Array]]:
            return self._gradients(images, labels, step, batch_size or len(images))

        key = batch_size, self.label_smoothing, id(self.mean), id(self.std)
        loss, correct, gradients = (compute(images, labels) if self.captured is None else
                                    self.captured(compute, images, labels, key=key))
        return loss.copy(), correct.copy(), gradients       # kept until a line is logged, without the flat buffer

    def _gradients(self, images: Array, labels: Array, step: int, batch: int) -> tuple[Array, Array, list[Array]]:
        plan = self.plan(batch)
        first = plan.images.start
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
        *gradients, loss, correct = self._views(self.group.all_reduce_sum(sums, plan.spans, self.length))
        return loss, correct, gradients

    def _map(self, fn: Callable[[slice], R], items: Iterable[slice]) -> Iterable[R]:
        """Shard by shard on a GPU, which has one queue anyway: so only one shard is in its memory."""
        return self.workers.map(fn, items) if self.model.device == "cpu" else map(fn, items)

    @property
    def length(self) -> int:
        """How many numbers a step adds up: the gradients, the loss, the count of correct predictions."""
        return self._ends[-1]

    @cached_property
    def _ends(self) -> list[int]:
        """Where the gradient of each parameter, the loss and the count end in the flat buffer."""
        return list(accumulate([*(p.size for p in self.params), 1, 1]))

    def _views(self, flat: Array) -> list[Array]:
        """Views into a flat buffer: the gradients, the loss, the count of correct predictions."""
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
        """Logits, (B, num_classes), of images (B, H, W, channels) of uint8, the same ones in every process."""
        self.model.eval()

        def work(shard: slice) -> Array:
            with autograd.no_grad():
                return self.model(self._inputs(images[shard])).data

        xp = array_module(images)
        none = xp.empty((0, self.sizes.num_classes), self.dtype)       # a process may have no shard
        return self.group.all_gather(xp.concatenate([none, *self._map(work, self.plan(len(images)).mine)]))


def score(logits: Array, labels: Array) -> tuple[float, float]:
    """Mean cross-entropy in nats, without smoothing, and accuracy in 0..1."""
    with autograd.no_grad():
        loss = F.cross_entropy(Tensor(logits), labels).item()
    return loss, float(np.mean((logits.argmax(1) == labels).tolist()))
