"""A syntax tree of what a student wrote, with IPython's syntax and what cannot be seen mended."""

import ast
import re
import warnings

from minimixer.exercises.answers.ipython import transform

# Spaces and marks that come along when code is copied from a web page or a PDF.
INVISIBLE = {**dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"), None),
             **dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000\u2028\u2029\x0b"), " ")}
INSTALLS = re.compile(r"^(pip|conda|mamba|uv) .*$", re.MULTILINE)
TABS = "Tabs and spaces are mixed in its indentation. Use spaces only: Python itself refuses the file."
COPIED = "It holds characters that cannot be seen, as text copied from a web page does. Python itself refuses them."


def parse(text: str, name: str = "<answer>") -> tuple[ast.Module, str]:
    """The tree of a cell or file, and a note on what was mended for it.

    Raises SyntaxError, also where Python's parser gives up with another error.
    """
    problem: SyntaxError | None = None
    for attempt, note in _attempts(text):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")         # on escapes like "\d"
                return ast.parse(attempt, name), note
        except SyntaxError as error:
            problem = problem if isinstance(problem, SyntaxError) and note else error
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(f"Python cannot read it: {error or 'it is nested too deeply'}") from None
    assert problem is not None
    raise problem


def _attempts(text: str) -> list[tuple[str, str]]:
    transformed = transform(text)
    found = [(text, ""), (transformed, "")]
    if INSTALLS.search(transformed):
        found.append((INSTALLS.sub(r"# \g<0>", transformed), ""))
    seen = transformed.translate(INVISIBLE)
    if seen != transformed:
        found.append((seen, COPIED))
    if "\t" in seen:
        found.append((re.sub(r"^[ \t]+", lambda indent: indent[0].expandtabs(8), seen, flags=re.MULTILINE), TABS))
    return found
