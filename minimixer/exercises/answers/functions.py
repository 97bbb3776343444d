"""The functions of a student's file: found by name, and what can be known of them before they are called."""

import inspect
from collections.abc import Mapping
from typing import Any


def find(path: str, namespace: Mapping[str, Any]) -> Any:
    """The function ``Class.name`` or ``name`` of a file, or None."""
    first, *rest = path.split(".")
    found = namespace.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found if callable(found) else None


def about(function: Any) -> tuple[bool, tuple[str, ...], bool]:
    """Whether there is a function, the names of its parameters as far as known, and whether it was begun."""
    code = getattr(function, "__code__", None)
    if not inspect.iscode(code):
        return function is not None, (), True
    names = code.co_varnames[:code.co_argcount]
    begun = code.co_names != ("NotImplementedError",) or code.co_nlocals > code.co_argcount
    return True, tuple(map(str, names[1:] if inspect.ismethod(function) else names)), begun


def functions(namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the functions and methods that the file defines: one of them may be the one that is missed."""
    made = [(name, value) for name, value in namespace.items() if callable(value) and not name.startswith("_")]
    methods = [f"{name}.{key}" for name, value in made if isinstance(value, type)
               for key in vars(value) if not key.startswith("_")]
    return (*(name for name, _ in made[-50:]), *methods[-50:])
