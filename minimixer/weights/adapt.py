"""Adapt trained weights to another image size or other classes."""

import math
from dataclasses import replace
from os import PathLike
from typing import Any

from minimixer.backend import Array
from minimixer.nn import MODEL_CLASSES, MixerConfig, Model, zeros
from minimixer.weights.growth import grow
from minimixer.weights.kinds import WeightsError
from minimixer.weights.names import rows_of


def adapt(model: Model, *, image_size: int, num_classes: int, new_head: bool, source: str | PathLike[str] = "the model",
          **changes: Any) -> tuple[Model, list[str]]:
    """A new model with the weights of a trained one, for the image size and classes of a fine-tuning run.

    For k times the image size, a Mixer grows as described in ``grow``, to k^2 times the ``tokens_mlp_dim``.

    Parameters
    ----------
    model : Model
        The trained model; it is not modified.
    image_size, num_classes : int
    new_head : bool
        Start with a head of zeros, as in the paper; required if the number of classes changes.
    source : str or path
        Name of the model in errors.
    **changes
        Other fields of its config that affect no weight, such as ``dropout``.

    Returns
    -------
    model : Model
    notes : list of str
        The changes, one sentence each.

    Raises
    ------
    WeightsError
        If the model cannot take images of this size.
    TypeError
        If the config has no such field.
    """
    old, state, notes = model.config, model.state_dict(), []
    changes |= {"image_size": image_size, "num_classes": num_classes}
    if isinstance(old, MixerConfig) and image_size != old.image_size:
        k, rest = divmod(image_size, old.image_size)
        side = math.isqrt(old.num_patches)
        if rest or k < 1:
            raise WeightsError(why_not(source, side, old.patch_size, f"images of {image_size} pixels"))
        changes["tokens_mlp_dim"] = k * k * old.tokens_mlp_dim
        for row, block in rows_of(old.num_blocks):
            name = row.ours.format(block)
            state[name] = grow(state[name], row.shape, side, k)
        notes.append(has_grown(k))
    elif image_size != old.image_size and hasattr(old, "patch_size"):
        raise WeightsError(f"{source} is a {type(model).__name__} for images of {old.image_size} pixels, not "
                           f"{image_size}: only Mixers can grow")
    adapted: Model = MODEL_CLASSES[type(old)](replace(old, **changes), None)
    if new_head:
        state |= empty_head(adapted)
        notes.append(has_new_head(adapted))
    adapted.load_state_dict(state)
    return adapted, notes


def empty_head(model: Model) -> dict[str, Array]:
    """The parameters of a head of zeros."""
    return {name: zeros(p.shape) for name, p in model.named_tensors() if name.startswith("head.")}


def has_grown(k: int) -> str:
    """The note about growth."""
    return (f"the token-mixing MLPs have grown by k^2 = {k * k}, block-diagonally: each of {k} x {k} parts of the "
            "image is mixed separately until training connects them")


def has_new_head(model: Model) -> str:
    """The note about a new head."""
    return f"the head for {model.config.num_classes} classes starts with zeros, as in the paper's fine-tuning"


def why_not(source: str | PathLike[str], side: int, patch_size: int, what: str) -> str:
    """Why a Mixer of side x side patches does not fit images of another size."""
    size, p = side * patch_size, patch_size
    return (f"{source} does not fit {what}: token mixing has weights for exactly S = (H / P)(W / P) = ({size} / {p})"
            f"({size} / {p}) = {side * side} patches, and the image size can grow only to whole multiples: choose an "
            f"image_size of {size}, {2 * size}, {3 * size}, ..., and resize the images to it")
