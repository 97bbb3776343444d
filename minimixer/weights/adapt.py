"""What becomes of trained weights where pictures or classes are others than they were trained for."""

import math
from dataclasses import replace
from os import PathLike
from typing import Any

from minimixer.backend import Array
from minimixer.nn import MODEL_CLASSES, MixerConfig, Model, zeros
from minimixer.weights.files import WeightsError
from minimixer.weights.growth import grow
from minimixer.weights.names import rows_of


def adapt(model: Model, *, image_size: int, num_classes: int, new_head: bool, source: str | PathLike[str] = "the model",
          **changes: Any) -> tuple[Model, list[str]]:
    """A new model with the weights of a trained one, for the pictures and classes of a fine-tuning.

    A Mixer for k times the side grows by the rule of ``grow``, with k^2 times the ``tokens_mlp_dim``.

    Parameters
    ----------
    model : Model
        It stays as it is.
    image_size, num_classes : int
    new_head : bool
        Start with a head of zeros, as the paper does; needed where the number of classes changes.
    source : str or path
        What errors call the model.
    **changes
        Other fields of its config to replace that touch no weight, such as ``dropout``.

    Returns
    -------
    model : Model
    notes : list of str
        What was done, a sentence each.

    Raises
    ------
    WeightsError
        If the model cannot take pictures of this size.
    TypeError
        If the config has no such field.
    """
    old, state, notes = model.config, model.state_dict(), []
    changes |= {"image_size": image_size, "num_classes": num_classes}
    if isinstance(old, MixerConfig) and image_size != old.image_size:
        k, rest = divmod(image_size, old.image_size)
        side = math.isqrt(old.num_patches)
        if rest or k < 1:
            raise WeightsError(why_not(source, side, old.patch_size, f"pictures of {image_size} pixels"))
        changes["tokens_mlp_dim"] = k * k * old.tokens_mlp_dim
        for row, block in rows_of(old.num_blocks):
            name = row.ours.format(block)
            state[name] = grow(state[name], row.shape, side, k)
        notes.append(has_grown(k))
    elif image_size != old.image_size and hasattr(old, "patch_size"):
        raise WeightsError(f"{source} is a {type(model).__name__} for pictures of {old.image_size} pixels, not "
                           f"{image_size}: only Mixers grow")
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
    """The note on growth."""
    return (f"the token-mixing MLPs have grown by k^2 = {k * k}, block-diagonally: each of {k} x {k} parts of the "
            "picture is mixed by itself until training joins them")


def has_new_head(model: Model) -> str:
    """The note on a new head."""
    return f"the head for {model.config.num_classes} classes starts as zeros, as the paper fine-tunes"


def why_not(source: str | PathLike[str], side: int, patch_size: int, what: str) -> str:
    """Why a Mixer of side x side patches does not fit pictures of another size."""
    size, p = side * patch_size, patch_size
    return (f"{source} does not fit {what}: token mixing has weights for just S = (H / P)(W / P) = ({size} / {p})"
            f"({size} / {p}) = {side * side} patches, and can grow only to whole multiples of the side: choose an "
            f"image_size of {size}, {2 * size}, {3 * size}, ..., and resize the pictures to it")
