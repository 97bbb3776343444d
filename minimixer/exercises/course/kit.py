"""Write the files of a course: a container for grading, workflows of GitHub and GitLab, a syllabus, a table."""

import os
import re
import textwrap
from pathlib import Path

from minimixer.errors import UsageError
from minimixer.exercises.course.plan import EFFORT, WEEKS, Week
from minimixer.exercises.definitions import load, names
from minimixer.exercises.show.lessons import notebook
from minimixer.files import write_atomically

HERE = Path(__file__).parent
README = """# Course kit

Written by `minimixer exercises course-kit`. Change what you like: nothing here is read by minimixer.

| file | what it is for |
| --- | --- |
| `syllabus.md` | six weeks: lessons, exercises, minutes |
| `exercises.csv` | the same as a table: exercise, week, lesson, points, minutes, difficulty |
| `Containerfile` | an image for grading, built without network from the wheels in `wheels/` |
| `grade.sh` | grades a folder of submissions in that image: no network, submissions read-only |
| `github/.github/workflows/exercises.yml` | for the template repository of GitHub Classroom |
| `gitlab/.gitlab-ci.yml` | for the project that students fork on GitLab |

## Grade with the container

```console
$ python -m pip wheel --wheel-dir wheels minimixer      # once, where there is a network
$ podman build --network none --tag minimixer-grader .
$ sh grade.sh submissions results --roster roster.csv --due 2026-10-09T23:59 --late 10%/day
```

`results/` then holds `grades.csv`, `grades.totals.csv`, `grades.html` for you, and `pages/` for the students.

## Workflows

Both check each exercise on every push. What students see is feedback: a student can change the workflow of an own
repository. For marks, collect the repositories and grade them yourself. Minutes and difficulty are estimates.
"""


def files() -> dict[str, str]:
    """The files of the kit: path in its folder to text."""
    return {"README.md": README, "syllabus.md": syllabus(), "exercises.csv": table(),
            "Containerfile": (HERE / "Containerfile").read_text(encoding="utf-8"),
            "grade.sh": (HERE / "grade.sh").read_text(encoding="utf-8"),
            "wheels/README": "Put the wheels here: python -m pip wheel --wheel-dir wheels minimixer\n",
            "github/.github/workflows/exercises.yml": github(), "gitlab/.gitlab-ci.yml": gitlab()}


def write(folder: Path) -> list[Path]:
    """Write the kit into a folder and return its files.  Raises UsageError if one of them is there already."""
    made = {folder / name: text for name, text in files().items()}
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder for the course kit")
    if there := [path for path in made if os.path.lexists(path)]:
        raise UsageError(f"{there[0]} exists and is kept: name another folder, or move it away")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    (folder / "grade.sh").chmod(0o755)
    return [*made]


def lesson_title(number: str) -> tuple[str, int]:
    """The title of a lesson and the minutes that it takes; the number alone if the notebook is not there."""
    path = notebook(number)
    text = path.read_text(encoding="utf-8") if path else ""
    title, minutes = re.search(r'"# \d+ ([^"\\]+)', text), re.search(r"\*\*Time:\*\* (\d+)", text)
    return title[1].strip() if title else f"lesson {number}", int(minutes[1]) if minutes else 0


def syllabus() -> str:
    """Six weeks as a Markdown page."""
    parts = ["# Six weeks: an MLP-Mixer from scratch\n",
             "Each week has lessons to read and run, and exercises to hand in. Minutes are estimates; difficulty goes "
             "from 1 to 5.\n"]
    parts += [_week(number, week) for number, week in enumerate(WEEKS, 1)]
    return "\n".join(parts)


def _week(number: int, week: Week) -> str:
    rows = [(f"lesson {lesson}, {title}", minutes, "") for lesson in week.lessons
            for title, minutes in [lesson_title(lesson)]]
    rows += [(f"{name}, {load(name).title}", EFFORT[name].minutes, str(EFFORT[name].difficulty))
             for name in week.exercises]
    hours = sum(minutes for _, minutes, _ in rows) / 60
    lines = "\n".join(f"| {what} | {minutes or ''} | {difficulty} |" for what, minutes, difficulty in rows)
    own = "" if week.exercises else "\nTo hand in: a run folder, and a page about what the model gets wrong and why.\n"
    return (f"## Week {number}: {week.title}\n\n{textwrap.fill(week.aim, 100)}\n\n| | minutes | difficulty |\n"
            f"| --- | ---: | ---: |\n{lines}\n\nAbout {hours:.1f} hours.\n{own}")


def table() -> str:
    """The exercises as CSV."""
    weeks = {name: number for number, week in enumerate(WEEKS, 1) for name in week.exercises}
    rows = [f"{name},{load(name).title},{weeks[name]},{load(name).lesson[:2]},{load(name).points},"
            f"{EFFORT[name].minutes},{EFFORT[name].difficulty}" for name in names()]
    return "\n".join(["exercise,title,week,lesson,points,minutes,difficulty", *rows, ""])


def github() -> str:
    """A workflow for GitHub Classroom: one graded step for each exercise."""
    steps = "\n".join(f"""      - name: {name} {load(name).title}
        id: {name}
        if: always()
        uses: classroom-resources/autograding-command-grader@v1
        with:
          test-name: {name} {load(name).title}
          command: minimixer exercises check {name}
          timeout: 2
          max-score: {load(name).points}""" for name in names())
    results = "\n".join(f"          {name.upper()}_RESULTS: ${{{{ steps.{name}.outputs.result }}}}"
                        for name in names())
    return f"""# Copy .github/ into the template of the assignment, beside the files of `minimixer exercises start`.
name: exercises
on: [push, workflow_dispatch]
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    if: github.actor != 'github-classroom[bot]'
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
          cache: pip
      - run: python -m pip install minimixer
{steps}
      - name: Report
        if: always()
        uses: classroom-resources/autograding-grading-reporter@v1
        env:
{results}
        with:
          runners: {",".join(names())}
"""


def gitlab() -> str:
    """A pipeline for GitLab: one job for each exercise that the repository holds."""
    return f"""# Copy into the project that students fork, beside the files of `minimixer exercises start`.
default:
  image: python:3.12-slim
  timeout: 10 minutes

check:
  parallel:
    matrix:
      - EXERCISE: [{", ".join(names())}]
  rules:
    - exists: ["**/ex*.py", "**/ex*.ipynb"]
  before_script:
    - python -m pip install --quiet minimixer
  script:
    - minimixer exercises grade . --format gradescope --out results.json --exercises "$EXERCISE" --trust-submissions
    - minimixer exercises check "$EXERCISE"
  allow_failure:
    exit_codes: 3         # not started
  artifacts:
    when: always
    paths: [results.json]
    expire_in: 4 weeks
"""
