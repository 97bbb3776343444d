"""``minimixer exercises``: list, start, check and hint for students, grade for teachers."""

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minimixer.errors import FAILURE, OK, MinimixerError, UsageError, run_command
from minimixer.exercises.definitions import load, names
from minimixer.exercises.report import NOT_STARTED, WIDTH
from minimixer.exercises.runner import Limits, check_file
from minimixer.exercises.source import STUDENT, find_submission, fresh

Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXERCISE")]


@dataclass(frozen=True)
class List:
    """Tell which exercises there are."""


@dataclass(frozen=True)
class Start:
    """Put the file of an exercise into this folder, to be filled in."""

    exercise: Name
    """Such as ex06."""
    notebook: bool = False
    """Make a Jupyter notebook in place of a Python file."""


@dataclass(frozen=True)
class Check:
    """Check your answer, and say why it is wrong.

    Exit code: 0 all right, 1 something is wrong, 3 not started.
    """

    exercise: Name
    """Such as ex06."""
    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]", help_behavior_hint="")] = None
    """Your file; by default the one in this folder that `start` made."""
    chain: bool = False
    """Use your own earlier exercises, from the same folder, in place of the library's parts."""
    seconds: float = 10.0
    """CPU time that your code may take."""


@dataclass(frozen=True)
class Hint:
    """Give a hint, and the next one if you ask for it."""

    exercise: Name
    """Such as ex06."""
    number: Annotated[int, tyro.conf.Positional, tyro.conf.arg(metavar="[NUMBER]")] = 1
    """Which hint; each says more than the one before."""


@dataclass(frozen=True)
class Grade:
    """Check the exercises of a whole class.

    DIR holds one folder for each student.  Student code is run: do this in a sandbox (docs/teachers.md).
    """

    dir: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of the submissions."""
    out: Path = Path("grades.csv")
    """The table of grades: a CSV file; a folder of results.json files for gradescope."""
    feedback: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for one HTML page for each student."""
    format: Literal["csv", "gradescope", "nbgrader"] = "csv"
    """Who will read the grades."""
    exercises: Annotated[tuple[str, ...], tyro.conf.arg(metavar="EXERCISE ...", help_behavior_hint="")] = ()
    """Which exercises to grade; by default all that anybody handed in."""
    jobs: int = 2
    """How many submissions to check at once."""
    seconds: float = 10.0
    """CPU time for each submission."""
    memory: int = 1024
    """MiB of memory for each submission."""


Command = (Annotated[List, tyro.conf.subcommand("list")] | Annotated[Start, tyro.conf.subcommand("start")]
           | Annotated[Check, tyro.conf.subcommand("check")] | Annotated[Hint, tyro.conf.subcommand("hint")]
           | Annotated[Grade, tyro.conf.subcommand("grade")])


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    return run_command("exercises", lambda: _run(list(arguments) or ["list"]))


def _run(arguments: list[str]) -> int:
    command = tyro.cli(Command, args=arguments, prog="minimixer exercises", config=(tyro.conf.FlagCreatePairsOff,),
                       description="Exercises, and a checker that says why an answer is wrong.")
    match command:
        case List():
            return _list()
        case Start():
            return _start(command)
        case Check():
            return _check(command)
        case Hint():
            return _hint(command)
        case Grade():
            from minimixer.exercises.grade import grade
            return grade(command.dir, command.out, command.feedback, command.format, command.exercises, command.jobs,
                         Limits(command.seconds, command.memory << 20))
    raise AssertionError(command)


def _list() -> int:
    print(f"{'':<6}{'lesson':<8}{'title':<34}to write")
    for name in names():
        exercise = load(name)
        first, *others = (task.function for task in exercise.tasks)
        functions = ", ".join([first, *(f".{function.split('.')[-1]}" for function in others)])
        print(f"{name}  {exercise.lesson[:2]:<8}{exercise.title:<34}{functions}")
    print("\nBegin with `minimixer exercises start ex01`; any order is fine.")
    return OK


def _start(command: Start) -> int:
    exercise = load(command.exercise)
    target = Path(exercise.filename).with_suffix(".ipynb" if command.notebook else ".py")
    for path in (target.with_suffix(".py"), target.with_suffix(".ipynb")):
        if path.exists():
            raise MinimixerError(f"{path} is here already: it stays as it is; rename it to begin anew")
    if command.notebook:
        text = (STUDENT / exercise.filename).read_text(encoding="utf-8")
        target.write_text(notebook(text, exercise.id), encoding="utf-8")
    else:
        target.write_text(fresh(exercise), encoding="utf-8")
    print(f"{target}: {exercise.title}, lesson {exercise.lesson[:2]}.")
    print(f"Fill it in (`jupyter lab {target}`) and run its last cell." if command.notebook else
          f"Fill it in with your editor, then run `minimixer exercises check {exercise.id}`.")
    return OK


def notebook(text: str, name: str) -> str:
    """The notebook of a student's file, with a last cell that checks it.  Raises MinimixerError without jupytext."""
    try:
        import jupytext
        from nbformat import from_dict
    except ImportError:
        raise MinimixerError('a notebook needs jupytext: pip install "minimixer[lessons]", or leave out --notebook '
                             "and fill in the Python file") from None
    made = jupytext.reads(text, fmt="py:percent")
    answers = dict.fromkeys(task.function.split(".")[0] for task in load(name).tasks)
    made.cells.append(from_dict({  # type: ignore[no-untyped-call]
        "cell_type": "code", "execution_count": None, "id": "check", "metadata": {}, "outputs": [],
        "source": f'import minimixer as mm\n\nmm.exercises.check("{name}", {", ".join(answers)});'}))
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return str(jupytext.writes(made, fmt="ipynb"))


def _check(command: Check) -> int:
    exercise = load(command.exercise)
    path = command.file or find_here(exercise.id)
    if path is None:
        print(f"{exercise.id} is not started: there is no {exercise.filename} here. Run `minimixer exercises start "
              f"{exercise.id}`.")
        return NOT_STARTED
    if not path.is_file():
        raise UsageError(f"there is no file {path}: expected your answer to {exercise.id}")
    limits = Limits(command.seconds)
    earlier: dict[str, Path] = {}
    for name in _uses(exercise.id) if command.chain else ():
        own = find_submission(path.parent, load(name))
        if own is None or not check_file(name, own, limits, earlier).report.ok:
            print(f"{exercise.id} uses your own {name}, which is not right yet: run `minimixer exercises check {name}`"
                  ", or leave out --chain.")
            return FAILURE
        earlier[name] = own
    run = check_file(exercise.id, path, limits, earlier)
    if run.printed.strip():
        print(f"Your code printed:\n{run.printed.rstrip()}\n")
    print(run.report)
    if run.report.ok and (later := [name for name in names() if name > exercise.id]):
        print(f"The next one: `minimixer exercises start {later[0]}`")
    return run.report.exit_code


def _uses(name: str) -> list[str]:
    """The earlier exercises that one builds on, and those that these build on, in order."""
    direct = load(name).uses
    return sorted({deeper for used in direct for deeper in (*_uses(used), used)})


def find_here(name: str) -> Path | None:
    """The student's file in the current folder, not in folders below it."""
    exercise = load(name)
    stem = Path(exercise.filename).stem
    return next((path for path in (Path(f"{stem}.py"), Path(f"{stem}.ipynb")) if path.is_file()), None)


def _hint(command: Hint) -> int:
    exercise = load(command.exercise)
    most = len(exercise.hints)
    if not 1 <= command.number <= most:
        raise UsageError(f"{exercise.id} has the hints 1 to {most}")
    print(textwrap.fill(f"Hint {command.number} of {most}: {exercise.hints[command.number - 1]}", WIDTH))
    if command.number < most:
        print(f"\nThe next one: `minimixer exercises hint {exercise.id} {command.number + 1}`")
    return OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
