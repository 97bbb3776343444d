"""Cells as Python that runs: IPython's syntax and what cannot be seen are mended, untouched stubs give way."""

import ast
import re
import warnings
from collections.abc import Sequence

from minimixer.exercises.answers.ipython import automagic, transform

Cells = Sequence[tuple[str, str]]       # name and text
# Spaces and marks that come along when code is copied from a web page or a PDF.
INVISIBLE = {**dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"), None),
             **dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000\u2028\u2029\x0b"), " ")}
INSTALLS = re.compile(r"^(?=(?:pip|conda|mamba|uv) )", re.MULTILINE)
TABS = "Tabs and spaces are mixed in its indentation. Use spaces only: Python itself refuses the file."
COPIED = "It holds characters that cannot be seen, as text copied from a web page does. Python itself refuses them."


def parse(text: str, name: str = "<answer>") -> ast.Module:
    """The syntax tree of a cell; SyntaxError also where Python's parser gives up with another error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")         # on escapes like "\d"
            return ast.parse(text, name)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(f"Python cannot read it: {error or 'it is nested too deeply'}") from None


def mend(text: str) -> tuple[str, str]:
    """A cell as Python, with the same line numbers, and a note on what Python itself would have refused.

    If nothing helps, only IPython's syntax is replaced.
    """
    transformed = transform(text)
    attempts = [(text, ""), (transformed, ""), (INSTALLS.sub("# ", transformed), "")]
    seen = attempts[-1][0].translate(INVISIBLE)
    attempts += [(seen, COPIED)] if seen != attempts[-1][0] else []
    if "\t" in seen:
        indented = re.sub(r"^[ \t]+", lambda indent: indent[0].expandtabs(8), seen, flags=re.MULTILINE)
        attempts.append((indented, TABS))
    for attempt, note in dict(attempts).items():
        try:
            parse(attempt)
        except SyntaxError:
            continue
        return attempt, note
    return transformed, ""


def without_automagic(cells: Cells) -> list[tuple[str, str]]:
    """The cells of a notebook, where ``pip install x`` alone is ``%pip install x`` unless ``pip`` is a name in it."""
    code = "\n".join(text for _, text in cells)
    made = []
    for name, text in cells:
        call = automagic(text)
        word = text.split()[0] if call else ""
        named = call and re.search(rf"\b{re.escape(word)}\b[^\n#]*(?<![=!<>])=(?!=)|import[^\n]*\b{re.escape(word)}\b|"
                                   rf"\b(def|class|for|as)\s+{re.escape(word)}\b", code)
        made.append((name, call if call and not named else text))
    return made


def without_stubs(cells: Cells) -> list[tuple[str, str]]:
    """The cells without the untouched definitions of what is defined elsewhere in the file."""
    trees: list[ast.Module | None] = []
    for _, text in cells:
        try:
            trees.append(parse(text))
        except SyntaxError:
            trees.append(None)
    found = [(number, node) for number, tree in enumerate(trees) if tree for node in tree.body
             if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    begun = {node.name for _, node in found if not is_stub(node)}
    lines = [text.split("\n") for _, text in cells]
    for number, node in found:
        if node.name in begun and is_stub(node):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines[number][first - 1:node.end_lineno] = [""] * (node.end_lineno - first + 1)     # type: ignore[operator]
    return [(name, "\n".join(its)) for (name, _), its in zip(cells, lines, strict=True)]


def is_stub(node: ast.stmt) -> bool:
    """Whether a function only raises NotImplementedError, or a class has only such functions."""
    if isinstance(node, ast.FunctionDef):
        inner = body(node)
        return len(inner) == 1 and raises_stub(inner[0])
    if isinstance(node, ast.ClassDef):
        inner = body(node)
        return bool(inner) and all(isinstance(part, ast.FunctionDef) and is_stub(part) for part in inner)
    return False


def raises_stub(statement: ast.stmt) -> bool:
    """Whether a statement is ``raise NotImplementedError``, with or without a message."""
    raised = statement.exc if isinstance(statement, ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def body(node: ast.FunctionDef | ast.ClassDef) -> list[ast.stmt]:
    """The statements of a definition behind its docstring."""
    return node.body[1:] if ast.get_docstring(node, False) is not None else node.body
