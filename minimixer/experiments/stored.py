"""Read the JSON file of an experiment, also one that an older version wrote."""

import json
from pathlib import Path
from typing import Any

from minimixer.errors import UsageError

OLD_KEYS = {"pictures": "images", "colour": "color"}


def read(path: Path) -> dict[str, Any]:
    """The content of an experiment's file.  Raises UsageError if it cannot be read."""
    try:
        return dict(json.loads(path.read_text(), object_hook=renamed))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be drawn ({error}): run the experiment first, without --redraw") from error


def renamed(entries: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with today's keys."""
    return {OLD_KEYS.get(key, key): value for key, value in entries.items()}
