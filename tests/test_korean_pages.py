"""The Korean pages say what the English ones of today say: README.ko.md, and docs/ko."""

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.support.by_path import module_at
from tests.support.translated import (
    bold_that_stays_stars,
    disagreements,
    english_left,
    facts,
    first_uses,
    impolite,
    other_words,
    terms_of,
)

ROOT = Path(__file__).parent.parent
KOREAN = ROOT / "docs" / "ko"
README = ROOT / "README.ko.md"
translation = module_at(ROOT / "lessons" / "translation.py")

PAGES = [README, *sorted(KOREAN.glob("*.md"))]
TRANSLATED = translation.pages("ko")
GLOSSARY = (KOREAN / "glossary.md").read_text(encoding="utf-8")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_translated_page = pytest.mark.parametrize(
    ("english", "page"), TRANSLATED, ids=[page.name for _, page in TRANSLATED])


def prose(page):
    """A page without the directives of the site, whose options are English."""
    return re.sub(r"^```\{(?:image|toctree)\}.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def parts(english, page):
    """Pairs of an English section and its translation, with links as they are written one folder up."""
    sections = {translation.fingerprint(text): text
                for text in translation.sections(english.read_text(encoding="utf-8"))}
    return [(sections[mark], text.replace("](../", "](")) for mark, text in
            translation.read(page.read_text(encoding="utf-8")) if mark in sections]


def test_the_pages_that_are_promised_are_there():
    assert [page.name for page in PAGES] == ["README.ko.md", "get-started.md", "glossary.md", "index.md"]
    assert [page.name for _, page in TRANSLATED] == ["get-started.md", "glossary.md"]


@each_translated_page
def test_every_section_translates_the_english_section_of_today(english, page):
    sections = translation.sections(english.read_text(encoding="utf-8"))
    assert translation.behind(sections, translation.read(page.read_text(encoding="utf-8"))) == []


@each_translated_page
def test_formulas_code_links_and_numbers_are_those_of_the_english_section(english, page):
    for section, translated in parts(english, page):
        if "```{glossary}" not in section:              # a table in Korean: compared row by row
            assert disagreements(section, translated) == [], translated


def entries(glossary):
    """The words of the English glossary, with what they mean."""
    words = re.search(r"```\{glossary\}\n(.*?)```", glossary, re.DOTALL)[1]
    pairs = [entry.split("\n", 1) for entry in re.split(r"\n\n(?=\S)", words.strip())]
    return {term: re.sub(r"\{term\}", "", meaning) for term, meaning in pairs}


def test_every_word_of_the_english_glossary_is_explained_in_korean():
    english = entries((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    table = re.search(r"^\| 한국어 \| 영어 \| 뜻 \|\n\|.*\n((?:\|.*\n)+)", GLOSSARY, re.MULTILINE)[1]
    korean = {cells[1]: cells[2] for cells in (row.strip("| ").split(" | ", 2) for row in table.splitlines())}
    assert list(korean) == list(english)
    for term, meaning in korean.items():
        assert disagreements(english[term], meaning) == [], term


def test_a_korean_word_has_one_english_word():
    korean = Counter(term for term, _ in terms_of(GLOSSARY))
    assert [term for term, times in korean.items() if times > 1] == []


@each_page
def test_nothing_is_left_in_english(page):
    text = prose(page)
    if page.name == "glossary.md":                      # its second column is English, and so are its letters
        text = re.sub(r"^(\|[^|]*\|)[^|]*\|", r"\1", text, flags=re.MULTILINE)
    assert english_left(text) == []


@each_page
def test_korean_is_polite_in_one_style(page):
    assert impolite(prose(page)) == []


@each_page
def test_words_are_those_of_the_glossary(page):
    assert other_words(prose(page)) == []


@each_page
def test_bold_words_are_bold(page):
    assert bold_that_stays_stars(prose(page)) == []


@pytest.mark.parametrize("page", [README, KOREAN / "get-started.md"], ids=lambda page: page.name)
def test_terms_are_those_of_the_glossary_and_come_with_their_english_term(page):
    assert first_uses(prose(page), terms_of(GLOSSARY)) == []


@pytest.mark.parametrize(("english", "page"), [
    (ROOT / "README.md", README), (ROOT / "docs" / "index.md", KOREAN / "index.md"),
], ids=["README", "index"])
def test_every_number_stands_in_the_english_page(english, page):
    assert numbers_not_in(english.read_text(encoding="utf-8"), prose(page)) == []


def numbers_not_in(english, translated):
    """The numbers of a text that its English text does not have, however often."""
    added = [line for line in disagreements(english, translated) if line.startswith("not in the English text: number")]
    known = {what for kind, what in facts(english)[0] if kind == "number"}
    return [line for line in added if line.split("'")[1] not in known]


def test_a_number_that_is_not_in_the_english_page_is_found():
    assert numbers_not_in("It takes 20 s.", "20초쯤, 또는 20초 걸립니다.") == []
    assert len(numbers_not_in("It takes 20 s.", "25초 걸립니다.")) == 1


def test_code_of_the_korean_readme_stands_in_the_english_one():
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        assert block in english


def test_the_two_readmes_lead_to_each_other_and_to_the_korean_pages():
    assert "](README.ko.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    korean = README.read_text(encoding="utf-8")
    for target in ("README.md", "docs/ko/get-started.md", "docs/ko/glossary.md"):
        assert f"]({target})" in korean
    assert "](ko/index.md)" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_the_source_archive_has_the_korean_readme():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {"README.ko.md", "docs", "lessons"} <= set(project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
