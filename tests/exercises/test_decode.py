"""Files as editors save them: encodings, marks, line ends."""

import pytest

from minimixer.exercises.answers.decode import NotTextError, decode
from minimixer.exercises.runner import check_file
from tests.support.answers import source

TEXT = "# Jörg\nname = 'Jörg'\n"


@pytest.mark.parametrize(("content", "said"), [
    (TEXT.encode(), ""), (TEXT.encode("utf-8-sig"), ""), (TEXT.replace("\n", "\r\n").encode(), ""),
    (TEXT.replace("\n", "\r").encode(), ""), (TEXT.encode() + b"\x1a", ""),
    (b"# coding: latin-1\n" + TEXT.encode("latin-1"), ""), (b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\n"
                                                            + TEXT.encode("cp1252"), ""),
    (TEXT.encode("utf-16"), "UTF-16"), (TEXT.encode("utf-16-be"), "UTF-16"), (TEXT.encode("utf-16-le"), "UTF-16"),
    (TEXT.encode("utf-32"), "UTF-32"), (TEXT.encode("latin-1"), "not saved as UTF-8"),
    (b"# coding: utf-8\n" + TEXT.encode("latin-1"), "not saved as utf-8"),
    (b"# coding: punycode\n" + TEXT.encode(), ""), (b"# coding: no-such-thing\n" + TEXT.encode(), "")],
    ids=["utf8", "bom", "crlf", "cr", "ctrl-z", "cookie", "cookie-2", "utf16", "utf16-be", "utf16-le", "utf32",
         "latin1", "wrong-cookie", "odd-cookie", "unknown-cookie"])
def test_any_editor_will_do(content, said):
    text, note = decode(content)
    assert text.endswith(TEXT)
    assert (said in note) if said else note == ""
    assert not said or "Save it as UTF-8" in note


def test_a_cookie_on_the_third_line_means_nothing():
    assert decode(b"\n\n# coding: latin-1\n" + "ö".encode())[0].endswith("ö")
    assert decode(b"x = 1\n# coding: latin-1\n" + "ö".encode())[0].endswith("ö")


@pytest.mark.parametrize("content", [b"x = 1\0\n", bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_what_is_no_text_is_said(content):
    with pytest.raises(NotTextError, match="not a text file"):
        decode(content)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_right_answer_counts_in_any_encoding(encoding, tmp_path):
    path = tmp_path / "ex01_unbroadcast.py"
    path.write_bytes(("# Lösung\n" + source("ex01").replace("→", "->")).encode(encoding, "replace"))
    run = check_file("ex01", path)
    assert run.report.ok, str(run.report)
