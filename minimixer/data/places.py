"""Where data sets are looked for, and where downloads and decoded images are kept."""

import os
from pathlib import Path

from minimixer.files import expand


def cache_folder() -> str | None:
    """The folder for what can be made or fetched again; None for a user without a home, as in some containers."""
    from platformdirs import user_cache_dir
    try:
        cache = os.environ.get("MINIMIXER_CACHE") or user_cache_dir("minimixer")
    except RuntimeError:            # of newer versions of platformdirs; older ones leave the ~
        return None
    return None if cache.startswith("~") and not os.environ.get("MINIMIXER_CACHE") else cache


def usual_places(data_dir: str | Path | None) -> list[Path]:
    """The folders in which a known data set is looked for, in order."""
    usual = (data_dir,) if data_dir else (os.environ.get("MINIMIXER_DATA"), "data", cache_folder())
    return [expand(place) for place in usual if place]
