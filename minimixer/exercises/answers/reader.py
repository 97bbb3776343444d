"""Run what a student wrote, statement by statement: what fails is passed over and said, and costs only what needs it."""

import __future__

import ast
import asyncio
import builtins
import inspect
import re
import sys
from typing import Any

from minimixer.exercises.answers.ipython import automagic
from minimixer.exercises.answers.python import parse
from minimixer.exercises.answers.shell import Shell

MOST_SAID = 5           # failures that are described; a failure often brings others


class Reader:
    """Runs cells in one namespace, as a kernel does.

    Parameters
    ----------
    namespace : dict
    notebook : bool
        Whether the rules of notebooks hold: ``await`` needs no function, a magic's name needs no ``%``.
    stubs : dict of str to str
        The definitions of the untouched exercise, by name: they never take the place of the student's.
    """

    def __init__(self, namespace: dict[str, Any], notebook: bool, stubs: dict[str, str]):
        self.namespace, self.notebook, self.stubs = namespace, notebook, stubs
        self.failures: list[tuple[BaseException, bool]] = []    # and whether the answer may be missing for it
        self.skipped: list[str] = []
        self._future = 0
        self._name = ""
        shell = Shell(namespace, self._run)
        namespace |= {"get_ipython": lambda: shell, "display": print}

    def cell(self, name: str, text: str) -> bool:
        """Run a cell; return whether the file goes on behind it."""
        self._name = name
        if self.notebook and (call := automagic(text)) and not self._is_defined(text):
            text = call
        try:
            self._run(text)
        except SystemExit as error:
            self._failed(error, 0, costs=True)
            return self.notebook            # it ends a script; a notebook goes on with its next cell
        return True

    def _is_defined(self, text: str) -> bool:
        word = re.match(r"\s*(\w*)", text)
        return word is not None and (word[1] in self.namespace or hasattr(builtins, word[1]))

    def _run(self, text: str, namespace: dict[str, Any] | None = None) -> Any:
        """Run a cell; the value of its last statement, if that is an expression."""
        try:
            statements = parse(text, self._name)[0].body
        except SyntaxError as error:
            self._failed(error, error.lineno or 0, any(re.search(rf"\b{name}\b", text) for name in self.stubs))
            return None
        value = None
        for statement in statements:
            if self._is_stub(statement):
                continue
            try:
                value = self._execute(statement, self.namespace if namespace is None else namespace)
            except Exception as error:
                self._failed(error, _line(error, self._name) or statement.lineno, bool(_made(statement) & {*self.stubs}))
        return value

    def _execute(self, statement: ast.stmt, namespace: dict[str, Any]) -> Any:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                self._future |= getattr(__future__, alias.name).compiler_flag
        flags = self._future | (ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self.notebook else 0)
        tree: ast.AST = ast.Module([statement], [])
        is_expression = isinstance(statement, ast.Expr)
        if isinstance(statement, ast.Expr):
            tree = ast.Expression(statement.value)
        code = compile(tree, self._name, "eval" if is_expression else "exec", flags, dont_inherit=True)  # type: ignore[call-overload]
        value = eval(code, namespace)
        return asyncio.run(value) if code.co_flags & inspect.CO_COROUTINE else value

    def _is_stub(self, statement: ast.stmt) -> bool:
        name = getattr(statement, "name", None)
        return name in self.stubs and name in self.namespace and definition(statement) == self.stubs[name]

    def _failed(self, error: BaseException, line: int, costs: bool) -> None:
        follows = isinstance(error, NameError) and bool(self.failures)      # from one that is said already
        self.failures.append((error, costs))
        if len(self.skipped) < MOST_SAID and not follows:
            place = f"line {line}" if line else ""
            if self._name.startswith("code cell"):
                place = f"{place} of {self._name}" if line else self._name
            said = "ends the program" if isinstance(error, SystemExit) else _shown(error)
            self.skipped.append(f"{place or 'The file'}: {said}")


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
    text = re.sub(r"\b0x[0-9a-fA-F]{5,}", "0x...", f"{type(error).__name__}: {said}".rstrip(": "))
    return text.splitlines()[0][:200]


def definition(statement: ast.AST) -> str:
    """A definition as text that knows no docstrings, no layout and no comments."""
    copy = ast.parse(ast.unparse(statement))
    for node in ast.walk(copy):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node, False):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(copy)


def definitions(tree: ast.Module) -> dict[str, str]:
    """The ``definition`` of every class and function at the top of a file."""
    return {node.name: definition(node) for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


def folder_is_importable(folder: str) -> None:
    """Let the file import what it writes beside itself, behind everything else, as Jupyter does."""
    if folder not in sys.path:
        sys.path.append(folder)
