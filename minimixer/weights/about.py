"""What an export says of a model's images, so that an import need not be told: class names and the scale of pixels."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from minimixer.files import json_text

ABOUT = "about_images"          # its name in the metadata of a file; JSON


def read_about(said: Mapping[str, str]) -> dict[str, Any]:
    """What a file says of classes and pixels, as far as it can be understood."""
    try:
        about = json.loads(said.get(ABOUT, "{}"))
    except (ValueError, RecursionError):
        return {}
    kinds = {"class_names": str, "mean": float, "std": float}
    return {name: values for name, values in about.items() if name in kinds and isinstance(values, list)
            and all(type(value) is kinds[name] for value in values)} if isinstance(about, dict) else {}


def write_about(class_names: Sequence[str] = (), mean: Sequence[float] = (), std: Sequence[float] = ()) -> str:
    """The same as text: class names, and mean and standard deviation of the pixels on the 0..1 scale.

    Without what an import takes for granted: numbered classes, and pixels on the scale -1..1.  Empty if that is all.
    """
    about: dict[str, Any] = {}
    if list(class_names) != [str(number) for number in range(len(class_names))]:
        about["class_names"] = list(class_names)
    if {*mean, *std} - {0.5}:
        about |= {"mean": [float(value) for value in mean], "std": [float(value) for value in std]}
    return json_text(about) if about else ""
