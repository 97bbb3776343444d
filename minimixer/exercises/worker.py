"""The process of one answer: it runs the student's file, then calls its functions as the grader asks.

It runs where minimixer is not: ``runner.py`` sends it the modules that it needs.  It knows inputs, never what is right.
"""

import builtins
import importlib
import os
import re
import socket
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.exercises import foreign
from minimixer.exercises.answers.functions import about, find, functions
from minimixer.exercises.answers.reader import STOPS, run
from minimixer.exercises.guard import die_with_parent, refuse, set_limits
from minimixer.exercises.raised import Raised, describe
from minimixer.exercises.wire import Wire, WireError, arrays_in

DRAWS = re.compile(r"matplotlib|pylab|seaborn|pandas|\.plot\b")         # what may import matplotlib

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
                wire.send("found", there, names if there else functions(namespace), begun)
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
    pieces = [cell for _, _, cells in orders["files"] for cell in cells]
    files += [name for name, _ in pieces]
    if any(DRAWS.search(text) for _, text in pieces):
        with suppress(Exception):       # looks for fonts in a subprocess, which will be refused
            importlib.import_module("matplotlib.font_manager")
    parts = {name: type(name, (), {key: staticmethod(function) for key, function in functions.items()})
             for name, functions in orders["parts"].items()}
    set_limits(orders["seconds"], orders["memory"])
    foreign.install(parts)
    refuse(Path.cwd(), orders["private"])
    sys.path.append(str(Path.cwd()))            # what the code writes beside itself, it may import
    problems: Sequence[Raised] = ()
    for module, wanted, cells in orders["files"]:       # in order: each may use the ones before it
        namespace.clear()
        ran, problems = run(cells, module, wanted)
        namespace |= ran
        if any(problem.kind in STOPS for problem in problems):
            break
        for part in parts:
            if isinstance(ran.get(part), type):
                foreign.replace_part(part, ran[part])
    return tuple((one.kinds, one.text, one.file, one.line, one.costs) for one in problems)


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
