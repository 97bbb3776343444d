"""How cells run: failures are passed over, refusals and memory end it, and what a failure cost is known."""

import pytest

from minimixer.exercises.answers.reader import MOST, run
from minimixer.exercises.guard import RefusedError


def problems(*cells, wanted=("f",)):
    named = [(f"code cell {number}", text) for number, text in enumerate(cells, 1)]
    namespace, found = run(named, "answer", wanted)
    return namespace, [(one.kind, one.file, one.line, one.costs) for one in found]


@pytest.mark.parametrize(("text", "kind", "line"), [
    ("x = 1\n1 / 0", "ZeroDivisionError", 2), ("exit()", "SystemExit", 1), ("def g(:\n", "SyntaxError", 1),
    ("import asyncio\nraise asyncio.CancelledError", "CancelledError", 2), ("%%time\n\nnone", "NameError", 3),
    ("def h():\n    return none\nh()", "NameError", 2)])
def test_what_fails_is_passed_over(text, kind, line):
    namespace, found = problems(text, "f = 1")
    assert found == [(kind, "code cell 1", line, False)]
    assert namespace["f"] == 1


@pytest.mark.parametrize("text", ["f = 1 / 0", "@none\ndef f():\n    pass", "class f(none):\n    pass",
                                  "def f(:\n    pass"])
def test_what_would_have_made_the_answer_costs(text):
    namespace, ((*_, costs),) = problems("1 + 1", text)
    assert costs
    assert "f" not in namespace


@pytest.mark.parametrize("text", ["raise MemoryError", "raise RefusedError('it starts another process')",
                                  "%time raise MemoryError", "raise KeyboardInterrupt"])
def test_nothing_is_run_after_what_stops(text):
    namespace, found = problems("from minimixer.exercises.guard import RefusedError", f"{text}\nf = 1", "f = 2")
    assert [kind for kind, *_ in found] == [text.split()[-1] if "Refused" not in text else RefusedError.__name__]
    assert "f" not in namespace


def test_failures_are_counted_only_so_far():
    _, found = problems(*["1 / 0"] * 100)
    assert len(found) == MOST
