"""The teacher's and the students' pages: complete, safe, and the same bytes for the same grades."""

import html
import re
from html.parser import HTMLParser

import pytest

from minimixer.exercises.collect.walk import Unused, listed
from minimixer.exercises.show.html import is_page
from minimixer.exercises.show.late import Late
from minimixer.exercises.show.roster import Person
from minimixer.exercises.show.student_page import student_page
from minimixer.exercises.show.teacher_page import teacher_page
from minimixer.exercises.words import Diagnosis
from tests.support.answers import source
from tests.support.book import DUE, FORGOTTEN, book, graded

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Checker(HTMLParser):
    """Every tag is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def parsed(page):
    checker = Checker()
    checker.feed(page.decode())
    assert checker.open == []
    assert is_page(page.decode())
    return checker


def the_class():
    works = [graded(f"s{n:02d}", ("pass", "fail") if n < 14 else ("pass", "pass")) for n in range(30)]
    return book(*works, cells={(one.student, "ex06"): [("a.py", source("ex06"))] for one in works})


def test_mistakes_are_counted_and_the_lesson_is_named():
    page = parsed(teacher_page(the_class(), "Mixers 2026"))
    text = re.sub(r"\s+", " ", page.text)
    assert "14 of 30" in text
    assert FORGOTTEN.title in text
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert "lessons/06_layernorm.ipynb#Build" in links
    site = parsed(teacher_page(the_class(), "x", "https://mixers.org/lessons/"))
    assert "https://mixers.org/lessons/06_layernorm.html#build" in [its.get("href") for _, its in site.tags]
    assert "Mixers 2026" in text
    assert "more than a third of the class" in text


def test_the_teacher_sees_who_is_late_suspicious_unknown_and_what_is_left():
    refused = Diagnosis("refused", "Your code tries to do something that no exercise needs: it kills.",
                        "It is stopped.")
    made = book(graded("ada", ("error", "error"), diagnosis=refused), graded("bo"), graded("cy", ("missing",) * 2),
                late=Late({"": DUE - 90_000}, "10%/day"), persons=[Person("ada", "Ada L"), Person("zoe", "Zoë")],
                unused=[("a/notes.pdf", "not a .py or .ipynb file")])
    text = parsed(teacher_page(made, "class")).text
    for part in ("To look at", "it kills", "1 d 1 h late", "Not on the roster", "bo, cy", "a/notes.pdf", "Zoë",
                 "Ada L"):
        assert part in text, part
    assert text.count("it kills") == 1              # two tasks, one reason


def test_a_student_sees_the_line_the_hint_and_the_lesson():
    code = "import numpy as np\n\ndef f():\n    mean = x.mean(-1)\n    return x - mean\n"
    where = Diagnosis("axis-lost", "Two shapes do not match.", "ValueError: (4,5) (4,), in line 5. Keep the axis.")
    made = book(graded("ada", ("error", "pass"), diagnosis=where, printed="<hello>\n", notes=("Save it as UTF-8.",)),
                cells={("ada", "ex06"): [("ex06.py", code)]}, unused=[("old.py", "another attempt")])
    text = student_page(made, made.rows[0]).decode()
    page = parsed(text.encode())
    assert '<span class="here"><b>5</b>    return x - mean</span>' in text.replace("class=here", 'class="here"')
    assert "Hint 1 of 4" in page.text
    assert "lessons/01_tensors.ipynb#Build" in text         # a lost axis is a matter of lesson 01
    for part in ("<hello>", "Save it as UTF-8", "old.py", "another attempt", "6 of 10"):
        assert part in page.text, part
    assert dict(page.tags)["meta"]
    assert 'name="viewport"' in text


def test_the_line_of_a_notebook_is_that_of_its_cell():
    where = Diagnosis("raises", "Your function raises an error.", "E, in line 2 of code cell 3. It was called.")
    cells = [("code cell 1", "a\nb"), ("code cell 3", "c\nthis one\nd")]
    made = book(graded("ada", ("error", "pass"), diagnosis=where), cells={("ada", "ex06"): cells})
    assert "<b>2</b>this one</span>" in student_page(made, made.rows[0]).decode()
    gone = book(graded("ada", ("error", "pass"), diagnosis=where))
    assert b"<pre>" not in student_page(gone, gone.rows[0])


def test_without_a_line_the_function_is_shown():
    made = book(graded("ada", ("pass", "fail")), cells={("ada", "ex06"): [("ex06.py", source("ex06"))]})
    text = html.unescape(student_page(made, made.rows[0]).decode())
    assert "def backward(gy, normalized, rstd, weight):" in text
    assert "def forward" not in text


def test_right_work_needs_no_hints():
    made = book(graded("ada"))
    assert b"Hint 1" not in student_page(made, made.rows[0])


@pytest.mark.parametrize("evil",
                         ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "a\x1b[31mb",
                                  "{x}", "&amp;", "\udcfc", "'onmouseover='x"])
def test_nothing_of_a_student_is_markup(evil):
    said = Diagnosis(evil, evil, f"{evil}, in line 1.")
    made = book(graded(evil, ("error", "pass"), diagnosis=said, file=evil, printed=evil, notes=(evil,)),
                cells={(evil, "ex06"): [(evil, f"{evil}\n")]}, persons=[Person(evil, evil, evil)],
                unused=[(evil, evil)])
    for page in (student_page(made, made.rows[0]), teacher_page(made, evil)):
        found = parsed(page)
        assert {tag for tag, _ in found.tags}.isdisjoint({"script", "img"})
        assert not any(name.startswith("on") for _, its in found.tags for name in its)
        assert "\x1b" not in page.decode()
    assert evil.encode("unicode_escape") if "\x1b" in evil else True


def test_the_same_grades_give_the_same_bytes_and_need_no_network():
    first, second = (teacher_page(the_class(), "class") for _ in range(2))
    assert first == second
    assert not re.search(rb"(src|href)=\"?(https?:)?//|@import|url\(", first)


def test_thousands_of_files_are_told_in_a_line():
    many = [Unused(("a", f"{n}.txt"), "why") for n in range(5000)] + [Unused(("b.txt",), "why")]
    assert [left.shown for left in listed(many, 100)] == ["a/0.txt", "b.txt"]
    assert "4,999 more" in listed(many, 100)[0].why
    assert len(listed(many[:50], 100)) == 50
