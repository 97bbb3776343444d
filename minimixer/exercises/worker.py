"""The process of one answer: it runs the student's file, then calls its functions as the grader asks.

It runs where minimixer is not: ``runner.py`` sends it the modules that it needs.  It knows inputs, never what is right.
"""

import __future__

import ast
import asyncio
import builtins
import importlib
import inspect
import linecache
import os
import socket
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minimixer.exercises import foreign
from minimixer.exercises.guard import RefusedError, die_with_parent, refuse, set_limits
from minimixer.exercises.raised import Raised, describe
from minimixer.exercises.wire import Wire, WireError, arrays_in

Cells = Sequence[tuple[str, str]]           # name and text of each piece of a file
STOPS = ("RefusedError", "NotOwnWorkError", "MemoryError")         # nothing is run after these


def main(stream: socket.socket) -> None:
    """Serve the grader until it hangs up."""
    die_with_parent()

    def remote(number: int) -> Callable[..., Any]:
        def function(*arguments: Any, **named: Any) -> Any:
            wire.send("call", number, arguments, named)
            kind, *rest = wire.receive()
            if kind == "value":
                handed.extend((array, array.copy()) for array in arrays_in(rest[0]))
                return rest[0]
            made = getattr(builtins, rest[1], None)
            kinds = made if isinstance(made, type) and issubclass(made, Exception) else RuntimeError
            error = kinds(rest[2])
            error.origin = rest[0]          # type: ignore[attr-defined]
            raise error
        return function

    handed: list[tuple[np.ndarray, np.ndarray]] = []        # arrays that our functions gave, with copies
    wire = Wire(stream, remote)
    wire.send("ready")
    namespace: dict[str, Any] = {}
    files: list[str] = []
    with suppress(WireError):
        while True:
            kind, *rest = wire.receive()
            if kind == "load":
                loaded = _load(rest[0], namespace, files)
                _flush()
                wire.send("loaded", *loaded)
            elif kind == "find":
                there, names, begun = about(find(rest[0], namespace))
                wire.send("found", there, names if there else _functions(namespace), begun)
            else:
                handed.clear()
                before = sum(node.visits for node in wire.nodes)
                answer = _invoke(find(rest[0], namespace), rest[1], files.__contains__)
                _flush()
                written = any(not np.array_equal(array, copy, equal_nan=True) for array, copy in handed)
                wire.send(*answer, (sum(node.visits for node in wire.nodes) - before, written))
    os._exit(0)         # skips threads and exit handlers that the student's code left behind


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _load(orders: Mapping[str, Any], namespace: dict[str, Any], files: list[str]) -> tuple[Any, ...]:
    """Run the file, and before it the earlier files that it builds on; return what went wrong."""
    cells: list[Cells] = [*orders["earlier"].values(), orders["cells"]]
    files += [name for file in cells for name, _ in file]
    if any("matplotlib" in text for file in cells for _, text in file):
        with suppress(Exception):       # looks for fonts in a subprocess, which will be refused
            importlib.import_module("matplotlib.font_manager")
    parts = {name: type(name, (), {key: staticmethod(function) for key, function in functions.items()})
             for name, functions in orders["parts"].items()}
    set_limits(orders["seconds"], orders["memory"])
    foreign.install(parts)
    refuse(Path.cwd(), orders["private"])
    for name, file in orders["earlier"].items():        # in order: each may use the ones before it
        ran, problems = run(file, name)
        if any(problem.kind in STOPS for problem in problems):
            return _plain(problems)
        for part in parts:
            if isinstance(ran.get(part), type):
                foreign.replace_part(part, ran[part])
    ran, problems = run(orders["cells"], orders["exercise"])
    namespace |= ran
    return _plain(problems)


def _plain(problems: Sequence[Raised]) -> tuple[Any, ...]:
    return tuple((one.kinds, one.text, one.file, one.line) for one in problems[:20])


def run(cells: Cells, module: str) -> tuple[dict[str, Any], list[Raised]]:
    """Run a file statement by statement, as a notebook does cell by cell: one that fails does not stop the others.

    Returns
    -------
    namespace : dict
    problems : list of Raised
        In order.  After exit() or a refusal nothing more is run.
    """
    sys.modules[module] = ran = ModuleType(module)          # dataclasses, for example, look it up there
    namespace = vars(ran)
    namespace |= {"__file__": cells[0][0] if cells else module, "display": print}
    names = {name for name, _ in cells}
    problems: list[Raised] = []
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for name, text in cells:
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = compile(text, name, "exec", ast.PyCF_ONLY_AST | flags, dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            problems.append(describe(error, names.__contains__))
            continue
        for statement in tree.body:
            try:
                flags |= _future(statement)
                code = compile(ast.Module([statement], []), name, "exec", flags, dont_inherit=True)
                waited = eval(code, namespace)
                if inspect.iscoroutine(waited):
                    asyncio.run(waited)
            except BaseException as error:
                problems.append(describe(error, names.__contains__))
                if problems[-1].kind in (*STOPS, "SystemExit", "KeyboardInterrupt"):
                    return namespace, problems
                if len(cells) > 1:
                    break           # the rest of this cell
    return namespace, problems


def _future(statement: ast.stmt) -> int:
    """The compiler's flags for ``from __future__ import ...``."""
    if not isinstance(statement, ast.ImportFrom) or statement.module != "__future__":
        return 0
    return sum(getattr(__future__, name.name).compiler_flag for name in statement.names)


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


def _functions(namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the functions and methods that the file defines: one of them may be the one that is missed."""
    made = [(name, value) for name, value in namespace.items() if callable(value) and not name.startswith("_")]
    methods = [f"{name}.{key}" for name, value in made if isinstance(value, type)
               for key in vars(value) if not key.startswith("_")]
    return (*(name for name, _ in made[-50:]), *methods[-50:])


def _call(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, list[np.ndarray | None]]:
    """Call a function; return its result and, for each array of the arguments, the new values if it modified it."""
    arrays = list(arrays_in(tuple(arguments)))
    before = [array.copy() for array in arrays]
    result = function(*arguments)
    return result, [None if np.array_equal(now, old, equal_nan=True) else now
                    for now, old in zip(arrays, before, strict=True)]


def _invoke(function: Any, arguments: Any, theirs: Callable[[str], bool]) -> tuple[Any, ...]:
    foreign.begin()
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result, changed = _call(function, arguments)
        answer: tuple[Any, ...] = "returned", result, changed
    except BaseException as error:
        told = describe(error, theirs)
        answer = "raised", told.kinds, told.text, told.file, told.line, getattr(error, "origin", None)
    if (called := foreign.end()) is not None:       # even if it caught the exception
        return "raised", ("NotOwnWorkError",), called, "", 0, None
    return answer


__all__ = ["Cells", "RefusedError", "about", "find", "main", "run"]
