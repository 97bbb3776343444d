"""Write the lessons in other languages, or say what is behind: ``python lessons/translate.py [NN ...] [--check]``.

Nothing is executed: code and outputs are those of the built English notebooks.  What is written where: translation.py.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parent))      # also where this file is loaded by its path
import build
import translation


def write(source: Path) -> list[str]:
    """Write a lesson in every language it has; describe what hinders it."""
    notebook = build.notebook_of(source)
    built = nbformat.read(notebook, as_version=4) if notebook.exists() else None
    if built is None or build.differences(built, build.read_source(source), with_outputs=False):
        return [f"{source.stem}: first build the English notebook: python lessons/build.py {source.stem[:2]}"]
    return translation.write_all(built, source.stem, build.NOTEBOOKS)


def lessons_behind(source: Path) -> list[str]:
    """Every text of a lesson that is behind, in any language."""
    english = translation.texts(build.read_source(source))
    return [f"{language}/{source.stem}.md: {line}" for language in translation.languages(source.stem)
            for line in translation.behind(english, translation.read(
                translation.lesson_text(language, source.stem).read_text(encoding="utf-8")))]


def pages_behind() -> list[str]:
    """Every section of a page of the documentation that is behind, in any language."""
    return [f"docs/{language}/{page.name}: {line}" for language in translation.LANGUAGES
            for english, page in translation.pages(language)
            for line in translation.behind(translation.sections(english.read_text(encoding="utf-8")),
                                           translation.read(page.read_text(encoding="utf-8")))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the translations; return 1 if a text is behind, or a lesson that was named has none."""
    parser = argparse.ArgumentParser(prog="translate.py", description="Write the lessons in other languages.")
    parser.add_argument("lessons", nargs="*", metavar="NN", help="lesson numbers; by default all that are translated")
    parser.add_argument("--check", action="store_true", help="write nothing; say which texts are behind, pages too")
    given = parser.parse_args(arguments)
    chosen = build.sources(given.lessons)
    found = [f"{source.stem} has no text in another language" for source in chosen
             if given.lessons and not translation.languages(source.stem)]
    for source in chosen:
        if translation.languages(source.stem):
            found += lessons_behind(source) if given.check else write(source)
    if given.check and not given.lessons:
        found += pages_behind()
    for line in found:
        print(line)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
