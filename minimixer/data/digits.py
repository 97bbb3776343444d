import zlib

import numpy as np

from minimixer.data.dataset import DataError, Dataset

TEST_PICTURES = 360     # one in five


def load_digits() -> Dataset:
    """Scikit-learn's handwritten digits, which come with that package: 1,797 grey pictures of 8 x 8 pixels, 10 classes.

    (Alpaydin & Kaynak 1998, UCI.)  One picture in five, the same share of every class, is kept for the test; the
    split is always the same.

    Returns
    -------
    Dataset
        Pictures of shape (N, 8, 8, 1).

    Raises
    ------
    DataError
        The file in scikit-learn is missing or damaged.
    """
    from sklearn.datasets import load_digits as read
    from sklearn.model_selection import train_test_split

    try:
        pixels, labels = read(return_X_y=True)                                  # (1797, 64) in 0..16, (1797,)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"the digits that come with scikit-learn cannot be read ({error}): install scikit-learn "
                        "again") from error
    images = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = labels.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=TEST_PICTURES, stratify=labels, random_state=0)
    return Dataset("digits", images[train], labels[train], images[test], labels[test],
                   class_names=tuple("0123456789"))
