"""What a Module is made of: the Modules and Tensors in its attributes.  What cannot be found there is refused."""

from collections.abc import Iterator, Mapping, Sequence, Set
from types import FunctionType, GeneratorType, ModuleType
from typing import Any

import numpy as np

from minimixer.tensor import Tensor

PLAIN = (str, bytes, int, float, type(None))
CONSUMED = (GeneratorType, map, filter, zip, reversed)


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
    found: list[tuple[str, Any]] = []
    for name, value in vars(module).items():
        found += _parts(value, name, kinds)
    for base in owner.__mro__[:-2]:             # but Module and object
        for name, value in vars(base).items():
            if _counts(value, kinds) and name not in vars(module):
                raise TypeError(f"{name} is an attribute of the class {base.__name__}, which all its objects share: "
                                f"assign self.{name} in __init__")
    lost = [(name, value) for name, value in found if not isinstance(value, kinds)]
    if lost:
        found = [(name, value) for name, value in found if isinstance(value, kinds)]
        known = {id(module), *(id(thing) for _, part in found for thing in _below(part))}
        for name, value, thing in ((*item, thing) for item in lost for thing in _inside(item[1])):
            if _counts(thing, kinds) and id(thing) not in known:
                kind = type(value).__name__
                raise TypeError(f"{owner.__name__}.{name} is a {kind} with a {type(thing).__name__} in it, which would "
                                "be neither trained nor saved: use a list, a tuple or a dict, or make a Module of it, "
                                f"class {kind}(nn.Module)")
    return iter(found)


def _parts(value: Any, name: str, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """What is of these kinds, and what else may hold such things."""
    if isinstance(value, kinds):
        yield name, value
    elif isinstance(value, PLAIN):
        return
    elif isinstance(value, Mapping):
        yield from _in_dict(value, name, kinds)
    elif isinstance(value, Sequence):
        for i, item in enumerate(value):
            if item is not value:
                yield from _parts(item, f"{name}.{i}", kinds)
    elif isinstance(value, CONSUMED):
        raise TypeError(f"{name} is a {type(value).__name__}, which is empty once it was read: make it a list")
    elif any(_counts(thing, kinds) for thing in _inside(value)):
        yield name, value


def _in_dict(value: Mapping[Any, Any], name: str, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    names: dict[str, Any] = {}
    for key, item in value.items():
        for path, member in _parts(item, f"{name}.{key}", kinds):
            if not isinstance(key, (str, int)) or "." in str(key) or names.setdefault(str(key), key) != key:
                raise TypeError(f"{name}[{key!r}] holds a {type(member).__name__}, whose name comes from the key: "
                                "expected a string without a dot, or an int, and each once")
            yield path, member


def _inside(value: Any) -> Iterator[Any]:
    """What a set, an array of objects, or the attributes and lists of an object that is no Module hold."""
    if isinstance(value, Set):
        yield from value
    elif isinstance(value, np.ndarray):
        yield from value.flat if value.dtype == object else ()
    elif hasattr(value, "__dict__") and not isinstance(value, (type, ModuleType, FunctionType)):
        for thing in vars(value).values():
            yield thing
            if isinstance(thing, (list, tuple)):        # of a class whose author forgot that it is a Module
                yield from (item for item in thing if not isinstance(item, Tensor))


def _counts(thing: Any, kinds: tuple[type, ...]) -> bool:
    """Whether it is a Module or a parameter; other Tensors are constants."""
    return isinstance(thing, kinds) and getattr(thing, "is_parameter", True)


def _below(part: Any) -> Iterator[Any]:
    """A Tensor, or a Module and all that it consists of."""
    return (thing for _, thing in part._walk("")) if hasattr(part, "_walk") else iter([part])
