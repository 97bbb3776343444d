"""``minimixer exercises``: list, start, check and hint for students; grade and course-kit for teachers."""

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from minimixer.console import run_subcommand
from minimixer.errors import FAILURE, OK, MinimixerError, UsageError
from minimixer.exercises.collect.choose import find_submission
from minimixer.exercises.course.plan import EFFORT
from minimixer.exercises.definitions import load, names
from minimixer.exercises.report import NOT_STARTED, WIDTH
from minimixer.exercises.runner import Limits, check_file
from minimixer.exercises.source import STUDENT, fresh
from minimixer.files import write_atomically

Name = Annotated[str, tyro.conf.arg(metavar="EXERCISE")]
File = Annotated[Path | None, tyro.conf.arg(metavar="[FILE]", help_behavior_hint="")]
Number = Annotated[int, tyro.conf.arg(metavar="[NUMBER]")]
Seconds = Annotated[float, tyro.conf.arg(metavar="S")]
Submissions = Annotated[Path, tyro.conf.arg(metavar="DIR")]
Kit = Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
Feedback = Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
Format = Literal["csv", "canvas", "moodle", "gradescope", "gradescope-csv", "nbgrader"]
Roster = Annotated[Path | None, tyro.conf.arg(metavar="CSV", help_behavior_hint="")]
Due = Annotated[tuple[str, ...], tyro.conf.arg(metavar="DATE ...", help_behavior_hint="")]
Rule = Annotated[str, tyro.conf.arg(metavar="RULE", help_behavior_hint="")]
Site = Annotated[str, tyro.conf.arg(metavar="URL", help_behavior_hint="")]
Exercises = Annotated[tuple[str, ...], tyro.conf.arg(metavar="EXERCISE ...", help_behavior_hint="")]


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand, by default list, and return the exit code."""
    return run_subcommand("exercises", "Exercises, and a checker that explains why an answer is wrong.",
                          arguments or ["list"], list=list_exercises, start=start, check=check, hint=hint, grade=grade,
                          **{"course-kit": course_kit})


def list_exercises() -> int:
    """List the exercises."""
    print(f"{'':<6}{'lesson':<8}{'title':<34}to write")
    for name in names():
        exercise = load(name)
        first, *others = (task.function for task in exercise.tasks)
        functions = ", ".join([first, *(f".{function.split('.')[-1]}" for function in others)])
        print(f"{name}  {exercise.lesson[:2]:<8}{exercise.title:<34}{functions}")
    print("\nStart with `minimixer exercises start ex01`; any order is fine.")
    return OK


def start(exercise: Name, /, notebook: bool = False) -> int:
    """Create the file of an exercise in this folder, for you to fill in.

    Parameters
    ----------
    exercise
        Such as ex06.
    notebook
        Create a Jupyter notebook instead of a Python file.
    """
    started = load(exercise)
    target = Path(started.filename).with_suffix(".ipynb" if notebook else ".py")
    for path in (target.with_suffix(".py"), target.with_suffix(".ipynb")):
        if os.path.lexists(path):
            raise MinimixerError(f"{path} is here already, and is kept; rename it to start again")
    if notebook:
        text = (STUDENT / started.filename).read_text(encoding="utf-8")
        write_atomically(target, as_notebook(text, started.id).encode())
    else:
        write_atomically(target, fresh(started).encode())
    effort = EFFORT[started.id]
    print(f"{target}: {started.title}, lesson {started.lesson[:2]}; about {effort.minutes} minutes, difficulty "
          f"{effort.difficulty} of 5.")
    print(f"Fill it in (`jupyter lab {target}`) and run its last cell." if notebook else
          f"Fill it in with your editor, then run `minimixer exercises check {started.id}`.")
    return OK


def as_notebook(text: str, name: str) -> str:
    """A student's file as a notebook whose last cell checks it.  Raises MinimixerError without jupytext."""
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


def check(exercise: Name, file: File = None, /, chain: bool = False, seconds: Seconds = 10.0) -> int:
    """Check your answer, and explain what is wrong.

    Exit code: 0 all right, 1 something is wrong, 3 not started.

    Parameters
    ----------
    exercise
        Such as ex06.
    file
        Your file; by default the one in this folder that `start` created.
    chain
        Use your own earlier exercises, from the same folder, instead of the library's parts.
    seconds
        CPU time that your code may take.
    """
    checked = load(exercise)
    path = file or find_here(checked.id)
    if path is None:
        print(f"{checked.id} is not started: there is no {checked.filename} here. Run `minimixer exercises start "
              f"{checked.id}`.")
        return NOT_STARTED
    if not path.is_file():
        raise UsageError(f"there is no file {path}: expected your answer to {checked.id}")
    if chain and not checked.uses:
        raise UsageError(f"--chain has no effect on {checked.id} (it uses no earlier exercise): leave it out")
    limits = Limits(seconds)
    earlier: dict[str, Path] = {}
    for name in _uses(checked.id) if chain else ():
        own = find_submission(path.parent, load(name))
        if own is None or not check_file(name, own, limits, earlier).report.ok:
            print(f"{checked.id} uses your own {name}, which is not right yet: run `minimixer exercises check {name}`"
                  ", or leave out --chain.")
            return FAILURE
        earlier[name] = own
    run = check_file(checked.id, path, limits, earlier)
    if run.printed.strip():
        print(f"Your code printed:\n{run.printed.rstrip()}\n")
    for note in run.notes:
        print(textwrap.fill(f"Note: {note}", WIDTH), end="\n\n")
    print(run.report)
    if run.report.ok and (later := [name for name in names() if name > checked.id]):
        print(f"The next one: `minimixer exercises start {later[0]}`")
    return run.report.exit_code


def _uses(name: str) -> list[str]:
    """All earlier exercises that one builds on, directly or through others, in order."""
    direct = load(name).uses
    return sorted({deeper for used in direct for deeper in (*_uses(used), used)})


def find_here(name: str) -> Path | None:
    """The student's file in the current folder, ignoring subfolders."""
    exercise = load(name)
    stem = Path(exercise.filename).stem
    return next((path for path in (Path(f"{stem}.py"), Path(f"{stem}.ipynb")) if path.is_file()), None)


def hint(exercise: Name, number: Number = 1, /) -> int:
    """Give a hint, and the next one if you ask for it.

    Parameters
    ----------
    exercise
        Such as ex06.
    number
        Which hint; each reveals more than the one before.
    """
    hinted = load(exercise)
    most = len(hinted.hints)
    if not 1 <= number <= most:
        raise UsageError(f"{hinted.id} has hints 1 to {most}")
    print(textwrap.fill(f"Hint {number} of {most}: {hinted.hints[number - 1]}", WIDTH))
    if number < most:
        print(f"\nThe next one: `minimixer exercises hint {hinted.id} {number + 1}`")
    return OK


def grade(dir: Submissions, /, out: Path = Path("grades.csv"), feedback: Feedback = None, format: Format = "csv",
          exercises: Exercises = (), roster: Roster = None, due: Due = (), late: Rule = "", lessons: Site = "",
          jobs: int = 2, seconds: Seconds = 10.0, memory: int = 1024, trust_submissions: bool = False) -> int:
    """Check the exercises of a whole class.

    DIR holds one folder or archive per student, or a platform's download.

    Student code is run, behind bubblewrap where there is one (docs/teachers.md).

    Parameters
    ----------
    dir
        Folder of the submissions, or the archive that a learning platform gives.
    out
        Table of grades to write: a CSV file; for gradescope, a folder of results.json files. The page for the teacher
        is written beside it, as grades.html.
    feedback
        Folder for one HTML page per student.
    format
        Program that will read the grades.
    exercises
        Exercises to grade; by default all that were handed in.
    roster
        CSV file of the class, as Canvas, Moodle or Gradescope export it; who handed in nothing gets a row too.
    due
        When files had to be saved: 2026-10-09T23:59, or ex06=2026-10-09T23:59 for one exercise.
    late
        What late work costs: reject, 10%/day, 5%/hour or 10%/day,max=50%; by default it is only marked.
    lessons
        Address of the lessons as web pages; by default the pages link to notebooks beside them.
    jobs
        Submissions to check at the same time.
    seconds
        CPU time per submission.
    memory
        MiB of memory per submission.
    trust_submissions
        Run them although there is no fence: then only accidents are stopped.
    """
    from minimixer.exercises.grade import grade
    return grade(dir, out, feedback, format, exercises, jobs, Limits(seconds, memory << 20), roster=roster, due=due,
                 late=late, lessons=lessons, trust=trust_submissions)


def course_kit(folder: Kit, /) -> int:
    """Write the files that a course starts with: a container for grading, CI workflows, a syllabus of six weeks.

    Parameters
    ----------
    folder
        Target folder; created if missing. Nothing that is there is overwritten.
    """
    from minimixer.exercises.course.kit import write
    for path in write(folder):
        print(path)
    print(f"\nStart with {folder / 'README.md'}.")
    return OK
