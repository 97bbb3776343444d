"""The result of a check, as data and as 80-column text."""

import textwrap
from dataclasses import asdict, dataclass, replace
from typing import Any

from minimixer.exercises.task import Exercise, Task
from minimixer.exercises.words import Diagnosis

PASSED, WRONG, NOT_STARTED = 0, 1, 3        # exit codes of a check
WIDTH = 79
STATUSES = ("pass", "fail", "error", "timeout", "not-own", "not-started", "missing")


@dataclass(frozen=True)
class Row:
    """One tensor in its worst case."""

    tensor: str
    shape: str
    error: float            # relative to the largest entry
    verdict: str


@dataclass(frozen=True)
class TaskResult:
    """The verdict on one task."""

    name: str
    function: str
    points: int
    status: str             # one of STATUSES
    rows: tuple[Row, ...] = ()
    diagnosis: Diagnosis | None = None
    credit: int = 0         # points of an answer that is right in part

    @classmethod
    def of(cls, task: Task, status: str, diagnosis: Diagnosis | None = None, rows: tuple[Row, ...] = (),
           credit: float = 0.0) -> "TaskResult":
        """The verdict on ``task``; ``credit`` is a share of its points."""
        return cls(task.name, task.function, task.points, status, rows, diagnosis, int(credit * task.points))

    @property
    def earned(self) -> int:
        """All points of a correct task; some, if its results are right but its way is not."""
        return self.points if self.status == "pass" else self.credit

    def as_json(self) -> dict[str, Any]:
        """Plain data; ``from_json`` reads it."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "TaskResult":
        """The inverse of ``as_json``."""
        given = data["diagnosis"]
        return TaskResult(data["name"], data["function"], data["points"], data["status"],
                          tuple(Row(**row) for row in data["rows"]), Diagnosis(**given) if given else None,
                          data["credit"])

    def lines(self) -> list[str]:
        """The table of tensors, then the diagnosis."""
        said = {"pass": "right", "fail": "WRONG", "error": "stopped with an error", "timeout": "too slow",
                "not-own": "not your own work", "not-started": "not started", "missing": "missing"}[self.status]
        if self.diagnosis and self.diagnosis.id == "not-tried":
            said = "not tried"
        lines = [f"{f'{self.function}: {said}':<60}{f'{self.earned} of {self.points} points':>{WIDTH - 60}}"]
        if self.rows:
            lines.append(f"  {'tensor':<26}{'shape, worst case':<26}{'error':>12}   verdict")
            lines += [f"  {row.tensor:<26}{row.shape:<26}{_number(row.error):>12}   {row.verdict}" for row in self.rows]
        if self.diagnosis:
            lines += ["", *wrap(f"{self.diagnosis.title}  [{self.diagnosis.id}]"), *wrap(self.diagnosis.text)]
        return lines


def _number(error: float) -> str:
    return "-" if error == float("inf") else f"{error:.1e}"


def wrap(text: str) -> list[str]:
    """Indented lines of at most 79 columns."""
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


@dataclass(frozen=True)
class Report:
    """The verdict on an exercise; true if every task is correct.  Prints as one table per task."""

    exercise: Exercise
    results: tuple[TaskResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every task is correct."""
        return all(result.status == "pass" for result in self.results)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def exit_code(self) -> int:
        """0: all correct; 1: something is wrong; 3: not started."""
        if self.ok:
            return PASSED
        return NOT_STARTED if all(result.status == "not-started" for result in self.results) else WRONG

    def __str__(self) -> str:
        lines = [f"{self.exercise.id} {self.exercise.title}", ""]
        said = None
        for result in self.results:
            if result.diagnosis and result.diagnosis == said:       # a broken file: say it once, not per task
                result = replace(result, diagnosis=None)
            said = result.diagnosis or said
            lines += [*result.lines(), ""]
        return "\n".join([*lines, *self._next_step()])

    def __repr__(self) -> str:
        return f"<{self.exercise.id}: {sum(r.status == 'pass' for r in self.results)} of {len(self.results)} right>"

    def _next_step(self) -> list[str]:
        if self.ok:
            return ["All right."]
        lines = [f"To read: lesson {self.exercise.lesson}",
                 f"         `minimixer lessons open {self.exercise.lesson[:2]}`",
                 f"A hint:  `minimixer exercises hint {self.exercise.id}`"]
        if self.exit_code == NOT_STARTED:
            lines.insert(0, "Not started: replace `raise NotImplementedError` with your own code.")
        return lines


def uniform_report(exercise: Exercise, status: str, diagnosis: Diagnosis | None = None) -> Report:
    """A report with the same verdict on every task."""
    return Report(exercise, tuple(TaskResult.of(task, status, diagnosis) for task in exercise.tasks))
