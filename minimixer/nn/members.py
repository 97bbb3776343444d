"""What a Module is made of: the Modules and Tensors in its attributes.  What cannot be found there is refused."""

from collections.abc import Iterator, Mapping, Sequence, Set
from types import GeneratorType
from typing import Any

import numpy as np

from minimixer.tensor import Tensor

PLAIN = (str, bytes, int, float, type(None))
CONSUMED = (GeneratorType, map, filter, zip, reversed)
WAY_OUT = "use a list, a tuple, a dict, or an attribute of its own"


class Buffer(Tensor):
    """Numbers that belong to a Module and are moved, saved and loaded with it, but not trained: running averages."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = False):
        if requires_grad:
            raise ValueError("a Buffer is not trained: use Tensor(data, requires_grad=True) for a parameter")
        super().__init__(data)
        self.is_parameter = True        # as a frozen one


def members_of(module: Any, *kinds: type) -> Iterator[tuple[str, Any]]:
    """Dotted name and value of everything of these kinds in the attributes of a Module, through lists, tuples, dicts.

    Raises TypeError where something of these kinds would be lost, or has no name of its own.
    """
    owner = type(module)
    for name, value in vars(module).items():
        yield from _parts(value, name, owner.__name__, kinds)
    for base in owner.__mro__:
        for name, value in vars(base).items():
            if _counts(value, kinds) and name not in vars(module):
                raise TypeError(f"{name} is an attribute of the class {base.__name__}, which all its objects share: "
                                f"assign self.{name} in __init__")


def _parts(value: Any, name: str, owner: str, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, kinds):
        yield name, value
    elif isinstance(value, PLAIN):
        return
    elif isinstance(value, Mapping):
        yield from _in_dict(value, name, owner, kinds)
    elif isinstance(value, Sequence):
        for i, item in enumerate(value):
            if item is not value:
                yield from _parts(item, f"{name}.{i}", owner, kinds)
    elif isinstance(value, CONSUMED):
        raise TypeError(f"{owner}.{name} is a {type(value).__name__}, which is empty once it was read: make it a list")
    elif (hidden := _hidden(value, kinds)) is not None:
        raise TypeError(f"{owner}.{name} is a {type(value).__name__} with a {type(hidden).__name__} in it, which would "
                        f"be neither trained nor saved: {WAY_OUT}")


def _in_dict(value: Mapping[Any, Any], name: str, owner: str, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    names: dict[str, Any] = {}
    for key, item in value.items():
        for path, member in _parts(item, f"{name}.{key}", owner, kinds):
            if not isinstance(key, (str, int)) or "." in str(key) or names.setdefault(str(key), key) != key:
                raise TypeError(f"{owner}.{name}[{key!r}] holds a {type(member).__name__}, whose name comes from the "
                                "key: expected a string without a dot, or an int, and each once")
            yield path, member


def _hidden(value: Any, kinds: tuple[type, ...]) -> Any:
    """One thing of these kinds in a set, an array of objects, or an object that is no Module; None if there is none."""
    inside: Any = ()
    if isinstance(value, Set) or (isinstance(value, np.ndarray) and value.dtype == object):
        inside = value.flat if isinstance(value, np.ndarray) else value
    elif not isinstance(value, type) and hasattr(value, "__dict__"):
        inside = vars(value).values()
    return next((thing for thing in inside if _counts(thing, kinds)), None)


def _counts(thing: Any, kinds: tuple[type, ...]) -> bool:
    """Whether it is a Module or a parameter; other Tensors are constants."""
    return isinstance(thing, kinds) and getattr(thing, "is_parameter", True)
