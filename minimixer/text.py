"""Text of others (names in files, file names, messages of libraries), made safe for a terminal and for Markdown."""

import html
import re


def printable(text: object, limit: int | None = 120, *, lines: bool = False) -> str:
    r"""Text from a file, a file name or a library, safe to print: unprintable characters become escapes like ``\x1b``.

    Parameters
    ----------
    text : object
        Its ``str`` is shown.
    limit : int or None
        Longer text is cut there and ends in ``...``; None never cuts.
    lines : bool
        Keep line breaks.  By default each run of line breaks and tabs becomes one space.
    """
    shown = re.sub(r"[^\S\n ]+" if lines else r"[^\S ]+", " ", str(text))
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in shown)
    return shown if limit is None or len(shown) <= limit else shown[:limit - 3] + "..."


def capitalized(text: str) -> str:
    """The text with a large first letter; ``str.capitalize`` would make the others small."""
    return text[:1].upper() + text[1:]


def markdown(text: object, limit: int | None = 120) -> str:
    """``printable`` text that Markdown shows as it is: no emphasis, links, cells, formulas or HTML come of it.

    Only ``limit`` characters of the text are shown; the escapes are not counted.
    """
    return re.sub(r"([\\`*_\[\]|$~])", r"\\\1", html.escape(printable(text, limit), quote=False))
