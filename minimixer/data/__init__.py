"""Images and labels: data sets, downloads, augmentation, batches.  Start with ``dataset.py`` and ``batches.py``.

The random numbers of a batch follow from (seed, purpose, position) alone.  A change of their order changes the bytes of
every run, so it needs a line in CHANGELOG.md.  A new source goes into ``sources/``.
"""

from minimixer.data.augment import Augmentation, flip, pad_crop
from minimixer.data.batches import Batches, Prefetch, normalize
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.sources.cifar import load_cifar10, load_cifar100
from minimixer.data.sources.digits import load_digits

__all__ = ["Augmentation", "Batches", "DataError", "Dataset", "Prefetch", "flip", "load_cifar10", "load_cifar100",
           "load_digits", "normalize", "pad_crop"]
