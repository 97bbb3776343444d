"""Equal and nearly equal answers are found, whatever was renamed; different ones are not."""

import re

import pytest

from minimixer.exercises.definitions import load
from minimixer.exercises.show.similar import ALIKE, RENAMED, SAME_CODE, SAME_FILE, groups
from tests.support.answers import source, student_version

EXERCISE, RIGHT = load("ex06"), source("ex06")
OTHER = """
import numpy as np
class LayerNorm:
    @staticmethod
    def forward(x, weight, bias, eps):
        result, scales = np.empty_like(x), []
        flat = x.reshape(-1, x.shape[-1])
        for number, row in enumerate(flat):
            total = 0.0
            for value in row:
                total += value
            spread = sum((value - total / len(row)) ** 2 for value in row) / len(row)
            scales.append((spread + eps) ** -0.5)
            result.reshape(flat.shape)[number] = (row - total / len(row)) * scales[-1]
        return result * weight + bias, (result, np.array(scales).reshape(*x.shape[:-1], 1), weight)
"""


def found(texts, digests=None):
    cells = {student: [("a.py", text)] for student, text in texts.items()}
    digests = digests or {student: student for student in texts}
    return [(group.how, group.students) for group in groups(EXERCISE, cells, digests)]


def renamed(text):
    for old, new in (("mean", "m"), ("rstd", "inverse"), ("normalized", "z"), ("eps", "epsilon"), ("gy", "upstream")):
        text = re.sub(rf"(?<![.\w]){old}\b", new, text)
    return text


@pytest.mark.parametrize(("change", "how"), [
    (lambda text: text, SAME_CODE), (lambda text: f"# mine\n\n{text}\n\nprint('x')\n", SAME_CODE),
    (lambda text: text.replace("    ", "\t"), SAME_CODE), (renamed, RENAMED),
    (lambda text: text.replace("        return ", "        unused = 3\n        return ", 1), ALIKE)])
def test_a_changed_copy_is_found(change, how):
    assert change is not None
    assert found({"ada": RIGHT, "bo": change(RIGHT), "cy": OTHER}) == [(how, ("ada", "bo"))]


def test_the_same_file_is_said_to_be_that():
    assert found({"ada": RIGHT, "bo": RIGHT}, {"ada": "1", "bo": "1"}) == [(SAME_FILE, ("ada", "bo"))]


def test_untouched_broken_and_short_files_are_not_compared():
    assert found(dict.fromkeys("ab", student_version("ex06"))) == []
    assert found(dict.fromkeys("ab", "class LayerNorm(:")) == []
    assert found(dict.fromkeys("ab", "class LayerNorm:\n    forward = 1\n")) == []
    assert found({"a": RIGHT, "b": OTHER}) == []


def test_a_tree_of_any_depth_is_walked():
    deep = RIGHT + "\nx = " + "-" * 900 + "1\n"
    assert found({"a": deep, "b": deep})
