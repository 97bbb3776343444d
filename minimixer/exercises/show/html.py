"""The frame of every page, and text made safe for it."""

import html
from functools import cache
from pathlib import Path

from minimixer.text import printable

MADE_BY = "minimixer exercises grade"
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="minimixer exercises grade">
"""
LABELS = {"pass": "right", "fail": "wrong", "error": "stopped with an error", "timeout": "too slow",
          "not-started": "not started", "missing": "missing", "not-own": "not your own work"}


def page(title: str, body: str, wide: bool = False) -> bytes:
    """A whole page, in one file."""
    kind = ' class="wide"' if wide else ""
    text = (f"{HEAD}<title>{safe(title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<main{kind}>\n{body}\n"
            "</main>\n</body>\n</html>\n")
    return text.encode("utf-8", "backslashreplace")


def is_page(text: str) -> bool:
    """Whether a file is one of these pages."""
    return text.startswith(HEAD)


@cache
def _style() -> str:
    return (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def safe(text: object, *, lines: bool = False) -> str:
    """Text of others: no markup, no control characters."""
    return html.escape(printable(text, None, lines=lines))


def badge(status: str, text: str = "", title: str = "") -> str:
    """A status in its color."""
    kind = status if status in LABELS and status != "not-own" else "flag"
    about = f' title="{safe(title)}"' if title else ""
    return f'<span class="badge {kind}"{about}>{safe(text or LABELS.get(status, status))}</span>'


def table(columns: list[str], rows: list[list[str]], kind: str = "stack") -> str:
    """A table; its rows are stacked where the screen is narrow.  Columns whose names start with ``>`` hold numbers."""
    def cells(tag: str, row: list[str]) -> str:
        named = [' class="number"' if column.startswith(">") else "" for column in columns]
        if tag == "td" and kind == "stack":         # there, a phone shows no line of names
            named = [f'{name} data-head="{safe(column.removeprefix(">"))}"'
                     for name, column in zip(named, columns, strict=True)]
        return "".join(f"<{tag}{name}>{cell}</{tag}>" for name, cell in zip(named, row, strict=True))

    head = cells("th", [safe(column.removeprefix(">")) for column in columns])
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (f'<div class="scroll {kind}"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
            "</table></div>")


def points(number: float) -> str:
    """Points as people write them."""
    return f"{number:g}"
