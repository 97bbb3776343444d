"""Writes the page: the files of this folder and the model in one HTML file, which asks for nothing else."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from minimixer.backend import Array
from minimixer.files import json_text, write_atomically
from minimixer.nn import MlpMixer
from minimixer.play.contents import TrainedModel, contents
from minimixer.text import printable

FOLDER = Path(__file__).parent
SCRIPTS = ("mixer", "read", "pixels", "digits", "tokens", "tables", "bars", "pad", "camera", "patches", "flight",
           "inside", "player", "labels", "app")         # each imports only from those before it
MADE_HERE = b'<meta name="generator" content="minimixer play">'
MARK = re.compile(r"<!-- (policy|title|style|contents|script) -->")


@dataclass(frozen=True)
class Page:
    """A playground.  A notebook shows it when it is the value of a cell's last line.

    Attributes
    ----------
    html : str
        The whole file.
    name : str
        Its title.
    """

    html: str
    name: str

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.  Raises OSError."""
        write_atomically(path, self.html.encode())

    def _repr_html_(self) -> str:
        return (f'<iframe srcdoc="{html.escape(self.html)}" title="{html.escape(self.name)}" allow="camera" '
                'style="width: 100%; height: 46rem; border: 0"></iframe>')

    def __repr__(self) -> str:
        return f"Page({self.name!r}, {len(self.html.encode()) / 1e6:.2f} MB)"


def is_page(path: Path) -> bool:
    """Whether a file is a page that this module wrote.  Raises OSError."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return MADE_HERE in file.read(2000)


def page(trained: MlpMixer | TrainedModel, name: str = "Mixer", images: Array | None = None,
         labels: Array | None = None, class_names: Sequence[str] | None = None) -> Page:
    """The page of a model; arguments and errors are those of ``contents``."""
    return assembled(contents(trained, name, images, labels, class_names))


def assembled(content: Mapping[str, Any]) -> Page:
    """The page that holds what ``contents`` has collected."""
    name = printable(content["name"], 200)
    # "<" would end the element in which the browser finds the JSON.
    data = json_text(content, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"policy": policy(), "title": html.escape(name), "style": style(), "script": script(), "contents": data}
    return Page(MARK.sub(lambda mark: parts[mark[1]], read("page.html")), name)


@cache
def read(file: str) -> str:
    """The text of a file of this folder."""
    return (FOLDER / file).read_text(encoding="utf-8")


@cache
def style() -> str:
    """The style sheet."""
    return read("style.css").strip()


@cache
def script() -> str:
    """All scripts as one: a file that was opened from a disk may not import others."""
    text = "\n".join(read(f"{name}.js") for name in SCRIPTS)
    text = re.sub(r'^import [^;]*? from "[^"]*";\n', "", text, flags=re.MULTILINE)
    return re.sub(r"^export ", "", text, flags=re.MULTILINE).strip()


@cache
def policy() -> str:
    """What the browser lets the page do: run this one script, and load nothing from anywhere."""
    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (f"default-src 'none'; script-src {hashed(script())}; style-src {hashed(style())}; img-src data: blob:; "
            "media-src blob: mediastream:; base-uri 'none'; form-action 'none'")
