"""Images to try: twenty of the test, and those that confuse the model most."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from minimixer import functional as F
from minimixer.autograd import no_grad
from minimixer.backend import Array, to_device, to_numpy
from minimixer.data import load_digits, normalize
from minimixer.data.batches import check_pixels
from minimixer.data.enlarge import enlarge
from minimixer.errors import UsageError
from minimixer.nn import MlpMixer
from minimixer.play.pictures import drawn
from minimixer.tensor import Tensor

EASY, HARD = 20, 12         # images to choose from, and to be confused by
SEARCHED = 2000             # images in which the confusing ones are looked for
AT_ONCE = 250               # images in memory


@dataclass(frozen=True)
class Examples:
    """Images (N, side, side, channels), their classes or None, how many are to choose from, and what they are."""

    images: Array
    labels: Array | None
    easy: int
    origin: str

    def chosen(self, probabilities: Array) -> "Examples":
        """Twenty images of all classes, in their order, then those between whose two best classes is the least room.

        probabilities: (N, K).
        """
        classes = probabilities.argmax(1) if self.labels is None else self.labels               # (N,)
        best = np.sort(probabilities, 1)[:, -2:]                                                # (N, 2)
        easy = spread(classes)
        hard = [i for i in np.argsort(best[:, -1] - best[:, 0], kind="stable") if i not in easy][:HARD]
        rows = np.array([*easy, *hard])
        return replace(self, images=self.images[rows], labels=None if self.labels is None else self.labels[rows],
                       easy=len(easy))


def examples_of(images: Array | None, labels: Array | None, data: str, class_names: Sequence[str],
                shape: tuple[int, int, int]) -> Examples:
    """The images given, or the bundled digits, or pictures of our own, or none.  Raises UsageError for wrong ones."""
    if images is not None:
        check_pixels(images)
        if images.shape[1:] != shape:
            raise UsageError(f"the images have shape {images.shape}, expected (N, {shape[0]}, {shape[1]}, {shape[2]})")
        if labels is not None and (len(labels) != len(images) or np.any((labels < 0) | (labels >= len(class_names)))):
            raise UsageError(f"the labels have to be {len(images)} class numbers from 0 to {len(class_names) - 1}")
        step = max(1, len(images) // SEARCHED)
        return Examples(images[::step], None if labels is None else labels[::step], 0, "a test image")
    if data == "digits" and shape == (8, 8, 1) and tuple(class_names) == tuple("0123456789"):
        digits = load_digits()
        return Examples(digits.test_images, digits.test_labels, 0, "a test image")
    if shape[2] == 3 and (pictures := drawn(class_names, shape[0])) is not None:
        return Examples(*pictures, 0, "one of our drawings")
    return Examples(np.zeros((0, *shape), np.uint8), None, 0, "")


def spread(classes: Array) -> list[int]:
    """Row numbers of at most ``EASY`` images that take turns among the classes, those of a class side by side."""
    rows = {int(label): np.flatnonzero(classes == label) for label in np.unique(classes)}
    if len(rows) > EASY:
        kept = np.linspace(0, len(rows) - 1, EASY).astype(int)
        rows = {label: rows[label] for label in np.array(list(rows))[kept].tolist()}
    turns = [(turn, label) for turn in range(EASY) for label in rows if turn < len(rows[label])][:EASY]
    return [int(rows[label][turn]) for turn, label in sorted(turns, key=lambda pair: (pair[1], pair[0]))]


def answers(model: MlpMixer, images: Array, mean: Array, std: Array) -> Array:
    """The model's probabilities (N, K) for images (N, side, side, channels) of uint8, on the CPU."""
    device, training = model.device, model.training
    found = []
    model.eval()
    with no_grad():
        for start in range(0, len(images), AT_ONCE):
            part = enlarge(to_device(images[start:start + AT_ONCE], device), model.config.image_size)
            x = normalize(part, to_device(mean, device), to_device(std, device))        # (B, H, W, channels)
            found.append(to_numpy(F.softmax(model(Tensor(x))).data))                    # (B, K)
    model.train(training)
    return np.concatenate(found)
