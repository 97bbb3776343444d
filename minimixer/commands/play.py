"""``minimixer play [RUN|NAME]``: a page in which one draws, and a trained Mixer answers."""

import os
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from minimixer.commands.eval import Evaluation, find_data
from minimixer.commands.lessons import has_browser
from minimixer.commands.predict import SHIPPED
from minimixer.console import parse
from minimixer.errors import OK, MinimixerError, UsageError, command_line
from minimixer.files import check_replaceable
from minimixer.nn import MlpMixer, list_pretrained
from minimixer.owned import made_by_a_run
from minimixer.play import Page, is_page, page
from minimixer.text import printable
from minimixer.train.run_folder import PAGE
from minimixer.train.trained import PREFERRED, Trained, load_run

RUNS = Path("runs")


@dataclass(frozen=True)
class Playing:
    """Options of ``minimixer play``."""

    run: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="[RUN|NAME]", help_behavior_hint="")]] = None
    """A run folder, one of its .safetensors files, or cifar10-micro; by default the newest run in runs/."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """File to write; by default play.html in the run folder."""
    no_open: bool = False
    """Only write the file; do not open it in a browser."""

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix.lower() not in (".html", ".htm") and not self.out.is_dir():
            raise UsageError(f"--out is {self.out}: expected a name that ends in .html, or no browser would show it as "
                             "a page")


DESCRIPTION = """Draw a digit or drop a photo, and watch a trained Mixer answer.

Writes one HTML file with the model inside: no network, no server; phones too."""


def main(arguments: Sequence[str]) -> int:
    """Write the page, open it, and return the exit code."""
    options = parse(Playing, "play", DESCRIPTION, arguments)
    run = options.run or newest_run()
    trained = load_run(run)
    out = free(options.out or place_for(trained))
    made = page_of(trained, run)
    made.save(out)
    print(f"{printable(out, None)} ({len(made.html.encode()) / 1e6:.2f} MB)")
    if options.no_open or not can_show():
        print("Open it in any browser, also on a phone: it is one file, and needs no network.")
    else:
        webbrowser.open(out.resolve().as_uri())
    return OK


def newest_run() -> Path:
    """The run in ``runs/`` whose weights are the newest, or the model that comes with minimixer; says which."""
    found = [(file.stat().st_mtime, file.parent) for name in PREFERRED for file in RUNS.glob(f"*/{name}")]
    run = max(found)[1] if found else Path(SHIPPED)
    why = f"the newest run in {RUNS}{os.sep}" if found else f"there is no run in {RUNS}{os.sep}"
    print(f"{printable(run, None)} ({why}); another one: minimixer play RUN")
    return run


def page_of(trained: Trained, run: Path) -> Page:
    """The page of a run, with its test images if they are found."""
    name = trained.path.parent.resolve().name if made_by_a_run(trained.path.parent) else trained.path.stem
    if not isinstance(trained.model, MlpMixer):         # before its data are read
        return page(trained, name)
    try:
        dataset = find_data(Evaluation(run=run), trained)
    except MinimixerError as error:
        reason = str(error).splitlines()[0].split(": ")[0].rstrip(".")      # without the advice, which is for others
        print(f"Without test images ({reason})")
        return page(trained, name)
    return page(trained, name, np.asarray(dataset.test_images), np.asarray(dataset.test_labels))


def place_for(trained: Trained) -> Path:
    """Where the page goes by default: into the run folder, beside the file, or here."""
    if trained.path in list_pretrained().values():
        return Path(f"{trained.path.stem}.html")
    folder = trained.path.parent
    return folder / PAGE if made_by_a_run(folder) else trained.path.with_suffix(".html")


def free(out: Path) -> Path:
    """The same path.  Raises FileRefusedError or UsageError if something else is there."""
    if out.is_dir():
        raise UsageError(f"{out} is a folder: name a file, such as {command_line('--out', out / PAGE)}")
    check_replaceable(out, is_page, "play")
    return out


def can_show() -> bool:
    """Whether a window would open; a browser that runs in the terminal would only be in the way."""
    return has_browser() and type(webbrowser.get()) is not webbrowser.GenericBrowser
