"""The bar: on a terminal only."""

import io
import sys

import pytest

from minimixer.data import from_folder
from minimixer.data.progress import progress
from tests.support.image_folders import class_folders


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("in_bytes", "shown"), [(False, "3/3"), (True, "3/3 bytes")])
def test_on_a_terminal_it_shows_how_many_are_done(in_bytes, shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress("a\x1b[2J name", 3, False, 1, in_bytes) as show:
        show(2)
        show(3)
    assert "a\\x1b[2J name" in terminal.getvalue()
    assert shown in terminal.getvalue()


@pytest.mark.parametrize(("stream", "quiet"), [(io.StringIO, False), (Terminal, True), (lambda: None, False)])
def test_elsewhere_it_shows_nothing(stream, quiet, monkeypatch):
    monkeypatch.setattr(sys, "stderr", out := stream())
    with progress("name", 3, quiet) as show:
        show(3)
    assert not out or out.getvalue() == ""


def test_reading_a_folder_shows_it(tmp_path, monkeypatch):
    class_folders(tmp_path / "photos", {"a": 2, "b": 2})
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    from_folder(tmp_path / "photos", image_size=8)
    assert "reading images" in terminal.getvalue()
    assert "4/4" in terminal.getvalue()
