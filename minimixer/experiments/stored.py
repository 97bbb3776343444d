"""Read the JSON file of an experiment, also one that an older version wrote."""

from pathlib import Path
from typing import Any

from minimixer.errors import UsageError
from minimixer.files import read_json

OLD_KEYS = {"pictures": "images", "colour": "color"}


def read(path: Path) -> dict[str, Any]:
    """The content of an experiment's file.  Raises UsageError if it cannot be read."""
    try:
        return dict(renamed(read_json(path)))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} cannot be drawn ({error}): run the experiment first, without --redraw") from error


def renamed(content: Any) -> Any:
    """What JSON holds, with today's keys in all of its objects."""
    if isinstance(content, list):
        return [renamed(value) for value in content]
    if isinstance(content, dict):
        return {OLD_KEYS.get(key, key): renamed(value) for key, value in content.items()}
    return content
