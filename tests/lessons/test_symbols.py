"""One letter, one meaning: the letters of all lessons are those of the table in lesson 01."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="needs the extra minimixer[lessons]")
pytest.importorskip("nbclient", reason="needs the extra minimixer[lessons]")

from tests.support.by_path import module_at

build = module_at(Path(__file__).parents[2] / "lessons" / "build.py")

each_lesson = pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)

LETTER = r"(?<![\w$\\])(D_[SC]|[A-Z]{1,2})(?![\w.])"         # of an axis: S, D_S, KH; a prime may follow
FACTOR = re.compile(r"(?:D_[SC]|[A-Z]{1,2})'?|\d+|[a-z]\w*|\.\.\.")
MOST_FACTORS = 4            # in the length of an axis: P * P * I; what has more is a sentence
SHAPE = re.compile(r"\(([^()\n$]*,[^()\n$]*)\)")            # (B, S, C), (S,) and (P * P * I, C)
# What a letter must be if it counts these.  A kernel has a height and a width, KH and KW, or it is a whole patch.
COUNTED = {"blocks": set(), "layers": set(), "patches": {"S"}, "tokens": {"S"}, "channels": {"C", "I", "O"},
           "classes": {"K"}, "images": {"B", "N"}, "examples": {"B", "N"}, "hidden units": {"D_S", "D_C"}}
SIZES = {"batch size": {"B"}, "patch size": {"P"}, "kernel size": {"P"}}


def table():
    """The letters that lesson 01 explains."""
    rows = re.findall(r"^# \| ([A-Z][\w, ]*) \| .+ \| .+ \|$", build.sources(["01"])[0].read_text(), re.M)
    return {letter for row in rows for letter in row.split(", ")}


def words_of(notebook):
    """What is written to be read: Markdown without formulas, comments, and strings."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield re.sub(r"\$\$.*?\$\$", "", cell.source, flags=re.S)
        else:
            for token in tokenize.generate_tokens(io.StringIO(cell.source).readline):
                if token.type in (tokenize.COMMENT, tokenize.STRING):
                    yield token.string


def axes_of(text):
    """The letters in the shapes that a text states."""
    for inside in SHAPE.findall(text):
        lengths = [re.findall(r"[^\s*+/-]+", item) for item in inside.split(",")]
        if all(len(factors) <= MOST_FACTORS and all(map(FACTOR.fullmatch, factors)) for factors in lengths):
            yield from re.findall(LETTER, inside)


def drawn_axes(notebook):
    """The names of the axes that ``plots.shapes`` draws."""
    for cell in notebook.cells:
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "plots.shapes":
                yield from re.findall(LETTER, " ".join(ast.literal_eval(key) for inner in ast.walk(node)
                                                       if isinstance(inner, ast.Dict) for key in inner.keys
                                                       if isinstance(key, ast.Constant)))


def defined_here(notebook):
    """Letters that a lesson introduces itself, in bold: **KH x KW**."""
    return {letter for text in words_of(notebook) for bold in re.findall(r"\*\*([^*\n]{1,12})\*\*", text)
            for letter in re.findall(LETTER, bold)}


def wrong_meanings(text):
    """Sentences such as "N = 12 blocks" and "kernel size K"."""
    for noun, letters in COUNTED.items():
        for letter in re.findall(rf"{LETTER}\**'? = [\d ,x*]+ {noun}\b", text):
            if letter not in letters:
                yield f"{letter} counts {noun}"
    for size, letters in SIZES.items():
        for letter in re.findall(rf"{size} \**{LETTER}", text):
            if letter not in letters:
                yield f"{letter} is the {size}"


@each_lesson
def test_the_letters_of_shapes_are_explained(source):
    notebook = build.read_source(source)
    used = {letter for text in words_of(notebook) for letter in axes_of(text)} | set(drawn_axes(notebook))
    assert used - table() - defined_here(notebook) == set()


@each_lesson
def test_letters_keep_their_meaning(source):
    assert [wrong for text in words_of(build.read_source(source)) for wrong in wrong_meanings(text)] == []


def test_the_table_is_found():
    assert {"B", "S", "C", "D_S", "D_C", "P", "K", "N", "H", "W"} <= table()


@pytest.mark.parametrize(("text", "letters"), [
    ("x: (B, S, C) -> (B, S, C / h)", ["B", "S", "C", "B", "S", "C"]), ("# (S,)  one", ["S"]),
    ("`(P P I, C)`", ["P", "P", "I", "C"]), ("(B, H', W', KH * KW * in)", ["B", "H", "W", "KH", "KW"]),
    ("(T, D_S)", ["T", "D_S"]), ("(see lesson 03, A. Smith)", []), ("(a, b)", []), ("(B, the batch, is first!)", [])])
def test_letters_of_shapes_are_found(text, letters):
    assert list(axes_of(text)) == letters


@pytest.mark.parametrize("text", ["Mixer-B/16 has N = 12 blocks", "the **kernel size K**", "a kernel size K",
                                  "with C = 8 x 8 patches", "batch size N", "S = 10 classes"])
def test_a_planted_meaning_is_found(text):
    assert len(list(wrong_meanings(text))) == 1


@pytest.mark.parametrize("text", ["S = 8 x 8 = 64 patches", "batch size B", "patch size **P**", "K = 10 classes",
                                  "kernel size KHAN", "D_S = 64 hidden units", "C = 128 features"])
def test_right_meanings_pass(text):
    assert list(wrong_meanings(text)) == []
