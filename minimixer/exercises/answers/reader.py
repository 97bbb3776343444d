"""Run what a student wrote, statement by statement: what fails is passed over, and costs only what needs it."""

import __future__

import ast
import asyncio
import inspect
import linecache
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from minimixer.exercises.answers import shell
from minimixer.exercises.answers.python import Cells, mend, parse
from minimixer.exercises.raised import Raised, describe

STOPS = ("RefusedError", "NotOwnWorkError", "MemoryError", "KeyboardInterrupt")      # nothing is run after these
MOST = 20               # failures that are kept; one often brings others


def run(cells: Cells, module: str, wanted: Collection[str]) -> tuple[dict[str, Any], Sequence[Raised]]:
    """Run a file cell by cell, as a kernel does; a script is one cell.

    Parameters
    ----------
    cells : sequence of (name, text)
    module : str
        The name to import what is made by.
    wanted : collection of str
        The names that the file must define.

    Returns
    -------
    namespace : dict
    problems : list of Raised
        What failed, in order.
    """
    sys.modules[module] = ran = ModuleType(module)          # dataclasses, for example, look it up there
    reader = _Reader(vars(ran), cells, wanted)
    shown: dict[str, list[str]] = {}
    for name, text in cells:
        lines = shown.setdefault(name, [])
        lines += text.splitlines(keepends=True)[len(lines):]        # pieces of one script have one name
        linecache.cache[name] = len(text), None, lines, name
        reader.cell(name, text)
        if reader.stopped:
            break
    return vars(ran), reader.problems


class _Reader:
    """Runs cells in one namespace; ``problems`` is what failed, and ``stopped`` says that nothing more is run."""

    def __init__(self, namespace: dict[str, Any], cells: Cells, wanted: Collection[str]):
        self.namespace, self.wanted = namespace, {*wanted}
        self.names = {name for name, _ in cells}
        self.notebook = any(name.startswith("code cell") for name in self.names)
        self.problems: list[Raised] = []
        self.stopped = False
        self._future = 0
        self._name = ""
        shell.equip(namespace, self._run)
        namespace["__file__"] = next(iter(self.names), "")

    def cell(self, name: str, text: str) -> None:
        """Run a cell."""
        self._name = name
        self._run(text)

    def _run(self, text: str, namespace: dict[str, Any] | None = None) -> Any:
        """Run a piece of code; the value of its last statement, if that is an expression."""
        value = None
        try:
            statements = parse(mend(text)[0], self._name).body
        except SyntaxError as error:
            self._failed(error, costs=any(re.search(rf"\b{name}\b", text) for name in self.wanted))
            return None
        for statement in statements:
            if self.stopped:
                return None
            try:
                value = self._execute(statement, self.namespace if namespace is None else namespace)
            except BaseException as error:          # exit() too: what stands behind it may be the answer
                self._failed(error, bool(_made(statement) & self.wanted), statement.lineno)
        return value

    def _execute(self, statement: ast.stmt, namespace: dict[str, Any]) -> Any:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                self._future |= getattr(__future__, alias.name).compiler_flag
        flags = self._future | (ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self.notebook else 0)
        if isinstance(statement, ast.Expr):
            code = compile(ast.Expression(statement.value), self._name, "eval", flags, dont_inherit=True)
        else:
            code = compile(ast.Module([statement], []), self._name, "exec", flags, dont_inherit=True)
        value = eval(code, namespace)
        return asyncio.run(value) if code.co_flags & inspect.CO_COROUTINE else value

    def _failed(self, error: BaseException, costs: bool, line: int = 0) -> None:
        told = describe(error, self.names.__contains__)
        if not told.line:
            told = replace(told, file=self._name, line=line)
        self.stopped = self.stopped or told.kind in STOPS
        if len(self.problems) < MOST or told.kind in STOPS:
            self.problems.append(replace(told, costs=costs))


def _made(statement: ast.stmt) -> set[str]:
    """The names that a statement gives something to."""
    nodes = [*ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)} | {
        node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
