"""An answer in this process: what a system without limits gets."""

from collections.abc import Mapping
from typing import Any

from minimixer.exercises import checker, worker
from minimixer.exercises.evidence import Answer
from minimixer.exercises.process import Limits
from minimixer.exercises.raised import Raised
from minimixer.exercises.task import Exercise
from minimixer.exercises.worker import Cells


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

    def load(self, exercise: Exercise, cells: Cells, earlier: Mapping[str, Cells]) -> tuple[Raised, ...]:
        """Run the file; return what failed in it."""
        problems: list[Raised] = []
        with checker.silent():          # a notebook's last cell calls check()
            for name, file in {**earlier, exercise.id: cells}.items():
                self.namespace, found = worker.run(file, name)
                problems += found
        return tuple(problems)

    def find(self, path: str) -> Answer | None:
        """The student's function for a task, or None."""
        return checker.answer(path, self.namespace)
