"""Run an answer in a process of its own and judge here what it returns: the process never knows what is right."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minimixer.exercises import checker
from minimixer.exercises.answers.python import Cells
from minimixer.exercises.definitions import load
from minimixer.exercises.evidence import Answer
from minimixer.exercises.here import Here
from minimixer.exercises.process import CheckerError, EndedError, Limits, Process
from minimixer.exercises.raised import Raised
from minimixer.exercises.report import Report, TaskResult
from minimixer.exercises.source import SubmissionError, read_file
from minimixer.exercises.task import Exercise, Task
from minimixer.exercises.words import Diagnosis, say

MOST_NOTES = 5          # failures that are described; one often brings others
__all__ = ["CheckerError", "Limits", "Run", "check_cells", "check_file"]


@dataclass(frozen=True)
class Run:
    """A checked submission."""

    report: Report
    printed: str                    # what the student's code printed, truncated
    seconds: float                  # wall-clock time
    notes: tuple[str, ...] = ()     # how the file was saved, and what failed around the answer


def check_file(exercise: str, path: Path, limits: Limits | None = None,
               earlier: Mapping[str, Path] | None = None) -> Run:
    """Check a file; ``earlier`` are files of earlier exercises whose classes replace the library's.

    Raises CheckerError if the checker itself cannot start.
    """
    wanted = load(exercise)
    try:
        text = read_file(path)
        before = {name: read_file(file).cells for name, file in (earlier or {}).items()}
    except SubmissionError as error:
        problem = say("broken-file", error=error, where="")
        return Run(Report(wanted, tuple(TaskResult.of(task, "error", problem) for task in wanted.tasks)), "", 0.0)
    checked = check_cells(wanted, text.cells, limits or Limits(), before)
    return replace(checked, notes=(*text.notes, *checked.notes))


def check_cells(exercise: Exercise, cells: Cells, limits: Limits, earlier: Mapping[str, Cells] | None = None) -> Run:
    """Check the text of an answer, in a process of its own; on Windows, which has no limits, in this one.

    Raises CheckerError if the checker itself cannot start.
    """
    start = time.monotonic()
    results: list[TaskResult] = []
    problems: tuple[Raised, ...] = ()
    with (Here if os.name == "nt" else Process)(limits) as process:
        try:
            problems = process.load({**(earlier or {}), exercise.id: cells})
            found = {task.name: process.find(task.function) for task in exercise.tasks}
            for task in exercise.tasks:
                problem = _stopped(problems, found[task.name])
                results.append(TaskResult.of(task, "error", problem) if problem
                               else checker.check_task(task, found[task.name], found, process.names))
        except EndedError as error:
            for task in exercise.tasks[len(results):]:
                results.append(_not_finished(task, error.how, results, limits))
    report = Report(exercise, tuple(results))
    return Run(report, process.printed(), time.monotonic() - start, _notes(problems, report))


def _notes(problems: Sequence[Raised], report: Report) -> tuple[str, ...]:
    """What was passed over, without what the report says, and without names that are missing because of it."""
    told = " ".join(result.diagnosis.text for result in report.results if result.diagnosis)
    first = [problem for n, problem in enumerate(problems) if (n == 0 or problem.kind != "NameError")
             and f"{problem.said}{problem.where}" not in told]
    instead = {"SystemExit": "it ends the program", "EOFError": "input() asks, but nobody is there to answer"}
    return tuple(f"Passed over: {instead.get(one.kind, one.said)}{one.where}." for one in first[:MOST_NOTES])


def _stopped(problems: Sequence[Raised], found: Answer | None) -> Diagnosis | None:
    """Why an answer cannot be called at all: its file was refused, or broke before the answer was defined."""
    for problem in problems:
        if problem.kind == "RefusedError":
            return say("refused", error=problem.text, where=problem.where)
        if problem.kind == "MemoryError":
            return say("memory")
    if found is not None or not problems:
        return None
    why = next((problem for problem in problems if problem.costs), problems[0])
    if why.kind in ("SystemExit", "KeyboardInterrupt"):
        return say("exits")
    return say("broken-file", error=why.said, where=why.where)


def _not_finished(task: Task, how: str, results: Sequence[TaskResult], limits: Limits) -> TaskResult:
    if how != "timeout":
        return TaskResult.of(task, "error", say("ended", error=how))
    first = not any(result.status == "timeout" for result in results)
    return TaskResult.of(task, "timeout", say("timeout", seconds=limits.seconds) if first else say("not-tried"))
