"""Text in other languages: where it lies, and which English text each part of it translates.

``lessons/ko/NN_name.md`` holds the Markdown cells of a lesson in Korean, in their order; ``docs/ko`` holds pages, whose
parts are the sections of the English page.  Before each part stands a line ``<!-- 1a2b3c4d -->``, the fingerprint of
the English text that it translates.  So a later change of the English text shows which part is behind:
``python lessons/translate.py --check``.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from copy import deepcopy
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

LESSONS = Path(__file__).parent
DOCS = LESSONS.parent / "docs"
LANGUAGES = {"ko": "영어"}      # each with its word for "English", beside links to lessons that it does not have
OWN = "own"                     # marks a part that translates nothing
MARK = re.compile(rf"^<!-- ([0-9a-f]{{8}}|{OWN}) -->\n", re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?:(?P<lesson>\d\d_\w+)\.ipynb|\.\./\.\./docs/(?P<page>[\w-]+\.md)(?P<heading>#[^)]*)?)\)")

Parts = list[tuple[str, str]]       # of each part: the fingerprint of the English text, and the text


def fingerprint(text: str) -> str:
    """Eight digits that change with the words of a text; line breaks and comments do not count."""
    return hashlib.sha256(" ".join(COMMENT.sub(" ", text).split()).encode()).hexdigest()[:8]


def read(text: str) -> Parts:
    """The parts of a translated text.  Raises ValueError if something stands before the first mark."""
    before, *pieces = MARK.split(text)
    if before.strip():
        raise ValueError(f"no line <!-- 1a2b3c4d --> stands before {before.strip()[:40]!r}")
    return [(mark, part.strip()) for mark, part in zip(pieces[::2], pieces[1::2], strict=True)]


def sections(page: str) -> list[str]:
    """The sections of a page, each with its heading ``##``; the first is what stands above them."""
    covered = FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), page)        # of the same length
    starts = [0, *(found.start() for found in re.finditer(r"^## ", covered, re.MULTILINE)), len(page)]
    return [page[start:end].strip() for start, end in pairwise(starts)]


def behind(english: Sequence[str], parts: Parts) -> list[str]:
    """Say which English texts have no translation, and which parts translate a text that is not there any more."""
    parts = [part for part in parts if part[0] != OWN]
    wanted, there = [fingerprint(text) for text in english], [mark for mark, _ in parts]
    found = []
    for change, i, j, k, end in SequenceMatcher(None, there, wanted, autojunk=False).get_opcodes():
        if change != "equal":
            found += [f"<!-- {mark} --> translates an English text that is not there any more: {text[:40]!r}"
                      for mark, text in parts[i:j]]
            found += [f"new or changed in English, to be translated under <!-- {fingerprint(text)} -->: {text[:40]!r}"
                      for text in english[k:end]]
    return found


def lesson_text(language: str, stem: str) -> Path:
    """Where the text of a lesson lies in a language."""
    return LESSONS / language / f"{stem}.md"


def languages(stem: str) -> list[str]:
    """The languages that a lesson has, apart from English."""
    return [language for language in LANGUAGES if lesson_text(language, stem).exists()]


def texts(notebook: Any) -> list[str]:
    """The Markdown cells of a notebook."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def translate(notebook: Any, language: str, stem: str) -> Any:
    """Return a lesson in another language: its code and outputs stay.  Raises ValueError if the text is behind."""
    parts = [part for part in read(lesson_text(language, stem).read_text(encoding="utf-8")) if part[0] != OWN]
    if problems := behind(texts(notebook), parts):
        raise ValueError("\n".join(problems))
    translated = deepcopy(notebook)
    cells = (cell for cell in translated.cells if cell.cell_type == "markdown")
    for cell, (_, text) in zip(cells, parts, strict=True):
        cell.source = LINK.sub(lambda link: lead(link, language), text)
    return translated


def lead(link: re.Match[str], language: str) -> str:
    """A link of an English notebook, as it leads out of a folder inside: to a translation if there is one."""
    if link["lesson"]:
        there = language in languages(link["lesson"])
        target = f"{link['lesson']}.ipynb" if there else f"../{link['lesson']}.ipynb"
    else:
        there = (DOCS / language / link["page"]).exists()
        target = f"../../../docs/{language}/{link['page']}" if there \
            else f"../../../docs/{link['page']}{link['heading'] or ''}"
    return f"]({target})" if there else f"]({target}) ({LANGUAGES[language]})"


def write(notebook: Any, path: Path) -> None:
    """Write a notebook: the same one gives the same bytes."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def write_all(notebook: Any, stem: str, folder: Path) -> list[str]:
    """Write a lesson in every language it has, each into a folder of its own; describe the texts that are behind."""
    found = []
    for language in languages(stem):
        try:
            write(translate(notebook, language, stem), folder / language / f"{stem}.ipynb")
        except ValueError as error:
            found += [f"{language}/{stem}.md: {line}" for line in str(error).splitlines()]
    return found


def pages(language: str) -> list[tuple[Path, Path]]:
    """The English and the translated pages of the documentation that are translated section by section."""
    return [(DOCS / path.name, path) for path in sorted((DOCS / language).glob("*.md"))
            if MARK.search(path.read_text(encoding="utf-8"))]
