"""What ``get_ipython()`` returns while a file is read: magics that run Python do so, commands of the system do not."""

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Magics whose lines are Python; and those that name nothing that an answer could need.
RUNS, TIMES = ("time", "prun", "memit", "mprun", "lprun"), ("timeit",)
CELLS = (*RUNS, "capture", "code_wrap")
PYLAB = ("import numpy, numpy as np, matplotlib, matplotlib.pyplot as plt\nfrom matplotlib.pyplot import *\n"
         "from numpy import *\n")


class Lines(list[str]):
    """What a command of the system printed: here, nothing; with the views that IPython gives."""

    n = s = ""

    def grep(self, *_: Any, **__: Any) -> "Lines":
        """The lines that match: none."""
        return Lines()

    fields = sort = grep        # type: ignore[assignment]


class Absent:
    """A part of IPython that is not here: it can be called and asked for anything, and does nothing."""

    def __getattr__(self, name: str) -> "Absent":
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent()

    def __call__(self, *_: Any, **__: Any) -> "Absent":
        """Do nothing."""
        return Absent()


class Shell(Absent):
    """IPython's shell, as far as an answer can need it.

    Parameters
    ----------
    namespace : dict
        Where the code runs.
    run : callable
        Runs a cell in it, or in another namespace.
    """

    def __init__(self, namespace: dict[str, Any], run: Callable[..., Any]):
        self.user_ns, self._run = namespace, run

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> Any:
        """Run ``%name line``; what is no Python is passed over."""
        if name in RUNS:
            return self._run(_without_options(line))
        if name in TIMES:
            self._run(_without_options(line), {**self.user_ns})     # what it assigns is not kept
            return SimpleNamespace(average=0.0, best=0.0, worst=0.0, stdev=0.0, all_runs=[0.0], loops=1, repeat=1)
        if name == "pylab":
            return self._run(PYLAB)
        if name in ("env", "set_env") and line.strip():
            variable, value = [*line.replace("=", " ", 1).split(None, 1), ""][:2]
            os.environ[variable] = value.strip()
        if name in ("sx", "system"):
            return self.getoutput(line)
        return str(Path.cwd()) if name == "pwd" else None

    def run_cell_magic(self, name: str, line: str, body: str) -> Any:
        """Run ``%%name line`` with the rest of its cell; what is not Python is passed over."""
        body = f"\n{body}"                      # lines keep their numbers
        if name in CELLS:
            printed, errors = io.StringIO(), io.StringIO()
            with contextlib.ExitStack() as stack:
                if name == "capture":
                    stack.enter_context(contextlib.redirect_stdout(printed))
                    stack.enter_context(contextlib.redirect_stderr(errors))
                self._run(body)
            words = [word for word in line.split() if not word.startswith("-")]
            if name == "capture" and words:
                self.user_ns[words[0]] = SimpleNamespace(stdout=printed.getvalue(), stderr=errors.getvalue(),
                                                         outputs=[], show=lambda: None)
        elif name in TIMES:
            self._run(f"{_without_options(line)}{body}", {**self.user_ns})
        elif name in ("writefile", "file"):
            words = [word for word in line.split() if not word.startswith("-")]
            with open(words[-1], "a" if "-a" in line.split() else "w", encoding="utf-8") as file:
                file.write(body[1:])
        elif name in ("sx", "system", "!"):
            return self.getoutput(body)

    def magic(self, line: str) -> Any:
        """Run ``%line``, as scripts of older notebooks do."""
        name, _, rest = line.strip().lstrip("%").partition(" ")
        return self.run_line_magic(name, rest)

    def system(self, command: str) -> None:
        """Say that a command is not run."""
        print(f"not run here: {command}"[:200])

    def getoutput(self, command: str, *_: Any, **__: Any) -> Lines:
        """Say so, and return no lines."""
        self.system(command)
        return Lines()

    def run_cell(self, text: str, *_: Any, **__: Any) -> None:
        """Run a cell."""
        self._run(text)

    ex = run_cell

    def ev(self, text: str) -> Any:
        """The value of an expression."""
        return eval(text, self.user_ns)

    def push(self, variables: dict[str, Any], *_: Any, **__: Any) -> None:
        """Define variables."""
        self.user_ns |= variables


def _without_options(line: str) -> str:
    """The statement behind options such as ``-n 10 -q``."""
    words = line.lstrip()
    while words.startswith("-") and words[1:2].isalpha():
        option, _, words = words.partition(" ")
        if option[1:2] in "nrpsflTD" and len(option) == 2:      # these have a value
            _, _, words = words.lstrip().partition(" ")
        words = words.lstrip()
    return words


def equip(namespace: dict[str, Any], run: Callable[..., Any]) -> None:
    """Give code what it has in IPython: ``get_ipython`` and ``display``.

    Parameters
    ----------
    namespace : dict
        Of the code.
    run : callable
        ``run(text, namespace=None)`` runs a piece of code, by default in its own namespace, and returns the value of
        a last expression.
    """
    shell = Shell(namespace, run)
    namespace |= {"get_ipython": lambda: shell, "display": print}
