"""Due dates and what late work costs."""

import pytest

from minimixer.errors import UsageError
from minimixer.exercises.show.late import UNKNOWN, Late, read_late, said
from tests.support.book import DUE, book, graded

HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(("rule", "seconds", "keeps"), [
    ("", DAY, 1), ("reject", 1, 0), ("reject", 0, 1), ("10%/day", 0, 1), ("10%/day", 1, .9), ("10%/day", DAY, .9),
    ("10%/day", DAY + 1, .8), ("10%/day", 20 * DAY, 0), ("5%/hour", 3 * HOUR, .85), ("10%/day,max=50%", 30 * DAY, .5),
    ("2.5%/hour", HOUR, .975), ("10%/day", UNKNOWN, .9), ("reject", UNKNOWN, 0)])
def test_what_remains(rule, seconds, keeps):
    assert Late({"": 0.0}, rule).keeps(seconds) == pytest.approx(keeps)


def test_each_exercise_may_have_its_own_date():
    late = Late({"": DUE, "ex06": DUE + DAY}, "10%/day")
    assert late.by("ex01", DUE + 60, False) == 60
    assert late.by("ex06", DUE + 60, False) == 0
    assert late.by("ex01", DUE + 0.9, False) == 0           # the last second counts as a whole
    assert late.by("ex01", DUE - 5, True) == UNKNOWN         # a platform says that it is late
    assert Late().by("ex01", 9e9, False) == 0


def test_points_that_count():
    rows = book(graded("ada", ("pass", "fail")), graded("bo"), late=Late({"": DUE - DAY - 1}, "15%/day")).rows
    assert [row.total for row in rows] == [2.8, 7]
    assert [row.total for row in book(graded("ada"), marked={"ada"}).rows] == [10]       # marked, without a rule


@pytest.mark.parametrize(("seconds", "text"), [(0, ""), (1, "1 min late"), (3 * HOUR + 61, "3 h 2 min late"),
                                               (2 * DAY + HOUR, "2 d 1 h late"), (UNKNOWN, "late")])
def test_how_late_in_words(seconds, text):
    assert said(seconds) == text


def test_dates_are_read_as_people_write_them():
    late = read_late(["2026-10-09", "ex06=2026-10-10T12:00+00:00"], "")
    assert late.due["ex06"] == 1_791_633_600
    assert late.due[""] - read_late(["2026-10-09T00:00"], "").due[""] == DAY - 1       # a date means its whole day


@pytest.mark.parametrize(("due", "rule", "problem"), [
    (["tomorrow"], "", "--due tomorrow: expected a date"), (["ex06="], "", "expected a date"),
    (["ex77=2026-10-09"], "", "there is no exercise"), ([], "10%/day", "no effect without --due"),
    (["2026-10-09"], "10 a day", "expected reject, 10%/day"), (["2026-10-09"], "10%/week", "expected reject")])
def test_what_is_no_rule_is_refused(due, rule, problem):
    with pytest.raises(UsageError, match=problem):
        read_late(due, rule)
