"""The playground in a notebook."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minimixer.backend import Array

if TYPE_CHECKING:
    from minimixer.nn import MlpMixer
    from minimixer.play import Page
    from minimixer.play.contents import TrainedModel


def play(model: "MlpMixer | TrainedModel", name: str = "Mixer", *, images: Array | None = None,
         labels: Array | None = None, class_names: Sequence[str] | None = None) -> "Page":
    """Draw, and watch a Mixer answer; shown in the cell, or saved: ``play(model).save(Path("page.html"))``.

    Parameters
    ----------
    model : MlpMixer or Trained
        What ``train.load_run`` returns knows its class names and how to normalize.  A bare model is taken to expect
        pixels on the 0..1 scale.
    name : str
        The title.
    images : array of uint8, shape (N, H, W, channels), optional
        Images to choose from, in the size of the training data.  A model of the digits has their test images anyway.
    labels : array of int, shape (N,), optional
        Their classes.
    class_names : sequence of str, optional
        By default the model's own.

    Raises
    ------
    UsageError
        If it is no Mixer, is too large for a page, or the images or names do not fit.
    """
    from minimixer.play import page
    return page(model, name, images, labels, class_names)
