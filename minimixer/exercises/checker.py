"""Check a student's functions task by task: call them, compare, explain."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

from minimixer.errors import UsageError
from minimixer.exercises.answers.functions import about, find
from minimixer.exercises.definitions import load
from minimixer.exercises.diagnose import closest, diagnose
from minimixer.exercises.evidence import Answer, Evidence, Leaf, observe
from minimixer.exercises.report import Report, Row, TaskResult
from minimixer.exercises.task import Case, Exercise, Task
from minimixer.exercises.words import say

_silent = False     # while a file is run in this process: calls of check() inside that file then do nothing


def check(exercise: str, *answers: Any, task: str | None = None) -> Report:
    """Check an exercise in a notebook and print the report.

    Parameters
    ----------
    exercise : str
        Such as ``"ex06"``.
    *answers : class, function, module or dict
        Your code, such as ``LayerNorm``; or ``globals()``.
    task : str, optional
        Check only this task, such as ``"backward"``.

    Returns
    -------
    Report
        True if every task is correct; ``print(report)`` shows it again.

    Raises
    ------
    UsageError
        If there is no such exercise or task.
    """
    wanted = load(exercise)
    if task is not None and task not in [t.name for t in wanted.tasks]:
        raise UsageError(f"{wanted.id} has no task {task!r}: expected one of {', '.join(t.name for t in wanted.tasks)}")
    if _silent:
        return Report(wanted, ())
    namespace = _namespace(wanted, answers)
    found = {t.name: answer(t.function, namespace) for t in wanted.tasks}
    report = Report(wanted, tuple(check_task(t, found[t.name], found) for t in wanted.tasks if task in (None, t.name)))
    print(report)
    return report


@contextmanager
def silent() -> Iterator[None]:
    """Calls of ``check`` do nothing meanwhile."""
    global _silent
    _silent = True
    try:
        yield
    finally:
        _silent = False


def _namespace(exercise: Exercise, answers: tuple[Any, ...]) -> dict[str, Any]:
    """The answers under the names that the exercise uses."""
    namespace: dict[str, Any] = {}
    for given in answers:
        if isinstance(given, Mapping):
            namespace |= given
        elif isinstance(given, ModuleType):
            namespace |= vars(given)
        else:
            namespace[getattr(given, "__name__", type(given).__name__)] = given
    wanted = {task.function.split(".")[0] for task in exercise.tasks}
    if len(wanted) == len(answers) == 1 and not isinstance(answers[0], (Mapping, ModuleType)):
        namespace.setdefault(wanted.pop(), answers[0])      # a single answer may have any name
    return namespace


def answer(path: str, namespace: Mapping[str, Any]) -> Answer | None:
    """The student's function for a task in this process, or None."""
    function = find(path, namespace)
    return None if function is None else Answer(function, *about(function)[1:])


@cache
def cases_of(task: Task) -> list[Case]:
    """The cases of a task, made once; nobody may modify them."""
    return task.cases()


def check_task(task: Task, given: Answer | None, others: Mapping[str, Answer | None] | None = None,
               names: tuple[str, ...] = ()) -> TaskResult:
    """Check one task.

    Parameters
    ----------
    task : Task
    given : Answer, optional
    others : mapping, optional
        The functions of all tasks of the file, for the diagnosis.
    names : tuple of str
        What else the file defines, where the function was not found.
    """
    if given is None:
        if (other := closest(task.function, names)) is not None:
            return TaskResult.of(task, "error", say("renamed", function=task.function, other=other))
        return TaskResult.of(task, "error", say("not-found", function=task.function))
    outcomes = []
    for case in cases_of(task):
        outcomes.append(observe(task, given.function, case))
        raised = getattr(outcomes[-1].raised, "kinds", ())
        if "NotOwnWorkError" in raised:
            return TaskResult.of(task, "not-own", say("not-own", name=outcomes[-1].raised.text))    # type: ignore
        if "NotImplementedError" in raised and len(outcomes) == 1:
            return TaskResult.of(task, "error" if given.started else "not-started",
                                 say("raise-left") if given.started else None)
    evidence = Evidence(task, given, tuple(outcomes), {k: v for k, v in (others or {}).items() if v is not None})
    rows = _rows(evidence)
    if evidence.right:
        return TaskResult.of(task, "pass", rows=rows)
    stopped = any(outcome.raised is not None for outcome in outcomes)
    found, credit = diagnose(evidence)
    return TaskResult.of(task, "error" if stopped and not credit else "fail", found, rows, credit)


def _rows(evidence: Evidence) -> tuple[Row, ...]:
    """One row per tensor: its worst case."""
    worst: dict[str, Leaf] = {}
    for outcome in evidence.outcomes:
        for leaf in outcome.leaves:
            if leaf.name not in worst or not leaf.error <= worst[leaf.name].error:       # nan is worst
                worst[leaf.name] = leaf
    return tuple(Row(name, _shape(leaf), leaf.error, leaf.verdict) for name, leaf in worst.items())


def _shape(leaf: Leaf) -> str:
    if leaf.found is None or leaf.found.shape == leaf.expected.shape:
        return str(leaf.expected.shape)
    return f"{leaf.found.shape}, not {leaf.expected.shape}"
