from minimixer.data.augment import Augmentation, flip, pad_crop
from minimixer.data.batches import Batches, Prefetch, normalize
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.sources.cifar import load_cifar10, load_cifar100
from minimixer.data.sources.digits import load_digits

__all__ = ["Augmentation", "Batches", "DataError", "Dataset", "Prefetch", "flip", "load_cifar10", "load_cifar100",
           "load_digits", "normalize", "pad_crop"]
