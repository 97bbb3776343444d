"""Answers that are equal or nearly so, by their syntax trees: names, comments and layout do not count."""

import ast
import builtins
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minimixer.exercises.answers.python import is_stub, parse
from minimixer.exercises.task import Exercise

SMALLEST = 40           # nodes: shorter answers are often equal by chance
NEARLY = 0.85           # of the pieces of two answers that both have
PIECE = 6               # nodes in a row
MOST = 20_000           # nodes
KEPT = {*dir(builtins), "np", "numpy", "self", "cls"}
SAME_FILE, SAME_CODE, RENAMED, ALIKE = ("the same file", "the same code", "the same code with other names",
                                        "nearly the same code")


@dataclass(frozen=True)
class Group:
    """Students whose answers to an exercise are alike."""

    exercise: str
    how: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class _Print:
    """What an answer looks like."""

    digest: str
    exact: tuple[str, ...]
    renamed: tuple[str, ...]
    pieces: Counter[tuple[str, ...]]


def groups(exercise: Exercise, cells: Mapping[str, Sequence[tuple[str, str]]],
           digests: Mapping[str, str]) -> list[Group]:
    """The groups of students with like answers, each with the strongest likeness that holds for all of it.

    Parameters
    ----------
    exercise : Exercise
    cells : mapping
        The code of each student's answer.
    digests : mapping
        The SHA-256 of each student's file.
    """
    names = {task.function.split(".")[0] for task in exercise.tasks}
    made = {student: _print(cells[student], names, digests.get(student, "")) for student in sorted(cells)}
    prints = {student: one for student, one in made.items() if one is not None}
    found: list[Group] = []
    seen: set[tuple[str, ...]] = set()
    for how, kind in ((SAME_FILE, "digest"), (SAME_CODE, "exact"), (RENAMED, "renamed")):
        by_key: dict[object, list[str]] = defaultdict(list)
        for student, one in prints.items():
            by_key[getattr(one, kind)].append(student)
        for students in by_key.values():
            if len(students) > 1 and tuple(students) not in seen:
                seen.add(tuple(students))
                found.append(Group(exercise.id, how, tuple(students)))
    first = {one.renamed: student for student, one in reversed(prints.items())}     # one for each kind of answer
    kinds = sorted(first.values())
    pairs = [(student, other) for number, student in enumerate(kinds) for other in kinds[number + 1:]
             if _likeness(prints[student].pieces, prints[other].pieces) >= NEARLY]
    return [*found, *(Group(exercise.id, ALIKE, pair) for pair in pairs)]


def _print(cells: Sequence[tuple[str, str]], names: set[str], digest: str) -> _Print | None:
    """The print of an answer; None if it cannot be read, was not begun or is too short."""
    exact: list[str] = []
    renamed: list[str] = []
    nameless: list[str] = []
    found = False
    for _, text in cells:
        try:
            tree = parse(text)
        except SyntaxError:
            continue
        own = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
               and not is_stub(node)]           # without imports, calls of the check, prints
        found = found or any(getattr(node, "name", "") in names for node in own)
        for node in own:
            for all_of_them, its in zip((exact, renamed, nameless), _flat(node), strict=True):
                all_of_them += its
    if not found or not SMALLEST <= len(exact) <= MOST:
        return None
    return _Print(digest, tuple(exact), tuple(renamed),
                  Counter(tuple(nameless[n:n + PIECE]) for n in range(len(nameless) - PIECE + 1)))


def _flat(tree: ast.AST) -> tuple[list[str], list[str], list[str]]:
    """The nodes of a tree in order, with names and values; with the student's own names numbered; without these."""
    exact, renamed, nameless = [], [], []
    numbers: dict[str, int] = {}
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue                    # a docstring, or a comment written as one
        if isinstance(node, ast.expr_context):
            continue
        kind = type(node).__name__
        said = next((str(getattr(node, name)) for name in ("id", "arg", "name", "attr", "value")
                     if isinstance(getattr(node, name, None), str | int | float | complex)), "")
        exact.append(f"{kind} {said}")
        own = isinstance(node, ast.Name | ast.arg) and said not in KEPT
        renamed.append(f"{kind} {numbers.setdefault(said, len(numbers))}" if own else f"{kind} {said}")
        nameless.append(kind if own else f"{kind} {said}")
        todo += reversed([*ast.iter_child_nodes(node)])
    return exact, renamed, nameless


def _likeness(a: Counter[tuple[str, ...]], b: Counter[tuple[str, ...]]) -> float:
    """The part of the pieces of two answers that both have (Jaccard's index of multisets)."""
    total = a.total() + b.total()
    if min(a.total(), b.total()) < NEARLY * max(a.total(), b.total()):
        return 0.0
    shared = (a & b).total()
    return shared / (total - shared)
