from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from minimixer.backend import Array, array_module, to_device
from minimixer.data.augment import Augmentation
from minimixer.data.dataset import Dataset
from minimixer.errors import UsageError

ORDER, AUGMENTATION, LAYERS, PARTS = range(4)      # purposes of the random streams


def generator(seed: int, stream: int, position: int) -> np.random.Generator:
    """The random numbers of one step (or epoch) of a run.

    They depend on the position alone, so there is no generator to save: a run resumed at any step, with any number of
    workers, draws the same numbers.
    """
    return np.random.default_rng((seed, stream, position))


class Batches:
    """The training images as an endless sequence of mini-batches, each epoch in a new order.

    ``batches[step]`` is the batch of any step, ``batches.epoch(n)`` are those of one epoch.  A plain loop is an epoch,
    too: the first loop over an object is epoch 0, the second is epoch 1, and so on, whether a loop ran to its end or
    was left early:

    >>> for epoch in range(30):
    ...     for images, labels in batches:
    ...         ...

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
        Images per batch.  An incomplete batch at the end of an epoch is dropped.
    seed : int
    augmentation : Augmentation
    device : str
        Device of the batches.
    part : slice, optional
        The images of each batch to return, such as those of one of several processes; by default all.  Random numbers
        are drawn for the whole batch, so the images do not depend on the part.

    Raises
    ------
    UsageError
        If there are fewer images than a batch holds, or their pixels are not uint8.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int = 0, augmentation: Augmentation | None = None,
                 device: str = "cpu", part: slice | None = None):
        count = len(dataset.train_images)
        if not 1 <= batch_size <= count:
            raise UsageError(f"batch_size is {batch_size}, expected 1..{count}, the number of training images of "
                             f"{dataset.name}")
        if dataset.train_images.dtype != np.uint8:
            raise UsageError(f"the images of {dataset.name} are of {dataset.train_images.dtype}, expected uint8, "
                             "pixels in 0..255")
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation or Augmentation()
        self.device = device
        start, stop, _ = (part or slice(None)).indices(batch_size)
        # A mixture needs the preceding image; for the first image of a batch, that is the last one.
        self._before = int(self.augmentation.mixes and stop - start < batch_size)
        self._rows = np.arange(start - self._before, stop) % batch_size
        self._order: tuple[int, Array] = (-1, None)         # epoch, its permutation
        self._begun = 0                                     # epochs that loops have begun

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        """The batches of the next epoch that no loop has begun."""
        self._begun += 1
        return self.epoch(self._begun - 1)

    def epoch(self, number: int) -> Iterator[tuple[Array, Array]]:
        """The ``len(self)`` batches of an epoch, counted from 0; the same each time.  Raises IndexError if negative."""
        if number < 0:
            raise IndexError(f"epoch is {number}: epochs are counted from 0")
        return (self[step] for step in range(number * len(self), (number + 1) * len(self)))

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self.dataset.train_images) // self.batch_size

    def __getitem__(self, step: int) -> tuple[Array, Array]:
        """The batch of a step, counted from 0 over all epochs: images (B, H, W, channels) of uint8, labels (B,).

        With a part, B is its length.  If the augmentation mixes images, the labels are probabilities of shape
        (B, num_classes).  Raises IndexError for a negative step.
        """
        if step < 0:
            raise IndexError(f"step is {step}: steps are counted from 0")
        epoch, position = divmod(step, len(self))
        if self._order[0] != epoch:
            self._order = epoch, generator(self.seed, ORDER, epoch).permutation(len(self.dataset.train_images))
        chosen = self._order[1][position * self.batch_size:(position + 1) * self.batch_size]
        chosen, place = chosen[self._rows], (self._rows, self.batch_size)
        images = to_device(self.dataset.train_images[chosen], self.device)
        rng = generator(self.seed, AUGMENTATION, step)
        images = self.augmentation(images, rng, *place)
        images, labels = self.augmentation.mix(images, self.dataset.train_labels[chosen], self.dataset.num_classes, rng,
                                               *place)
        return images[self._before:], to_device(labels[self._before:], self.device)


class Prefetch:
    """Batches, with the next one prepared on a thread while the current one is used; same batches, same order.

    Use it as a context manager.
    """

    def __init__(self, batches: Batches):
        self.batches = batches
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="minimixer-batches")
        self._ahead: dict[int, Future[tuple[Array, Array]]] = {}

    def __enter__(self) -> "Prefetch":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def __getitem__(self, step: int) -> tuple[Array, Array]:
        """As ``Batches``; step + 1 is prepared next."""
        batch = self._ahead.pop(step, None) or self._thread.submit(self.batches.__getitem__, step)
        self._ahead = {step + 1: self._thread.submit(self.batches.__getitem__, step + 1)}
        return batch.result()


def check_pixels(images: Array) -> None:
    """Raise ValueError unless the pixels are uint8."""
    if images.dtype != np.uint8:
        raise ValueError(f"images are of {images.dtype}, expected uint8, pixels in 0..255")


def normalize(images: Array, mean: Array, std: Array) -> Array:
    """Pixels 0..255 to float32 numbers around 0: ``(pixel / 255 - mean) / std``.

    images: (..., channels) of uint8; mean, std: (channels,) on the 0..1 scale, on the same device.  Raises ValueError
    for other pixels.
    """
    check_pixels(images)
    xp = array_module(images)
    return (images.astype(xp.float32) - 255 * mean) * (1 / (255 * std))
