"""Where the machine code of compiled loops is kept, so that a cache can save time and do nothing else.

Numba's own cache raises whatever its files make it raise, in every later run, and does not notice flipped bits.  This
one is checked by a digest; what is damaged is compiled and written again, and where nothing can be written, every
process compiles for itself.  Either is said once.
"""

import contextlib
import hashlib
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numba import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, UserProvidedCacheLocator

from minimixer.files import check_regular

DIGEST = hashlib.sha256().digest_size
_said: set[str] = set()


def say_once(kind: str, text: str) -> None:
    """Print a line on stderr, the first time that this process has something of a kind to say."""
    if kind not in _said:
        _said.add(kind)
        with contextlib.suppress(OSError, ValueError, AttributeError):      # stderr may be closed
            print(f"minimixer: {text}", file=sys.stderr)


def places(file: str) -> Iterator[Path]:
    """Where the loops of a source file may be kept, the best place first; they may not exist, or not be writable."""
    from platformdirs import user_cache_dir
    below = UserProvidedCacheLocator.get_suitable_cache_subpath(file)
    chosen = os.path.expanduser(config.CACHE_DIR)           # NUMBA_CACHE_DIR
    if chosen and not chosen.startswith("~"):
        yield Path(chosen, below)
    yield Path(file).with_name("__pycache__")
    with contextlib.suppress(RuntimeError):                 # neither HOME nor a passwd entry; older ones say ~ then
        own = Path(user_cache_dir("numba", appauthor=False))
        if own.is_absolute():
            yield own / below


class Place(UserProvidedCacheLocator):      # type: ignore[misc]
    """The first place that can be written."""

    def __init__(self, function: Any, file: str, path: Path):
        self._py_file, self._lineno, self._cache_path = file, function.__code__.co_firstlineno, str(path)

    @classmethod
    def from_function(cls, function: Any, file: str) -> "Place | None":
        """The place, made if need be; None if there is none."""
        refused: Path | None = None
        for path in places(file):
            place, is_new = cls(function, file, path), not path.exists()
            try:
                place.ensure_cache_path()
            except OSError:
                refused = refused or path
                continue
            if refused and is_new:
                say_once("elsewhere", f"{refused} cannot be written, so compiled loops are kept in {path.parent}")
            return place
        return None


class Impl(CompileResultCacheImpl):         # type: ignore[misc]
    """Numba's way to write a compiled function, in our place."""

    _locator_classes = (Place,)


class Files(IndexDataCacheFile):            # type: ignore[misc]
    """Numba's files, each with a digest at its end, which ``pickle`` does not read."""

    def _dump(self, content: Any) -> bytes:
        data: bytes = super()._dump(content)
        return data + hashlib.sha256(data).digest()

    def _load_index(self) -> Any:
        with contextlib.suppress(FileNotFoundError):
            check_regular(Path(self._index_path))
            with open(self._index_path, "rb") as file:
                pickle.load(file)           # Numba's version
                check(file.read())
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        check_regular(path := Path(self._data_path(name)))
        check(path.read_bytes())
        return super()._load_data(name)


def check(data: bytes) -> None:
    """Raise ValueError if data does not end in its digest."""
    if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:]:
        raise ValueError("its content does not match its digest")


class LoopCache(FunctionCache):             # type: ignore[misc]
    """The cache of one loop; it never raises."""

    _impl_class = Impl

    def __init__(self, function: Any):
        super().__init__(function)
        self._cache_file = Files(self._cache_path, f"{self._impl.filename_base}.checked",
                                 self._impl.locator.get_source_stamp())

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The compiled function; None if it is not there, or damaged."""
        try:
            return super().load_overload(signature, context)
        except Exception as error:          # damaged files raise anything
            say_once("damaged", f"compiled loops in {self.cache_path} are damaged ({type(error).__name__}), so they "
                                "are compiled again")
            with contextlib.suppress(Exception):
                self.flush()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a compiled function if possible."""
        try:
            super().save_overload(signature, result)
        except Exception as error:
            self.disable()
            say_once("unkept", f"compiled loops cannot be kept in {self.cache_path} ({error}), so every run compiles "
                               "them again")
