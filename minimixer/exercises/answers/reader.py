"""Run what a student wrote, statement by statement: what fails is passed over, and costs only what needs it."""

import __future__

import ast
import asyncio
import inspect
import re
from collections.abc import Collection
from typing import Any

from minimixer.exercises.answers import shell
from minimixer.exercises.answers.python import mend, parse

MOST_SAID = 5           # failures that are described; a failure often brings others
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{5,}")


class Reader:
    """Runs cells in one namespace, as a kernel does.

    Parameters
    ----------
    namespace : dict
    notebook : bool
        Whether ``await`` needs no function.
    wanted : collection of str
        The names that the file must define.

    Attributes
    ----------
    failures : list of tuple
        The errors, and whether the answer may be missing for them.
    skipped : list of str
        The same for people.
    """

    def __init__(self, namespace: dict[str, Any], notebook: bool, wanted: Collection[str]):
        self.namespace, self.notebook, self.wanted = namespace, notebook, {*wanted}
        self.failures: list[tuple[BaseException, bool]] = []
        self.skipped: list[str] = []
        self._future = 0
        self._name = ""
        shell.equip(namespace, self._run)

    def cell(self, name: str, text: str) -> None:
        """Run a cell."""
        self._name = name
        self._run(text)

    def _run(self, text: str, namespace: dict[str, Any] | None = None) -> Any:
        """Run a piece of code; the value of its last statement, if that is an expression."""
        try:
            statements = parse(mend(text)[0], self._name).body
        except SyntaxError as error:
            self._failed(error, error.lineno or 0, any(re.search(rf"\b{name}\b", text) for name in self.wanted))
            return None
        value = None
        for statement in statements:
            try:
                value = self._execute(statement, self.namespace if namespace is None else namespace)
            except (Exception, SystemExit) as error:
                self._failed(error, _line(error, self._name) or statement.lineno, bool(_made(statement) & self.wanted))
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

    def _failed(self, error: BaseException, line: int, costs: bool) -> None:
        follows = isinstance(error, NameError) and bool(self.failures)      # from one that is said already
        self.failures.append((error, costs))
        if len(self.skipped) < MOST_SAID and not follows:
            said = "it ends the program" if isinstance(error, SystemExit) else _shown(error)
            cell = self._name if self._name.startswith("code cell") else ""
            place = " of ".join(part for part in (f"line {line}" if line else "", cell) if part)
            self.skipped.append(f"{place or 'the file'}: {said}")


def _made(statement: ast.stmt) -> set[str]:
    """The names that a statement gives something to."""
    nodes = [*ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)} | {
        node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


def _line(error: BaseException, name: str) -> int:
    """The last line of the student's own code that an error passed through."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _shown(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "input() asks, but nobody is there to answer"
    said = error.msg if isinstance(error, SyntaxError) else error
    text = ADDRESS.sub("0x...", f"{type(error).__name__}: {said}".rstrip(": "))
    return text.splitlines()[0][:200]
