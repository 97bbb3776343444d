"""The teacher's page: the class at a glance, what to repeat in the lesson, and what to look at."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from minimixer.exercises.collect.walk import listed
from minimixer.exercises.show import lessons, similar
from minimixer.exercises.show.book import Book, Mark, Row
from minimixer.exercises.show.html import LABELS, badge, page, points, safe, table
from minimixer.exercises.show.late import said

# What an honest answer hardly does: the class's other work is safe from it, but somebody should look.
LOOK_AT = ("refused", "ended")
MOST_UNUSED = 100       # files of one folder, each on a line


def teacher_page(book: Book, title: str, site: str = "") -> bytes:
    """The page of a class.

    Parameters
    ----------
    book : Book
    title : str
        The name of the folder.
    site : str
        Where the class reads the lessons as web pages, if anywhere.
    """
    parts = [f"<h1>{safe(title)}</h1>",
             f'<p class="soft">{len(book.rows)} students, {len(book.exercises)} '
             f"exercise{'s' * (len(book.exercises) != 1)}</p>",
             _tiles(book), "<h2>Points</h2>", _matrix(book)]
    for heading, text in (("What to repeat", _mistakes(book, site)), ("Equal and nearly equal answers", _similar(book)),
                          ("To look at", _look(book)), ("Late", _late(book)), ("Not on the roster", _strangers(book)),
                          ("Files that were not used", _unused(book))):
        if text:
            parts += [f"<h2>{heading}</h2>", text]
    return page(title, "\n".join(parts), wide=True)


def _tiles(book: Book) -> str:
    handed = [row for row in book.rows if row.handed_in]
    average = sum(row.total / row.most for row in handed if row.most) / len(handed) if handed else 0
    full = sum(row.total == row.most for row in handed)
    late = sum(any(mark.late for mark in row.marks) for row in book.rows)
    tiles = [(len(handed), "handed something in"), (len(book.rows) - len(handed), "handed in nothing"),
             (f"{100 * average:.0f} %", "of the points, on average"), (full, "with all points")]
    tiles += [(late, "with late work")] if late else []
    shown = "".join(f'<div class="tile"><b>{value}</b><span class="soft small">{text}</span></div>'
                    for value, text in tiles)
    return f'<div class="tiles">{shown}</div>'


def _matrix(book: Book) -> str:
    head = "".join(f'<th title="{safe(exercise.title)}, {exercise.points} points">{exercise.id}</th>'
                   for exercise in book.exercises)
    body = "\n".join(
        f'<tr><td title="{safe(row.student)}">{safe(row.person.name or row.student)}</td>'
        + "".join(f"<td>{_cell(mark)}</td>" for mark in row.marks)
        + f'<td class="number"><b>{points(row.total)}</b></td></tr>' for row in book.rows)
    means = []
    for number in range(len(book.exercises)):
        its = [row.marks[number].points for row in book.rows if row.marks[number].graded.file]
        means.append(f"<td>{sum(its) / len(its):.1f}</td>" if its else "<td>–</td>")
    whole = [row.total for row in book.rows if row.handed_in]
    total = f"{sum(whole) / len(whole):.1f}" if whole else "–"
    return (f'<div class="scroll"><table class="matrix"><thead><tr><th>student</th>{head}<th class="number">total</th>'
            f"</tr></thead>\n<tbody>\n{body}\n</tbody>\n<tfoot><tr><td>mean of those handed in</td>{''.join(means)}"
            f'<td class="number">{total}</td></tr></tfoot></table></div>')


def _cell(mark: Mark) -> str:
    report = mark.graded.report
    statuses = list(dict.fromkeys(result.status for result in report.results))
    about = ", ".join(f"{result.function}: {LABELS.get(result.status, result.status)}" for result in report.results)
    if not mark.graded.file:
        return badge("missing", "–", about)
    kind = "pass" if mark.points == report.exercise.points else next(
        (status for status in statuses if status not in ("pass", "missing")), "fail")
    star = "*" if mark.late else ""
    shown = badge(kind, f"{points(mark.points)}{star}", about + (f"; {said(mark.late)}" if mark.late else ""))
    return shown.replace(f'badge {kind}"', 'badge part"') if 0 < mark.points < report.exercise.points else shown


def _results(book: Book) -> Iterator[tuple[Row, Mark, int]]:
    """Every task of everybody who handed in its exercise: row, mark, and the number of the task."""
    for row in book.rows:
        for mark in row.marks:
            if mark.graded.file:
                yield from ((row, mark, number) for number in range(len(mark.graded.report.results)))


def _mistakes(book: Book, site: str) -> str:
    count: Counter[tuple[str, str, str]] = Counter()
    who: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    titles: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    of = Counter(mark.graded.report.exercise.id for row in book.rows for mark in row.marks if mark.graded.file)
    for row, mark, number in _results(book):
        result = mark.graded.report.results[number]
        if result.diagnosis and result.diagnosis.id not in (*LOOK_AT, "not-tried", "not-own"):
            key = (mark.graded.report.exercise.id, result.function, result.diagnosis.id)
            count[key] += 1
            who[key].append(row.person.name or row.student)
            titles[key][result.diagnosis.title] += 1
    exercises = {exercise.id: exercise for exercise in book.exercises}
    rows = []
    for key, number in sorted(count.items(), key=lambda item: (-item[1], item[0])):
        name, function, problem = key
        lesson, title, heading = lessons.section(exercises[name], problem)
        address = lessons.link(exercises[name], site, problem)
        shown = safe(f"lesson {lesson}, {heading}")
        what = min(titles[key], key=lambda text: (-titles[key][text], text))
        bar = f'<div class="meter wrong"><i style="width: {100 * number / of[name]:.0f}%"></i></div>'
        rows.append([
            f'<span class="keep"><b>{number}</b> of {of[name]}</span>{bar}',
            f"{safe(what)} <span class=id>{safe(problem)}</span><br><span class='soft small'>"
            f"{safe(', '.join(who[key][:8]))}{' …' if len(who[key]) > 8 else ''}</span>",
            f"{name} <code>{safe(function)}</code>",
            f'<a class="keep" href="{safe(address)}" title="{safe(title)}">{shown}</a>' if address else shown])
    return table(["students", "what is wrong", "exercise", "to repeat"], rows) if rows else ""


def _similar(book: Book) -> str:
    rows: list[list[str]] = []
    common: list[list[str]] = []
    for exercise in book.exercises:
        marks = {row.student: mark for row in book.rows for mark in row.marks
                 if mark.graded.report.exercise.id == exercise.id and mark.graded.file}
        named = {row.student: row.person.name or row.student for row in book.rows}
        found = similar.groups(exercise, {student: book.code(mark) for student, mark in marks.items()},
                               {student: mark.graded.sha256 for student, mark in marks.items()})
        for group in sorted(found, key=lambda group: (len(group.students), group.students)):
            shown = [exercise.id, safe(", ".join(named[student] for student in group.students)),
                     f'<span class="keep">{safe(group.how)}</span>', f"{len(group.students)} of {len(marks)}"]
            (common if len(group.students) > max(3, len(marks) / 3) else rows).append(shown)
    if not rows and not common:
        return ""
    columns = ["exercise", "students", "have", ">how many"]
    parts = ['<p class="soft">A short answer is often found twice, by chance or because the lesson leads to it.</p>']
    parts += [table(columns, rows)] if rows else []
    if common:
        parts.append("<details><summary>Answers that more than a third of the class has: they say more about the "
                     f"exercise</summary>{table(columns, common)}</details>")
    return "\n".join(parts)


def _look(book: Book) -> str:
    rows = []
    for row, mark, number in _results(book):
        result = mark.graded.report.results[number]
        problem = result.diagnosis.id if result.diagnosis else ""
        if problem in LOOK_AT or result.status not in LABELS or result.status == "not-own":
            why = result.diagnosis.title if result.diagnosis else LABELS.get(result.status, result.status)
            rows.append([safe(row.person.name or row.student), f"{mark.graded.report.exercise.id}",
                         f'<span class="path">{safe(mark.graded.file)}</span>',
                         f"{badge(result.status)} {safe(why)}"])
    unique = [row for n, row in enumerate(rows) if row not in rows[:n]]
    return table(["student", "exercise", "file", "why"], unique) if unique else ""


def _late(book: Book) -> str:
    rows = [[safe(row.person.name or row.student), mark.graded.report.exercise.id, safe(said(mark.late)),
             f"{mark.graded.earned}", points(mark.points)]
            for row in book.rows for mark in row.marks if mark.late]
    return table(["student", "exercise", "how late", ">points earned", ">points that count"], rows) if rows else ""


def _strangers(book: Book) -> str:
    names = [safe(row.student) for row in book.rows if not row.on_roster]
    return f"<p>{', '.join(names)}</p>" if names else ""


def _unused(book: Book) -> str:
    everybody = [("", book.unused), *((row.person.name or row.student, row.unused) for row in book.rows)]
    rows = [[safe(name), f'<span class="path">{safe(left.shown)}</span>', safe(left.why)]
            for name, unused in everybody for left in listed(unused, MOST_UNUSED)]
    return table(["student", "file", "why"], rows) if rows else ""
