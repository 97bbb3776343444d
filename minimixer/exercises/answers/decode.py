"""The text of a file, whatever editor saved it; what Python itself would refuse is read anyway, and said."""

import codecs
import re

COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)       # PEP 263
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# The codecs that editors save with; Python knows others that are slow, or no encodings of files at all.
SAVED_WITH = re.compile(r"(utf-8|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*)(-sig)?")
SAVE_AS = "Save it as UTF-8: Python itself cannot read it."


class NotTextError(ValueError):
    """Bytes that are no text in any encoding that an editor uses."""


def decode(content: bytes) -> tuple[str, str]:
    r"""The text of a file with ``\n`` as its line ends, and a note, empty if Python reads the file as it is.

    A byte order mark counts first, then a coding cookie (PEP 263), then UTF-8; what is none of these is read as
    Windows-1252, of which ASCII and Latin-1 letters are a part.  Raises NotTextError.
    """
    text, note = _decode(content)
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").removesuffix("\x1a")
    if "\0" in text:
        raise NotTextError("it is not a text file")
    return text, note


def _decode(content: bytes) -> tuple[str, str]:
    for mark, name in MARKS:
        if content.startswith(mark):
            text = content.decode("utf-8-sig" if name == "utf-8" else name, "replace")
            return text, "" if name == "utf-8" else f"The file is saved as {name.upper()}. {SAVE_AS}"
    if guess := _unmarked_utf16(content):
        return content.decode(guess, "replace"), f"The file is saved as UTF-16. {SAVE_AS}"
    named = _cookie(content)
    for name in dict.fromkeys((named or "utf-8", "utf-8", "cp1252")):
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        return text, "" if name == (named or "utf-8") else f"The file is not saved as {named or 'UTF-8'}. {SAVE_AS}"
    if sum(byte < 9 or 13 < byte < 32 for byte in content[:4096]) > len(content[:4096]) // 20:
        raise NotTextError("it is not a text file")
    return content.decode("latin-1"), f"The file is not saved as UTF-8. {SAVE_AS}"


def _cookie(content: bytes) -> str | None:
    """The encoding that the first or second line names, if it is one that editors save with."""
    for line in re.split(rb"\r\n?|\n", content[:4096], maxsplit=2)[:2]:
        if found := COOKIE.match(line):
            try:
                name = codecs.lookup(found[1].decode("ascii")).name
            except LookupError:
                return None
            return name if SAVED_WITH.fullmatch(name) else None
        if line.strip() and not line.lstrip().startswith(b"#"):
            return None
    return None


def _unmarked_utf16(content: bytes) -> str | None:
    """The byte order of UTF-16 without its mark: in code, nearly every second byte is zero."""
    beginning = content[:1024]
    for zeros, name in ((beginning[1::2], "utf-16-le"), (beginning[::2], "utf-16-be")):
        if len(zeros) > 8 and zeros.count(0) > 0.8 * len(zeros) and beginning.count(0) < 0.6 * len(beginning):
            return name
    return None
