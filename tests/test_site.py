"""The check of the built documentation, ``python -m tests.support.site``, finds what it looks for."""

import pytest

from tests.support.site import browser, find_chromium, outside_of_styles, outside_resources, wordless_pictures


@pytest.mark.parametrize("tag", [
    '<script src="https://cdn.example/x.js"></script>', '<link rel="stylesheet" href="//cdn.example/x.css">',
    '<img src="http://example/x.png">', '<style>@import "https://example/x.css";</style>',
    '<p style="background: url(https://example/x.png)">',
])
def test_what_a_page_loads_from_elsewhere_is_found(tag, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f'<link href="x.css"><img src="x.png">{tag}<a href="https://example">a link is not loaded</a>')
    assert len(outside_resources(page)) == 1


def test_what_a_style_sheet_loads_from_elsewhere_is_found():
    assert outside_of_styles("a { src: url('https://example/f.woff') } b { src: url(f.woff) }") == [
        "style https://example/f.woff"]


@pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")
def test_a_browser_finds_each_fault_of_a_page_and_none_in_a_good_one(tmp_path):
    faults = {"asks for http": '<img src="http://127.0.0.1:9/x.png">', "console": "<script>console.error(1)</script>",
              "exception": "<script>throw Error()</script>", "broken pictures": '<img src="missing.png" alt="x">',
              "pixels wide": '<p style="width: 500px">wide'}
    with browser(find_chromium()) as window:
        for number, (fault, body) in enumerate({**faults, "": "<p>good"}.items()):
            page = tmp_path / f"{number}.html"
            page.write_text(f"<!doctype html><html><body>{body}</body></html>")
            found = window.open(page.as_uri(), 390)
            assert any(fault in what for what in found) if fault else found == []


def test_pictures_without_words_are_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="a.png"><img src="b.png" alt=" "><img src="c.png" alt="_images/c.png">'
                    '<img src="d.png" alt="The file d.png as a picture"><img src="e.png" alt="A tree."/>')
    assert [fault.split()[-1] for fault in wordless_pictures(page)] == ["a.png", "b.png", "c.png"]
