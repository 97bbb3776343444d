"""Build the notebooks: ``python lessons/build.py [NN ...] [--check] [--fast] [--solutions]``.

Each lesson is written as ``lessons/NN_name.py`` in percent format.  This script executes it without a network and
writes ``lessons/notebooks/NN_name.ipynb`` with its outputs.  The same source gives the same notebook.  Where
``lessons/ko/NN_name.md`` has the text in another language, ``lessons/notebooks/ko/NN_name.ipynb`` gets the same code
and outputs.  To write these alone, without executing anything: ``lessons/translate.py``.
"""

import argparse
import copy
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

from minimixer.exercises.turns import RIGHT, UNTOUCHED

LESSONS = Path(__file__).parent
sys.path.insert(0, str(LESSONS))        # also where this file is loaded by its path
import translation  # noqa: E402

NOTEBOOKS = LESSONS / "notebooks"
FAST = "MINIMIXER_LESSON_FAST"
MEASURED = "measured"       # tags a cell whose output depends on the machine
YOUR_TURN = "your-turn"     # tags a cell that the reader fills in; the solution stands before it, the check after it
SECONDS_PER_CELL = 600
WORDS_PER_MINUTE = 130      # of a technical text, by a reader whose first language is another one
MINUTES_PER_LOOK = 0.5      # at a cell of code, and at a figure

# The kernel runs this first.  An audit hook sees every attempt to reach another machine and cannot be removed.
NO_NETWORK = """
import sys
def _no_network(event, arguments):
    remote = event in ("socket.getaddrinfo", "socket.gethostbyname") or (
        event in ("socket.connect", "socket.sendto") and not isinstance(arguments[1], (str, bytes)))
    if remote:
        raise RuntimeError("a lesson must not use the network")
sys.addaudithook(_no_network)
"""


def sources(chosen: Iterable[str] = ()) -> list[Path]:
    """Return the chosen lessons (numbers or names), or all of them, in order."""
    chosen = list(chosen)
    paths = sorted(LESSONS.glob("[0-9][0-9]_*.py"))
    unknown = [c for c in chosen if not any(c in (p.stem, p.stem[:2]) for p in paths)]
    if unknown:
        raise SystemExit(f"build.py: there is no lesson {unknown[0]!r}; expected one of "
                         f"{', '.join(p.stem[:2] for p in paths)}")
    return [path for path in paths if not chosen or path.stem in chosen or path.stem[:2] in chosen]


def notebook_of(source: Path, language: str = "") -> Path:
    """Return the path of a lesson's notebook, by default of the English one."""
    return NOTEBOOKS / language / f"{source.stem}.ipynb"


def read_source(source: Path) -> Any:
    """Return the lesson as an unexecuted notebook with fixed cell ids and metadata."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{source.stem[:2]}-{number:02d}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
    return notebook


def execute(notebook: Any, *, fast: bool = False) -> list[float]:
    """Run all cells in a fresh kernel without a network; return the elapsed seconds after each code cell.

    Raises nbclient's CellExecutionError, which names the cell, if one fails.
    """
    seconds: list[float] = []
    paths = os.pathsep.join([str(LESSONS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, FAST: "1" if fast else "0", "PYTHONPATH": paths}
    with tempfile.TemporaryDirectory() as sockets:      # of its own: in the working folder, two builds would share them
        # The kernel listens on local Unix sockets: no TCP port is opened.
        config = Config({"KernelManager": {"transport": "ipc", "ip": str(Path(sockets, "kernel"))}})
        client = NotebookClient(notebook, config=config, kernel_name="python3", kernel_manager_class=AsyncKernelManager,
                                timeout=SECONDS_PER_CELL, record_timing=False, coalesce_streams=True,
                                extra_arguments=[f"--IPKernelApp.exec_lines={NO_NETWORK}"],
                                on_cell_executed=lambda **_: seconds.append(time.perf_counter() - start))
        start = time.perf_counter()
        client.execute(env=environment)
    notebook.metadata["language_info"] = nbformat.from_dict({"name": "python"})     # the kernel has added its version
    return seconds


def turns(notebook: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Return the three cells of each of the reader's turns: the task, the cell to fill in, and its check."""
    for task, cell, check in zip(notebook.cells, notebook.cells[1:], notebook.cells[2:], strict=False):
        if YOUR_TURN in cell.metadata.get("tags", []):
            yield task, cell, check


def solved(notebook: Any) -> Any:
    """Return a copy in which the solutions stand in the cells that the reader fills in."""
    filled = copy.deepcopy(notebook)
    for task, cell, _ in turns(filled):
        solutions = re.findall(r"^```python\n(.*?)^```$", task.source, re.M | re.S)
        if len(solutions) != 1:
            raise SystemExit(f"build.py: expected one solution, found {len(solutions)}, in {task.source[:60]!r}")
        cell.source = solutions[0].rstrip("\n")
    return filled


def unexpected_verdicts(notebook: Any, expected: str) -> list[str]:
    """Describe each check of an executed notebook that prints another verdict on the reader's answer."""
    return [f"the check after {cell.source[:40]!r} printed {printed(check)!r}, expected {expected!r}"
            for _, cell, check in turns(notebook) if printed(check) != expected + "\n"]


def printed(cell: Any) -> str:
    """Return all that a cell of code wrote as text."""
    return "".join(output.get("text", "") or output.data["text/plain"] for output in cell.outputs
                   if "text" in output or set(output.get("data", ())) == {"text/plain"})


def reading_minutes(built: Any) -> int:
    """Return how long an executed lesson takes to read; what the reader fills in, and its checks, are not counted."""
    to_do = [cell.id for _, *pair in turns(built) for cell in pair]
    words = sum(len(re.findall(r"\S*\w\S*", re.sub(r"<!--.*?-->|</?\w+[^>]*>", "", cell.source)))
                for cell in built.cells if cell.cell_type == "markdown")
    looks = 0
    for cell in built.cells:
        if cell.cell_type == "code" and cell.id not in to_do:
            looks += 1 + sum("image/png" in output.get("data", {}) for output in cell.outputs)
    return math.ceil(words / WORDS_PER_MINUTE + looks * MINUTES_PER_LOOK)


NUMBER = re.compile(r"(?<![\w.)])[-\u2212]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)", re.I)
NO_NUMBERS = re.compile(r"\]\([^)]*\)|<!--.*?-->|lessons? \d\d(?:(?:,| and| to|, and) \d\d)*|^\d+\. ", re.M | re.I)


def numbers(text: str) -> dict[Decimal, str]:
    """Return the numbers of a text by value: 1,234 and the 12 of 12 % and -3.1e-5, but not the 64 of float64."""
    return {Decimal(found.replace(",", "").replace("\u2212", "-")): found for found in NUMBER.findall(text)}


def not_printed(built: Any) -> list[str]:
    """Describe the numbers of the paragraphs marked ``<!-- printed -->`` that no cell of the executed lesson prints."""
    known = numbers("\n".join(printed(cell) for cell in built.cells if cell.cell_type == "code"))
    found = []
    for cell in built.cells:
        for paragraph in re.split(r"\n\s*\n", cell.source) if cell.cell_type == "markdown" else ():
            if paragraph.rstrip().endswith("<!-- printed -->"):
                claimed = numbers(NO_NUMBERS.sub("", paragraph))
                missing = [text for value, text in claimed.items() if value not in known]
                if missing or not claimed:
                    found.append(f"no cell prints {' or '.join(missing) or 'a number'} of {paragraph[:60]!r}")
    return found


def without_alt(built: Any) -> list[str]:
    """Describe the figures of an executed lesson that do not say in words what they show."""
    images = [(cell, output) for cell in built.cells if cell.cell_type == "code" for output in cell.outputs
              if "image/png" in output.get("data", {})]
    return [f"a figure has no alt text: give alt=... in {cell.source[:60]!r}" for cell, output in images
            if not output.metadata.get("image/png", {}).get("alt", "").strip()]


def outputs(cell: Any) -> Any:
    """Return the outputs that must not change between runs; None for text cells and for cells that measure."""
    if cell.cell_type != "code" or MEASURED in cell.metadata.get("tags", []):
        return None
    return [{key: value for key, value in output.items() if key != "execution_count"} for output in cell.outputs]


def differences(built: Any, fresh: Any, *, with_outputs: bool) -> list[str]:
    """Describe each cell in which two notebooks differ."""
    found = []
    for number, (old, new) in enumerate(zip(built.cells, fresh.cells, strict=False)):
        if (old.cell_type, old.source, old.metadata) != (new.cell_type, new.source, new.metadata):
            found.append(f"cell {number} differs from the source, which begins {new.source[:40]!r}")
        elif with_outputs and outputs(old) != outputs(new):
            found.append(f"cell {number} gives different outputs: {new.source[:40]!r}")
    if len(built.cells) != len(fresh.cells):
        found.append(f"{len(built.cells)} cells in the notebook, {len(fresh.cells)} in the source")
    return found


def stated_seconds(notebook: Any) -> float:
    """Return the computing time that the first cell states."""
    found = re.search(r"\*\*Time:\*\*.* (\d+) seconds? of computing", notebook.cells[0].source)
    if not found:
        raise SystemExit("build.py: the first cell must say '**Time:** N minutes to read, M to do, S seconds of "
                         "computing (measured on 2 cores)'")
    return float(found[1])


def stated_minutes(notebook: Any) -> int | None:
    """Return the reading time that the first cell states, if it does."""
    found = re.search(r"\*\*Time:\*\* (\d+) minutes? to read, \d+ to do", notebook.cells[0].source)
    return int(found[1]) if found else None


def doubts(notebook: Any, source: Path, given: argparse.Namespace) -> list[str]:
    """Describe what is wrong with an executed lesson."""
    found = unexpected_verdicts(notebook, RIGHT if given.solutions else UNTOUCHED) + without_alt(notebook)
    if not given.solutions and not given.fast:
        minutes = reading_minutes(notebook)
        found += [f"the first cell must say {minutes} minutes to read"] * (minutes != stated_minutes(notebook))
        found += not_printed(notebook)
    if given.check:
        found += differences(nbformat.read(notebook_of(source), as_version=4), notebook, with_outputs=not given.fast) \
            if notebook_of(source).exists() else ["there is no notebook yet"]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or check the notebooks; return 1 if a lesson fails or a notebook does not match its source."""
    parser = argparse.ArgumentParser(prog="build.py", description="Execute the lessons and write their notebooks.")
    parser.add_argument("lessons", nargs="*", metavar="NN", help="lesson numbers; by default all")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the existing notebooks")
    parser.add_argument("--fast", action="store_true", help="write nothing; run the lessons with shortened training")
    parser.add_argument("--solutions", action="store_true", help="write nothing; run the lessons with their solutions")
    given = parser.parse_args(arguments)
    if given.check and given.solutions:
        parser.error("--check compares with the notebooks, which hold no solutions in their cells: leave out one")
    failed = False
    for source in sources(given.lessons):
        notebook = solved(read_source(source)) if given.solutions else read_source(source)
        stated = stated_seconds(notebook)
        try:
            took = execute(notebook, fast=given.fast)[-1]
        except CellExecutionError as error:
            print(f"{source.stem}: {error}", file=sys.stderr)
            failed = True
            continue
        late = "" if given.fast or took <= stated else "  (more than stated)"
        print(f"{source.stem:<28}{took:6.1f} s, {stated:.0f} s stated{late}")
        found = doubts(notebook, source, given)
        if not (given.check or given.fast or given.solutions):
            translation.write(notebook, notebook_of(source))
            found += translation.write_all(notebook, source.stem, NOTEBOOKS)
        for line in found:
            print(f"    {line}")
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
