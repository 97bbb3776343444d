import os

import pytest

from minimixer import files
from minimixer.text import printable


@pytest.mark.parametrize(("text", "shown"), [
    ("plain", "plain"), ("two  spaces", "two  spaces"), ("a\nb\r\n\tc", "a b c"), ("\x1b[31mred", "\\x1b[31mred"),
    ("half \udcff", "half \\udcff"), ("right-to-left \u202e", "right-to-left \\u202e"), ("Zürich 日本", "Zürich 日本"),
    (KeyError("k"), "'k'")])
def test_text_of_others_is_printable(text, shown):
    assert printable(text) == shown
    assert printable(text).isprintable()
    printable(text).encode()


def test_long_text_is_cut():
    assert printable("x" * 120) == "x" * 120
    assert printable("x" * 121) == "x" * 117 + "..."
    assert printable("x" * 50, 10) == "xxxxxxx..."
    assert printable("x" * 500, None) == "x" * 500


def test_line_breaks_may_stay():
    assert printable("a\n  b\x00\tc", lines=True) == "a\n  b\\x00 c"


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fails():
        with files.replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]
    with files.replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert files.is_unfinished(temporary)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["x"]


def test_lines_are_appended(tmp_path):
    for line in ("one\n", "zwei ü\n"):
        files.append(tmp_path / "x", line)
    assert (tmp_path / "x").read_text("utf-8") == "one\nzwei ü\n"
    with pytest.raises(FileNotFoundError):
        files.append(tmp_path / "gone" / "x", "line")


@pytest.mark.parametrize(("packed", "unpacked", "trap"), [
    (10, 1 << 26, False), (10, (1 << 26) + 1, True), (1 << 26, 20 << 26, False), (1 << 26, (20 << 26) + 1, True)])
def test_an_archive_that_unpacks_to_far_more_is_a_trap(packed, unpacked, trap):
    assert files.unpacks_too_large(packed, unpacked) == trap
