"""Write docs/common-bugs.md from the mutants: ``python -m tests.exercises.common_bugs``."""

import re
from pathlib import Path

from tests.exercises.material import load, mutants, names, run

PAGE = Path(__file__).parent.parent.parent / "docs" / "common-bugs.md"
HEAD = """# Common bugs

Wrong answers to the [exercises](teachers.md), what the table shows of each, and what the checker says. This page is
made from the wrong answers that the checker is tested with: `python -m tests.exercises.common_bugs`.

The table of a check has one line for each tensor: its shape in the case where it is worst, and there the largest
difference from what is expected, divided by the largest entry. Small differences come from rounding, and count as
right. The word in brackets, such as `[ddof-1]`, is the name of the mistake: look for it here.
"""


def page():
    """The text of the page."""
    return "\n".join([HEAD, *(section(name) for name in names())])


def section(name):
    entries = [entry(mutant) for mutant in mutants() if mutant.exercise == name]
    return "\n".join([f"## {name} {load(name).title}\n", *entries])


def entry(mutant):
    (result,) = [r for r in run(mutant.code, mutant.exercise) if r.status != "pass"]
    wrong = [f"`{row.tensor}`" for row in result.rows if row.verdict != "right"]
    right = [f"`{row.tensor}`" for row in result.rows if row.verdict == "right"]
    shows = (f"wrong: {', '.join(wrong)}" if wrong else "stops with an error" if result.status == "error"
             else "all tensors are right")
    shows += f"; right: {', '.join(right)}" if wrong and right else ""
    text = re.sub(r"^\w+Error: .*?, in line \d+\. ", "(The error and its line.) ", result.diagnosis.text)
    bug = mutant.bug[0].upper() + mutant.bug[1:]
    return (f"**{bug}** (`{result.function}`, {shows}).\n\n"
            f"> {result.diagnosis.title} `{result.diagnosis.id}`\\\n> {text}\n")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
