"""``mm.exercises.turn``: one sentence for each way in which an answer can be wrong."""

import numpy as np
import pytest

import minimixer as mm
from minimixer.errors import UsageError
from minimixer.exercises.turns import NOT_YET, RIGHT, UNTOUCHED

X = np.arange(6.0).reshape(2, 3) + 1
NAN = float("nan")


def said(capsys, answer, right, hint=""):
    assert mm.exercises.turn(answer, right, hint) is None       # a cell must show no value
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    return printed[:-1]


def only_documented(x):
    """Doubles x."""
    ...


def only_passed(x):
    pass


@pytest.mark.parametrize("answer", [..., (..., ...), [...], only_documented, only_passed, lambda x: ...],
                         ids=lambda answer: getattr(answer, "__name__", repr(answer)))
def test_what_is_not_begun_gets_the_friendly_line(answer, capsys):
    assert said(capsys, answer, lambda answer: answer(2) == 4, "never shown") == UNTOUCHED


@pytest.mark.parametrize(("answer", "right"), [
    (X, X), (X.astype(np.float32), X), (X * (1 + 1e-7), X), (X.tolist(), X), (mm.Tensor(X), X), (X, mm.Tensor(X)),
    (4, 4), (4.0, 4), (np.int64(4), 4), (2.302585, 2.3025851), (True, True), (" Adam ", "adam"), ((4, 3), (4, 3)),
    ([4, 3], (4, 3)), (np.array([4, 3]), (4, 3)), ((X, 2), (X, 2)), (X > 2, X > 2), (NAN, NAN), (np.inf, np.inf),
    (X * 0, X * 0), (5, lambda answer: answer == 5), (5, lambda answer: np.all(np.array([answer]) == 5)),
    (lambda x: 2 * x, lambda double: double(4) == 8)])
def test_right_answers(answer, right, capsys):
    assert said(capsys, answer, right, "never shown") == RIGHT


@pytest.mark.parametrize(("answer", "right", "sentence"), [
    (X.T, X, "Your answer is transposed, with shape (3, 2); expected (2, 3)."),
    (X[:, :2], X, "Your answer has the wrong shape: (2, 2), expected (2, 3)."),
    (X[None], X, "Your answer has an axis of length 1 too many, with shape (1, 2, 3); expected (2, 3)."),
    (3, X, "Your answer is a single number; expected an array of shape (2, 3)."),
    (X, 3, "Your answer is an array of shape (2, 3); expected a single number."),
    ((4, 3, 1), (4, 3), "Your answer has 3 items; expected 2."),
    ((4, ...), (4, 3), "Item 1 of your answer is still `...`."),
    (-X, X, "Your answer has the wrong sign."),
    (2 * X, X, "Your answer is too large by a factor of 2."),
    (X * 0, X, "Your answer is zero everywhere."),
    (X + np.eye(2, 3), X, "2 of the 6 numbers of your answer are wrong, the first at [0, 0]: 2."),
    (np.where(X > 5, NAN, X), X, "Your answer has entries that are infinite or not a number."),
    (X > 3, X > 2, "1 of the 6 numbers of your answer are wrong, the first at [0, 2]: 0."),
    (3, 4, "Your answer, 3, is too small."), (5, 4, "Your answer, 5, is too large."),
    (72713, 72714, "Your answer, 72713, is too small."),        # closer than 1e-4, but a whole number is exact
    (0, 1e-12, "Your answer, 0, is too small."), (-4, 4, "Your answer has the wrong sign."),
    (NAN, 4, "Your answer is nan; expected a finite number."), (4, NAN, NOT_YET),
    ((4, 2), (4, 3), "Item 1 of your answer, 2, is too small."),
    (False, True, NOT_YET), ("sgd", "adam", NOT_YET),
    ("4", 4, "Your answer is of type str; expected a number."),
    (None, X, "Your answer is None; expected an array of shape (2, 3)."),
    ([[1, 2], [3]], X, "Your answer is of type list; expected an array of shape (2, 3)."),
    (1j, 4, "Your answer is of type complex; expected a number."),
    (True, 4, "Your answer is of type bool; expected a number."),
    (1, True, "Your answer is of type int; expected True or False."),
    (2, "adam", "Your answer is of type int; expected a text in quotes."),
    (7, (4, 3), "Your answer is of type int; expected 2 items, separated by commas."),
    (np.array(7), (4, 3), "Your answer is of type ndarray; expected 2 items, separated by commas."),
    (abs, X, "Your answer is a function; expected an array of shape (2, 3)."),
    (5, lambda answer: False, NOT_YET), (5, lambda answer: "Count again.", "Count again."),
    (5, lambda answer: answer(1) == 2, "Your answer does not work here: TypeError: 'int' object is not callable.")])
def test_one_sentence_says_what_is_wrong(answer, right, sentence, capsys):
    assert said(capsys, answer, right) == sentence
    assert said(capsys, answer, right, "look at row 2") == f"{sentence} Hint: look at row 2"


def test_an_exception_in_the_answer_names_its_line(capsys):
    def divide(x):
        return 1 / x

    assert said(capsys, divide, lambda divide: divide(0) == 0) == (
        f"Your answer does not work here: ZeroDivisionError: division by zero, "
        f"in line {divide.__code__.co_firstlineno + 1}.")


def test_a_check_that_answers_neither_yes_nor_no_is_a_fault_of_the_lesson():
    with pytest.raises(UsageError, match="the check of this cell returned 3: expected True, False, or a sentence"):
        mm.exercises.turn(5, lambda answer: 3)
    with pytest.raises(UsageError, match="the check of this cell returned None"):
        mm.exercises.turn(5, lambda answer: None)
    with pytest.raises(UsageError, match="the right answer of this cell is dict"):
        mm.exercises.turn(5, {})
