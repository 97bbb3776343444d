"""An answer in this process: what a system without limits gets."""

from collections.abc import Mapping, Sequence
from typing import Any

from minimixer.exercises import checker
from minimixer.exercises.answers.python import Cells
from minimixer.exercises.answers.reader import run
from minimixer.exercises.definitions import load
from minimixer.exercises.evidence import Answer
from minimixer.exercises.process import Limits
from minimixer.exercises.raised import Raised


class Here:
    """The same for a system without limits: in this process."""

    scratch = None

    def __init__(self, _: Limits):
        self.namespace: dict[str, Any] = {}
        self.names: tuple[str, ...] = ()

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    def printed(self) -> str:
        """Nothing: it was printed already."""
        return ""

    def load(self, files: Mapping[str, Cells]) -> tuple[Raised, ...]:
        """Run files in order, the last of which is the answer; return what failed in it."""
        problems: Sequence[Raised] = ()
        with checker.silent():          # a notebook's last cell calls check()
            for name, cells in files.items():
                self.namespace, problems = run(cells, name, load(name).wanted)
        return tuple(problems)

    def find(self, path: str) -> Answer | None:
        """The student's function for a task, or None."""
        return checker.answer(path, self.namespace)
