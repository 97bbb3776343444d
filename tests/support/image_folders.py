"""Small folders of images, made where a test needs them."""

import numpy as np
from PIL import Image


def photo(path, size=(20, 30), mode="RGB", seed=0, **options):
    """An image of noise (height, width) in a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if mode == "L" else (*size, 3)
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))
    image.convert(mode).save(path, **options)
    return path


def class_folders(root, counts, suffix="png", size=(20, 30), first=0):
    """Class folders with so many different images each."""
    for number, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            photo(root / name / f"{k:03}.{suffix}", size, seed=first + 1000 * number + k)
    return root
