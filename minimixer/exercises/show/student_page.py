"""The page of one student: what is right, what is wrong and where, and what to read."""

import ast
import re
from collections.abc import Sequence

from minimixer.exercises.answers.python import parse
from minimixer.exercises.collect.walk import listed
from minimixer.exercises.report import TaskResult
from minimixer.exercises.show import lessons
from minimixer.exercises.show.book import Book, Mark, Row
from minimixer.exercises.show.html import badge, page, points, safe, table
from minimixer.exercises.show.late import said as how_late
from minimixer.exercises.task import Exercise

PLACE = re.compile(r"\bin line (\d+)(?: of (code cell \d+))?")       # as words.where_raised writes it
AROUND = 2              # lines shown before and behind
LONGEST = 60            # lines of a function
MOST_UNUSED = 100       # files of one folder, each on a line
Cells = Sequence[tuple[str, str]]


def student_page(book: Book, row: Row, site: str = "") -> bytes:
    """The page of a student.

    Parameters
    ----------
    book : Book
    row : Row
    site : str
        Where the class reads the lessons as web pages, if anywhere.
    """
    percent = 100 * row.total / row.most if row.most else 0
    name = row.person.name or row.student
    parts = [f"<h1>{safe(name)}</h1>",
             f'<p class="soft">{points(row.total)} of {row.most} points</p>',
             f'<div class="meter"><i style="width: {percent:.0f}%"></i></div>',
             "<h2>Overview</h2>", _overview(row)]
    parts += [_exercise(mark, book.code(mark), site) for mark in row.marks if mark.graded.file or mark.graded.notes]
    if row.unused:
        parts += ["<h2>Files that were not used</h2>",
                  table(["file", "why"], [[f'<span class="path">{safe(left.shown)}</span>', safe(left.why)]
                                          for left in listed(row.unused, MOST_UNUSED)])]
    return page(name, "\n".join(parts))


def _overview(row: Row) -> str:
    rows = []
    for mark in row.marks:
        graded = mark.graded
        exercise = graded.report.exercise
        title = f"{safe(exercise.id)} {safe(exercise.title)}"
        linked = f'<a href="#{exercise.id}">{title}</a>' if graded.file else title
        rows.append([linked, f'<span class="path">{safe(graded.file)}</span>' if graded.file else badge("missing"),
                     safe(how_late(mark.late)), f"{points(mark.points)} of {exercise.points}"])
    if not any(mark.late for mark in row.marks):
        return table(["exercise", "file", ">points"], [[*its[:2], its[3]] for its in rows])
    return table(["exercise", "file", "late", ">points"], rows)


def _exercise(mark: Mark, cells: Cells, site: str) -> str:
    graded = mark.graded
    exercise = graded.report.exercise
    parts = [f'<section class="card" id="{exercise.id}">',
             f'<div class="head"><h2 style="margin: 0">{safe(exercise.id)} {safe(exercise.title)}</h2>'
             f'<span class="soft">{points(mark.points)} of {exercise.points} points</span></div>']
    if mark.keeps < 1:
        parts.append(f'<p class="note">{safe(how_late(mark.late).capitalize())}: {100 * mark.keeps:g} % of '
                     f"{graded.earned} points remain.</p>")
    parts += [f'<p class="note">{safe(note)}</p>' for note in graded.notes]
    shown = None
    for result in graded.report.results:
        repeated = result.diagnosis is not None and result.diagnosis == shown       # a broken file: said once
        parts.append(_task(exercise, result, cells, repeated))
        shown = result.diagnosis or shown
    if not graded.report.ok:
        parts.append(_next(exercise, graded.report.results, site))
    if graded.printed.strip():
        printed = safe(graded.printed.expandtabs(4), lines=True).strip("\n")
        parts.append("<details><summary>What your code printed</summary><pre>"
                     + "\n".join(f"<span>{line or ' '}</span>" for line in printed.split("\n")) + "</pre></details>")
    return "\n".join([*parts, "</section>"])


def _task(exercise: Exercise, result: TaskResult, cells: Cells, repeated: bool) -> str:
    parts = [f'<div class="task"><div class="head"><h3><code>{safe(result.function)}</code> {badge(result.status)}</h3>'
             f'<span class="soft">{points(result.earned)} of {result.points} points</span></div>']
    if result.rows:
        compared = table(["tensor", "shape, worst case", ">error", "verdict"], [
            [safe(row.tensor), safe(row.shape), "" if row.error == float("inf") else f"{row.error:.1e}",
             f'<span class="badge {"pass" if row.verdict == "right" else "fail"}">{safe(row.verdict.lower())}</span>']
            for row in result.rows], "tensors")
        parts.append(compared if result.status != "pass" else
                     f"<details><summary>What was compared</summary>{compared}</details>")
    if result.diagnosis and not repeated:
        said = result.diagnosis
        parts += [f'<p class="why">{safe(said.title)} <span class="id">{safe(said.id)}</span></p>',
                  f"<p>{safe(said.text)}</p>", _code(result, cells)]
    elif result.status == "not-started":
        parts.append("<p>Replace <code>raise NotImplementedError</code> with your own code.</p>")
    return "\n".join([*filter(None, parts), "</div>"])


def _code(result: TaskResult, cells: Cells) -> str:
    """The line that the diagnosis names with those around it; without one, the function."""
    assert result.diagnosis is not None
    if found := PLACE.search(f"{result.diagnosis.text} {result.diagnosis.title}"):
        line, cell = int(found[1]), found[2]
        for name, text in cells:
            lines = text.split("\n")
            if (cell in (None, name)) and line <= len(lines) and lines[line - 1].strip():
                first = max(1, line - AROUND)
                return _listing(lines, first, min(len(lines), line + AROUND), line, cell or "")
        return ""
    if result.status not in ("fail", "error"):
        return ""
    for name, text in reversed(cells):
        if span := _span(text, result.function):
            listing = _listing(text.split("\n"), *span, 0, name if name.startswith("code cell") else "")
            return f"<details><summary>Your <code>{safe(result.function)}</code></summary>{listing}</details>"
    return ""


def _span(text: str, function: str) -> tuple[int, int] | None:
    """The first and the last line of a function in a cell."""
    try:
        nodes: list[ast.stmt] = parse(text).body
    except SyntaxError:
        return None
    node = None
    for name in function.split("."):
        node = next((node for node in reversed(nodes) if isinstance(node, ast.FunctionDef | ast.ClassDef)
                     and node.name == name), None)
        if node is None:
            return None
        nodes = node.body
    assert node is not None
    return node.lineno, min(node.end_lineno or node.lineno, node.lineno + LONGEST - 1)


def _listing(lines: Sequence[str], first: int, last: int, here: int, cell: str) -> str:
    marked = [f'<span{" class=here" if number == here else ""}><b>{number}</b>'
              f"{safe(lines[number - 1].expandtabs(4)[:300], lines=True)}</span>" for number in range(first, last + 1)]
    caption = f'<p class="soft small">{safe(cell)}</p>' if cell else ""
    return f"{caption}<pre>{''.join(marked)}</pre>"


def _next(exercise: Exercise, results: Sequence[TaskResult], site: str) -> str:
    """The section to read again, and the hints one by one."""
    wrong = next((result.diagnosis.id for result in results if result.diagnosis), "")
    number, title, heading = lessons.section(exercise, wrong)
    address = lessons.link(exercise, site, wrong)
    named = f"lesson {number}, {title}"
    linked = f'<a href="{safe(address)}">{safe(named)}</a>' if address else safe(named)
    hints = "\n".join(f"<details><summary>Hint {n} of {len(exercise.hints)}</summary><p>{safe(hint)}</p></details>"
                      for n, hint in enumerate(exercise.hints, 1))
    return (f'<div class="task"><p>To read again: {linked}, section “{safe(heading)}” '
            f'<span class="soft small">(<code>minimixer lessons open {number}</code>)</span></p>\n{hints}</div>')
