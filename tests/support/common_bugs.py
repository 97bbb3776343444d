"""Write docs/common-bugs.md from the mutants: ``python -m tests.support.common_bugs``."""

import re
from pathlib import Path

from tests.support.answers import load, mutants, names, run

PAGE = Path(__file__).parents[2] / "docs" / "common-bugs.md"
HEAD = """# Common bugs

Wrong answers to the [exercises](teachers.md), what the report shows for each, and what the checker says. This page is
generated from the wrong answers that test the checker: `python -m tests.support.common_bugs`.

The report's table has one line per tensor: its shape in the worst case, and the largest difference from the expected
values there, relative to the largest entry. Tiny differences are rounding and count as right. The word in brackets,
such as `[ddof-1]`, names the mistake: look it up here.
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
