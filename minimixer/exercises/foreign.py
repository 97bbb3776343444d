"""Stand-ins for minimixer and for the big frameworks, where an answer runs.

The libraries themselves are not there.  Code around an answer may import them; what it calls raises an ordinary
error.  An answer that calls one of them while it is graded is not the student's own work.
"""

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

LIBRARY = __name__.split(".")[0]
LIBRARIES = (LIBRARY, "torch", "tensorflow", "jax", "jaxlib", "keras", "flax", "autograd", "tinygrad", "mxnet",
             "paddle", "torchvision", "timm", "cupy", "transformers", "lessons")


class NotHereError(ImportError):
    """A library is used outside the answer, while an answer is graded."""


class NotOwnWorkError(BaseException):
    """An answer calls another implementation.  Not an Exception, so that `except Exception` cannot hide it."""


class Phase:
    """What is going on; ``grading`` while an answer is called."""

    grading = False
    called: str | None = None          # the first foreign function that an answer called


def begin() -> None:
    """An answer is called from now on."""
    Phase.grading, Phase.called = True, None


def end() -> str | None:
    """The call is over; the first foreign function that it called."""
    Phase.grading = False
    return Phase.called


def _use(name: str) -> None:
    if Phase.grading:
        Phase.called = Phase.called or name
        raise NotOwnWorkError(name)
    raise NotHereError(f"{name} is not here while an answer is graded: use it in cells of your own, not in the answer")


class _ForeignClass(type):
    """The class of a class that derives from something foreign."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Foreign(f"{cls.foreign}.{name}")


class Foreign:
    """Anything of a library: its attributes are foreign too, and a call says so."""

    def __init__(self, name: str):
        self.__dict__["_foreign"] = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Foreign(f"{self._foreign}.{name}")

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Say that it was called."""
        _use(self._foreign)

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:
        return (_ForeignClass(self._foreign.rsplit(".", 1)[-1], (), {"foreign": self._foreign}),)

    def __enter__(self) -> Any:
        _use(self._foreign)

    def __exit__(self, *_: Any) -> None:
        return None


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Foreign(f"{self.__name__}.{name}")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty stand-in for every module of LIBRARIES."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A module of its own for every name of a library."""
        if fullname.split(".")[0] in LIBRARIES:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> ModuleType:
        """A stand-in."""
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Make it a package."""
        module.__path__ = []


class _Checked:
    """What a call of ``mm.exercises.check`` inside a submission returns: nothing is checked twice."""

    ok = True

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "<checked by the grader>"


def replace_part(name: str, value: Any) -> None:
    """Offer another class as one of the parts."""
    setattr(sys.modules[f"{LIBRARY}.exercises.parts"], name, value)


def install(parts: dict[str, Any]) -> None:
    """Put the stand-ins in place; ``parts`` are the classes that an exercise may use."""
    for name in [name for name in sys.modules if name.split(".")[0] in LIBRARIES]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder())
    library = _Module(LIBRARY)
    exercises = _Module(f"{LIBRARY}.exercises")
    offered = _Module(f"{LIBRARY}.exercises.parts")
    vars(library).update(__path__=[], exercises=exercises)
    vars(exercises).update(__path__=[], parts=offered, check=lambda *_, **__: _Checked())
    vars(offered).update(parts)
    sys.modules |= {module.__name__: module for module in (library, exercises, offered)}
