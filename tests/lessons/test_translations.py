"""Lessons in other languages: the same code, and text that says what the English text of today says."""

import re
from pathlib import Path

import pytest

pytest.importorskip("jupytext", reason="needs the extra minimixer[lessons]")
pytest.importorskip("nbclient", reason="needs the extra minimixer[lessons]")
import nbformat

from tests.support.by_path import module_at
from tests.support.translated import (
    bold_that_stays_stars,
    disagreements,
    english_left,
    first_uses,
    impolite,
    other_words,
    terms_of,
)

LESSONS = Path(__file__).parents[2] / "lessons"
translate = module_at(LESSONS / "translate.py")
build, translation = translate.build, translate.translation

TRANSLATED = [(source, language) for source in build.sources() for language in translation.languages(source.stem)]
each_translation = pytest.mark.parametrize(
    ("source", "language"), TRANSLATED, ids=[f"{source.stem}-{language}" for source, language in TRANSLATED])
KOREAN = [source for source, language in TRANSLATED if language == "ko"]
each_korean_lesson = pytest.mark.parametrize("source", KOREAN, ids=lambda source: source.stem)


def text_of(source, language):
    return translation.lesson_text(language, source.stem).read_text(encoding="utf-8")


def cells(source, language):
    """Pairs of an English text and its translation; without those that are behind, which another test finds."""
    english = {translation.fingerprint(text): text for text in translation.texts(build.read_source(source))}
    return [(english[mark], text) for mark, text in translation.read(text_of(source, language)) if mark in english]


def test_the_lessons_that_are_promised_are_there():
    assert [source.stem[:2] for source in KOREAN] == ["00", "02", "06", "08", "09"]


@each_translation
def test_every_text_translates_the_english_text_of_today(source, language):
    english = translation.texts(build.read_source(source))
    assert translation.behind(english, translation.read(text_of(source, language))) == []


@each_translation
def test_a_translated_notebook_has_the_code_and_outputs_of_the_english_one(source, language):
    english, translated = (nbformat.read(build.notebook_of(source, name), as_version=4) for name in ("", language))
    assert translated == translation.translate(english, language, source.stem), "run python lessons/translate.py"
    assert changed_cells(english, translated) == []


def changed_cells(english, translated):
    """The numbers of the cells that differ where they must not: code and outputs, or text that is still English."""
    if [cell.cell_type for cell in english.cells] != [cell.cell_type for cell in translated.cells]:
        return ["other cells"]
    return [number for number, (theirs, ours) in enumerate(zip(english.cells, translated.cells, strict=True))
            if (theirs == ours) != (theirs.cell_type == "code") or theirs.id != ours.id]


@pytest.mark.parametrize("plant", [
    lambda cells: cells[2].update(source="2"), lambda cells: cells[2].outputs.clear(),
    lambda cells: cells[1].update(source="Text."), lambda cells: cells.pop(), lambda cells: cells[2].update(id="x"),
])
def test_a_changed_cell_is_found(plant):
    def notebook(text):
        outputs = [nbformat.v4.new_output("stream", text="1")]
        cells = [nbformat.v4.new_markdown_cell(text, id="a"), nbformat.v4.new_markdown_cell(text, id="b"),
                 nbformat.v4.new_code_cell("1", id="c", outputs=outputs)]
        return nbformat.v4.new_notebook(cells=cells)

    english, translated = notebook("Text."), notebook("글.")
    assert changed_cells(english, translated) == []
    plant(translated.cells)
    assert len(changed_cells(english, translated)) == 1


@each_translation
def test_formulas_code_links_and_numbers_are_those_of_the_english_text(source, language):
    for english, translated in cells(source, language):
        assert disagreements(english, translated) == [], translated


@each_translation
def test_links_of_a_translated_notebook_lead_to_lessons(source, language):
    path = build.notebook_of(source, language)
    for target in re.findall(r"\]\(([./]*\d\d_\w+\.ipynb)\)", path.read_text(encoding="utf-8")):
        if target not in planned():
            assert (path.parent / target).exists(), target


def planned():
    """Links to lessons that English lessons name and nobody has written yet."""
    named = {target for source in build.sources() for text in translation.texts(build.read_source(source))
             for target in re.findall(r"\]\((\d\d_\w+\.ipynb)\)", text)}
    return {f"../{target}" for target in named if not (build.NOTEBOOKS / target).exists()}


@each_translation
def test_nothing_is_left_in_english(source, language):
    assert [piece for _, text in cells(source, language) for piece in english_left(text)] == []


@each_korean_lesson
def test_each_text_would_be_found_if_it_were_still_english(source):
    assert [text for text in translation.texts(build.read_source(source)) if not english_left(text)] == []


@each_translation
def test_bold_words_are_bold(source, language):
    assert [fault for _, text in cells(source, language) for fault in bold_that_stays_stars(text)] == []


@each_korean_lesson
def test_korean_is_polite_in_one_style(source):
    assert [piece for _, text in cells(source, "ko") for piece in impolite(text)] == []


@each_korean_lesson
def test_korean_terms_are_those_of_the_glossary_and_come_with_their_english_term(source):
    glossary = (LESSONS.parent / "docs" / "ko" / "glossary.md").read_text(encoding="utf-8")
    assert [fault for _, text in cells(source, "ko") for fault in other_words(text)] == []
    assert first_uses("\n\n".join(text for _, text in cells(source, "ko")[1:]), terms_of(glossary)) == []


def test_a_change_in_english_names_the_part_that_is_behind():
    english = ["One text.", "Another text,\nin two lines.", "A third text."]
    marks = [translation.fingerprint(text) for text in english]
    parts = translation.read("".join(f"<!-- {mark} -->\n본문 {mark}\n\n" for mark in marks) + "<!-- own -->\n덧붙임\n")
    assert translation.behind(english, parts) == []
    assert translation.behind(["One text.", "Another text, in two lines.", "A third text."], parts) == []
    changed = translation.behind(["One text.", "Another text, changed.", "A third text."], parts)
    assert len(changed) == 2
    assert marks[1] in changed[0]
    assert translation.fingerprint("Another text, changed.") in changed[1]
    assert len(translation.behind([*english, "A new text."], parts)) == 1
    assert len(translation.behind(english[:2], parts)) == 1
    assert translation.behind(english[::-1], parts) != []


def test_links_lead_to_translations_where_there_are_any():
    led = {text: translation.LINK.sub(lambda link: translation.lead(link, "ko"), text) for text in (
        "[a](02_autograd.ipynb)", "[a](01_tensors.ipynb)", "[a](../../docs/glossary.md#sizes)",
        "[a](../../docs/claims.md#cost)", "[a](https://arxiv.org/abs/2105.01601)")}
    assert list(led.values()) == [
        "[a](02_autograd.ipynb)", "[a](../01_tensors.ipynb) (영어)", "[a](../../../docs/ko/glossary.md)",
        "[a](../../../docs/claims.md#cost) (영어)", "[a](https://arxiv.org/abs/2105.01601)"]


def test_text_before_the_first_mark_is_refused():
    with pytest.raises(ValueError, match="no line"):
        translation.read("이 글은 표시가 없습니다.\n<!-- 12345678 -->\n본문\n")


def test_a_page_is_cut_at_its_headings_but_not_inside_of_code():
    assert translation.sections("# A\n\none\n\n## B\n\n```\n## no\n```\n\n## C\n") == [
        "# A\n\none", "## B\n\n```\n## no\n```", "## C"]


def test_a_lesson_that_is_named_and_has_no_text_is_said(capsys):
    assert translate.main(["01"]) == translate.main(["01", "--check"]) == 1
    assert capsys.readouterr().out == 2 * "01_tensors has no text in another language\n"


def test_what_is_behind_is_listed(tmp_path, monkeypatch, capsys):
    assert translate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(translation, "fingerprint", lambda text: "00000000")
    assert translate.main(["--check"]) == 1
    found = capsys.readouterr().out
    assert "ko/02_autograd.md: " in found
    assert "docs/ko/get-started.md: " in found


def test_a_notebook_that_is_behind_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(translation, "LESSONS", tmp_path)
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path / "notebooks")
    source = tmp_path / "99_test.py"
    source.write_text("# %% [markdown]\n# # 99 Test, see [98](98_other.ipynb)\n\n# %%\n1\n")
    assert translation.languages(source.stem) == []
    (tmp_path / "ko").mkdir()
    (tmp_path / "ko" / "99_test.md").write_text("<!-- 00000000 -->\n# 99 시험\n", encoding="utf-8")
    assert "first build the English notebook" in translate.write(source)[0]
    translation.write(build.read_source(source), build.notebook_of(source))
    mark = translation.fingerprint(translation.texts(build.read_source(source))[0])
    assert f"ko/99_test.md: new or changed in English, to be translated under <!-- {mark} -->" in \
        translate.write(source)[1]
    (tmp_path / "ko" / "99_test.md").write_text(f"<!-- {mark} -->\n# 99 시험, [98](98_other.ipynb)\n", encoding="utf-8")
    assert translate.write(source) == []
    built = nbformat.read(build.notebook_of(source, "ko"), as_version=4)
    assert [cell.source for cell in built.cells] == ["# 99 시험, [98](../98_other.ipynb) (영어)", "1"]
