"""Trained models that come with the package: float16 weights, each file beside its model card."""

import json
from pathlib import Path
from typing import Any

from minimixer.backend import Array

FOLDER = Path(__file__).parent.parent / "pretrained"


def shipped() -> dict[str, Path]:
    """The trained models that come with the package: name, such as ``cifar10-micro``, to file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def read_pretrained(name: str, data: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Config and weights of a trained model that comes with the package.

    Parameters
    ----------
    name, data : str
        Of the model and of what it was trained on: ``"micro"``, ``"cifar10"``.

    Returns
    -------
    config : dict
        The fields of its config.
    state : dict
        What ``load_state_dict`` takes, float16.

    Raises
    ------
    ValueError
        If there is no such model, or its file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = shipped().get(f"{data}-{name}".replace("/", "-"))
    if path is None:
        there = " and ".join(shipped()) or "none"
        raise ValueError(f"there are no weights of {name!r} pretrained on {data!r}: those that come with minimixer "
                         f"are {there} (data, then model)")
    try:
        with safe_open(path, "numpy") as file:
            config = json.loads(file.metadata()["minimixer"])["model"]
            state = {name.removeprefix("model."): file.get_tensor(name) for name in file.keys()}    # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): install minimixer again") from error
    return config, state
