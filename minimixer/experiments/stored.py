"""Read the JSON file of an experiment."""

from pathlib import Path
from typing import Any

from minimixer.errors import UsageError
from minimixer.experiments.journal import is_run
from minimixer.experiments.runs import Runs
from minimixer.files import json_text, read_json, write_atomically
from minimixer.text import printable

KEYS = {"experiment", "options", "runs", "claims", "described", "seconds"}


def read(path: Path) -> dict[str, Any]:
    """The content of an experiment's file.  Raises UsageError if it cannot be read."""
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be drawn ({error}): run the experiment first, without --redraw") from error
    if not (isinstance(content, dict) and content.keys() >= KEYS and isinstance(content["seconds"], int | float)
            and isinstance(content["runs"], list) and all(map(is_run, content["runs"]))):
        raise UsageError(f"{printable(path, None)} holds no runs by arm and seed: an older version may have written "
                         "it; run the experiment again, without --redraw")
    return content


def write(path: Path, content: dict[str, Any]) -> None:
    """Write such a file: a line for each run and each claim, so that versions can be compared."""
    def text_of(value: Any) -> str:
        if not isinstance(value, list):
            return json_text(value, default=str)
        return "[\n  " + ",\n  ".join(json_text(item, default=str) for item in value) + "\n ]"

    lines = ",\n".join(f" {json_text(key)}: {text_of(value)}" for key, value in content.items())
    write_atomically(path, f"{{\n{lines}\n}}\n".encode())


def runs_of(content: dict[str, Any]) -> Runs:
    """The runs that a file holds."""
    return Runs(content["runs"], content["options"])
