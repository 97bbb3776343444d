"""Compare the sizes that a checkpoint states with the arrays that it holds, before memory is asked for."""

from collections.abc import Mapping
from typing import Any

from minimixer.nn import MODELS
from minimixer.weights.names import Shape

AXES = ("hidden_dim", "tokens_mlp_dim", "channels_mlp_dim", "mlp_dim", "num_classes", "width", "num_patches",
        "pixels of a patch")
BLOCKS = {"num_blocks": 1, "blocks_per_stage": 3}       # blocks in all, for each that the field counts


def check_claims(name: str, changes: Mapping[str, Any], shapes: Mapping[str, Shape]) -> None:
    """Raise ValueError if a model of these sizes cannot have these arrays.

    Parameters
    ----------
    name : str
        A key of ``nn.MODELS``; an unknown name or field is left to ``nn.build``.
    changes : mapping
        Fields of its config, as a checkpoint states them.
    shapes : mapping of str to shape
        Of the model's arrays, by their names in the model.
    """
    if name not in MODELS or changes.keys() - vars(MODELS[name]).keys():
        return
    values = {**vars(MODELS[name]), **changes}
    for field, usual in vars(MODELS[name]).items():
        value = values[field]
        if type(usual) is int and (type(value) is not int or value < 1):
            raise ValueError(f"{field} is {value!r}, expected a whole number from 1")
    if "patch_size" in values:
        values["num_patches"] = (values["image_size"] // values["patch_size"])**2
        values["pixels of a patch"] = values["patch_size"]**2 * values["in_channels"]
    lengths = {length for shape in shapes.values() for length in shape}
    for field in AXES:
        if field in values and values[field] not in lengths:
            raise ValueError(f"{field} is {values[field]:,}, but no array has an axis of this length")
    blocks = len({array.split(".")[1] for array in shapes if array.startswith("blocks.")})
    for field, times in BLOCKS.items():
        if field in values and values[field] * times != blocks:
            raise ValueError(f"{field} is {values[field]:,}, but there are arrays of {blocks:,} blocks")
