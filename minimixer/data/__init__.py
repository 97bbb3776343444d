"""Images and labels: data sets, downloads, augmentation, batches.

Start with ``dataset.py``, ``loading.py`` and ``batches.py``.

The random numbers of a batch follow from (seed, purpose, position) alone.  A change of their order changes the bytes of
every run, so it needs a line in CHANGELOG.md.  A new source goes into ``sources/``; ``sources/paths.py`` finds it at a
path.
"""

from minimixer.data.arrays import from_arrays
from minimixer.data.augment import Augmentation, flip, pad_crop
from minimixer.data.batches import Batches, Prefetch, normalize
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.loading import load
from minimixer.data.sources.cifar import load_cifar10, load_cifar100
from minimixer.data.sources.digits import load_digits
from minimixer.data.sources.folder import from_folder

__all__ = ["Augmentation", "Batches", "DataError", "Dataset", "Prefetch", "flip", "from_arrays", "from_folder", "load",
           "load_cifar10", "load_cifar100", "load_digits", "normalize", "pad_crop"]
