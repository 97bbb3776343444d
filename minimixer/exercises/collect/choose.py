"""Which file of a student answers an exercise: the newest attempt, and never an untouched file before a filled one."""

import ast
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from minimixer.exercises.answers.python import body, parse
from minimixer.exercises.collect.names import copy_number, exercise_of, own_name, stem
from minimixer.exercises.collect.walk import Entry, Unused, Walker
from minimixer.exercises.definitions import load
from minimixer.exercises.source import SubmissionError, fresh, is_notebook, read_file
from minimixer.exercises.task import Exercise

AT_ONCE = 120       # seconds: files saved within this time are equally new, as after copying a folder
MOST_ATTEMPTS = 20  # files of one student for one exercise that are looked at, the newest
LONG = 100_000      # characters: nobody leaves a file of this length untouched
ATTEMPT, UNFINISHED, NO_ANSWER, UNTOUCHED = range(4)
WHY = {ATTEMPT: "another attempt", UNFINISHED: "not finished", NO_ANSWER: "it does not define {function}",
       UNTOUCHED: "not begun"}


def sort_out(entries: Iterable[tuple[Entry, str]]) -> tuple[dict[str, list[Entry]], list[Unused]]:
    """A student's files by exercise, and those that name none.

    Each comes with the exercise of a folder around the student's, empty if there is none.
    """
    found: dict[str, list[Entry]] = {}
    unused = []
    for entry, exercise in entries:
        names = [own_name(entry.name), *reversed(entry.parts[:-1])]
        named = next((id for id in map(exercise_of, names) if id), exercise)
        if named:
            found.setdefault(named, []).append(entry)
        else:
            unused.append(Unused(entry.parts, "its name names no exercise, as ex06_layernorm.py does"))
    return found, unused


def choose(entries: Sequence[Entry], exercise: Exercise) -> tuple[Entry, list[Unused]]:
    """The answer among the files of an exercise, and the others."""
    order = sorted(entries, key=lambda entry: (-entry.attempt, -entry.modified, -copy_number(entry.name), entry.parts))
    entries, left = order[:MOST_ATTEMPTS], order[MOST_ATTEMPTS:]
    states = {entry: state(entry.path, entry.name, exercise) for entry in entries}
    best = min(states.values())
    able = [entry for entry in entries if states[entry] == best]
    latest = max(entry.attempt for entry in able)
    able = [entry for entry in able if entry.attempt == latest]
    newest = max(entry.modified for entry in able)
    able = [entry for entry in able if entry.modified >= newest - AT_ONCE]
    chosen = min(able, key=lambda entry: (
        -copy_number(entry.name), is_notebook(entry.name),
        stem(own_name(entry.name)) != Path(exercise.filename).stem, len(entry.parts), entry.parts))
    function = exercise.tasks[0].function.split(".")[0]
    others = [Unused(entry.parts, f"{WHY[states[entry]].format(function=function)}: {chosen.name} was graded")
              for entry in entries if entry is not chosen]
    others += [Unused(entry.parts, f"older than {MOST_ATTEMPTS} others for {exercise.id}: not looked at")
               for entry in left]
    return chosen, others


def state(path: Path, name: str, exercise: Exercise) -> int:
    """How far a file is: ATTEMPT, UNFINISHED, NO_ANSWER or UNTOUCHED.

    It is told by syntax trees: names on top, comments, tests and prints do not make an untouched file an attempt.
    """
    try:
        cells = read_file(path, name).cells
    except SubmissionError:
        return UNFINISHED if path.exists() and path.stat().st_size else UNTOUCHED
    if sum(len(text) for _, text in cells) > LONG:
        return ATTEMPT
    functions = {task.function for task in exercise.tasks}
    first = {function.split(".")[0] for function in functions}
    bodies: dict[str, str] = {}
    defines = False
    for _, text in cells:
        try:
            tree = parse(text)
        except SyntaxError:
            if any(re.search(rf"\b{name}\b", text) for name in first):
                return ATTEMPT          # the check says what is wrong with it
            continue
        bodies |= {name: _body(node) for name, node in _functions(tree).items() if name in functions}
        defines = defines or any(_binds(node, first) for node in tree.body)
    if not bodies:
        empty = not any(text.strip() for _, text in cells)
        return UNTOUCHED if empty else ATTEMPT if defines else NO_ANSWER
    stubs = _stubs(exercise.id)
    filled = [text for name, text in bodies.items() if text != stubs[name] and text not in HOLLOW]
    if not filled:
        return UNTOUCHED
    return ATTEMPT if any(not text.endswith(RAISES) for text in filled) else UNFINISHED


def _binds(node: ast.stmt, names: set[str]) -> bool:
    """Whether a statement gives something to one of the names."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name in names
    if isinstance(node, ast.ImportFrom):
        return any((alias.asname or alias.name) in names for alias in node.names)
    return isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id in names
                                                for target in node.targets)


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """The functions and methods of a file; of several with one name, the last."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}": inner for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


RAISES = "Raise(exc=Name(id='NotImplementedError', ctx=Load()))"
HOLLOW = {"", "Pass()", "Expr(value=Constant(value=Ellipsis))", RAISES}


def _body(function: ast.FunctionDef) -> str:
    return "\n".join(_statement(statement) for statement in body(function))


def _statement(statement: ast.stmt) -> str:
    """The tree of a statement as text; NotImplementedError with a message is the same as without."""
    if isinstance(statement, ast.Raise) and isinstance(statement.exc, ast.Call):
        statement = ast.Raise(statement.exc.func)
    try:
        return ast.dump(statement)
    except RecursionError:
        return "too deep"


@cache
def _stubs(exercise: str) -> dict[str, str]:
    return {name: _body(node) for name, node in _functions(ast.parse(fresh(load(exercise)))).items()}


def find_submission(folder: Path, exercise: Exercise) -> Path | None:
    """The file of an exercise in a folder or below it, outside archives.  Links are not followed."""
    found, _ = sort_out((entry, "") for entry in Walker(None).folder(folder).entries)
    return choose(found[exercise.id], exercise)[0].path if exercise.id in found else None
