"""The code cells of a notebook, of any format version, and of the scripts that notebooks are exported to."""

import json
import re
from typing import Any

# How Jupyter (`# In[3]:`), VS Code, Spyder and jupytext (`# %%`) mark the cells of a script.
CELL = re.compile(r"^# (?:In ?\[[ \d]*\]:|%%(?! \[markdown\]).*)$", re.MULTILINE)


class NotANotebookError(ValueError):
    """JSON that is no notebook, or no JSON."""


def sources(text: str) -> list[str]:
    """The text of each code cell of a notebook.  Raises NotANotebookError."""
    try:
        content = json.loads(text)
        sheets = content.get("worksheets", [content])       # format 3 had sheets, and `input` for `source`
        found = [cell.get("source", cell.get("input", "")) for sheet in sheets for cell in sheet["cells"]
                 if cell["cell_type"] == "code"]
        return [_lines(source) for source in found]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        page = text.lstrip()[:1] == "<"
        raise NotANotebookError("it is not a notebook" + (" but a web page: download the file itself" if page else "")
                                ) from None


def _lines(source: Any) -> str:
    text = source if isinstance(source, str) else "".join(source)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def exported(text: str) -> list[str]:
    """The cells of a script that marks them, each with its line numbers; one cell if nothing is marked."""
    starts = [0, *(mark.start() for mark in CELL.finditer(text) if mark.start())]
    return ["\n" * text.count("\n", 0, start) + text[start:end]
            for start, end in zip(starts, [*starts[1:], None], strict=True)]
