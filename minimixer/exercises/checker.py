"""Check a student's functions task by task, in this process; ``runner.py`` uses a separate, limited one."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from minimixer.errors import UsageError
from minimixer.exercises import parts
from minimixer.exercises.definitions import load
from minimixer.exercises.diagnose import diagnose
from minimixer.exercises.evidence import Evidence, Leaf, observe
from minimixer.exercises.report import Report, Row, TaskResult
from minimixer.exercises.task import Exercise, Task
from minimixer.exercises.words import say

Namespace = Mapping[str, Any]
grading = False     # True while runner.py runs a file: calls of check() inside that file then do nothing


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
    tasks = [t for t in wanted.tasks if task in (None, t.name)]
    if grading:
        return Report(wanted, ())
    namespace = _namespace(wanted, answers)
    report = Report(wanted, tuple(check_task(t, namespace) for t in tasks))
    print(report)
    return report


def _namespace(exercise: Exercise, answers: tuple[Any, ...]) -> dict[str, Any]:
    """The answers under the names that the exercise uses."""
    namespace: dict[str, Any] = {}
    for answer in answers:
        if isinstance(answer, Mapping):
            namespace |= answer
        elif isinstance(answer, ModuleType):
            namespace |= vars(answer)
        else:
            namespace[getattr(answer, "__name__", type(answer).__name__)] = answer
    wanted = {task.function.split(".")[0] for task in exercise.tasks}
    if len(wanted) == len(answers) == 1 and not isinstance(answers[0], (Mapping, ModuleType)):
        namespace.setdefault(wanted.pop(), answers[0])      # a single answer may have any name
    return namespace


def find(task: Task, namespace: Namespace) -> Any:
    """The student's function for a task, or None."""
    first, *rest = task.function.split(".")
    found = namespace.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found if callable(found) else None


def check_task(task: Task, namespace: Namespace) -> TaskResult:
    """Check one task."""
    function = find(task, namespace)
    if function is None:
        return TaskResult.of(task, "error", say("not-found", function=task.function))
    outcomes = []
    for case in task.cases():
        outcomes.append(observe(task, function, case))
        if isinstance(outcomes[-1].raised, NotImplementedError):
            return TaskResult.of(task, "not-started")
    evidence = Evidence(task, function, tuple(outcomes))
    rows = _rows(evidence)
    if evidence.right:
        return TaskResult.of(task, "pass", rows=rows)
    stopped = any(isinstance(outcome.raised, (Exception, SystemExit)) for outcome in outcomes)
    return TaskResult.of(task, "error" if stopped else "fail", diagnose(evidence), rows)


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



def use_own_parts(namespace: Namespace) -> None:
    """Replace the library's parts by the student's own earlier classes (``--chain``)."""
    for name in ("Linear", "Gelu", "LayerNorm", "TokenMixing"):
        if isinstance(namespace.get(name), type):
            setattr(parts, name, namespace[name])
