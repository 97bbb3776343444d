"""Trained models that come with the package: float16 weights, each file beside its model card."""

import json
from pathlib import Path
from typing import Any

from minimixer.backend import Array

FOLDER = Path(__file__).parent.parent / "pretrained"


def list_pretrained() -> dict[str, Path]:
    """The trained models that come with the package: name, such as ``cifar10-micro`` -> its weights file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def read_pretrained(name: str, data: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read config and weights of a trained model that comes with the package.

    Parameters
    ----------
    name, data : str
        Names of the model and of its training data: ``"micro"``, ``"cifar10"``.

    Returns
    -------
    config : dict
        The fields of the model's config.
    state : dict
        Float16 weights for ``load_state_dict``.

    Raises
    ------
    ValueError
        If there is no such model, or its file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = list_pretrained().get(f"{data}-{name}".replace("/", "-"))
    if path is None:
        available = " and ".join(list_pretrained()) or "none"
        raise ValueError(f"there are no weights of {name!r} pretrained on {data!r}: minimixer comes with {available} "
                         "(data-model)")
    try:
        with safe_open(path, "numpy") as file:
            config = json.loads(file.metadata()["minimixer"])["model"]
            state = {name.removeprefix("model."): file.get_tensor(name) for name in file.keys()}    # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): reinstall minimixer") from error
    return config, state
