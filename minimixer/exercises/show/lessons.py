"""Where a lesson explains what an exercise asks: its notebook, and the section to read again."""

from functools import cache
from pathlib import Path

from minimixer.exercises.task import Exercise

SECTIONS = {"ex11": "AdamW", "ex12": "The schedule"}        # of lesson 11; else Build
# Mistakes with shapes are those of lesson 01, whatever the exercise.
ABOUT_SHAPES = {"shapes-do-not-fit", "axis-lost", "transposed", "extra-axis", "not-summed", "fixed-axes", "flattened"}
PACKAGE = Path(__file__).parent.parent.parent


def section(exercise: Exercise, diagnosis: str = "") -> tuple[str, str, str]:
    """The number of the lesson, its title and the heading to read again."""
    if diagnosis in ABOUT_SHAPES:
        return "01", "tensors, shapes, broadcasting", "Build"
    number, _, title = exercise.lesson.partition(", ")
    return number, title, SECTIONS.get(exercise.id, "Build")


@cache
def notebook(number: str) -> Path | None:
    """The notebook of a lesson: in the package, or beside it in a clone."""
    for folder in (PACKAGE / "_lessons", PACKAGE.parent / "lessons" / "notebooks"):
        if found := sorted(folder.glob(f"{number}_*.ipynb")):
            return found[0]
    return None


def link(exercise: Exercise, site: str, diagnosis: str = "") -> str:
    """The address of a section; empty if the notebook is not there.

    Parameters
    ----------
    exercise : Exercise
    site : str
        Where a class reads the lessons as web pages; empty: beside the pages, as notebooks.
    diagnosis : str
    """
    number, _, heading = section(exercise, diagnosis)
    found = notebook(number)
    if found is None:
        return ""
    if site:
        return f"{site.rstrip('/')}/{found.stem}.html#{heading.lower().replace(' ', '-')}"
    return f"lessons/{found.name}#{heading.replace(' ', '-')}"
