"""Build the notebooks: ``python lessons/build.py [NN ...] [--check] [--fast] [--text]``.

Each lesson is written as ``lessons/NN_name.py`` in percent format.  This script executes it without a network and
writes ``lessons/notebooks/NN_name.ipynb`` with its outputs.  The same source gives the same notebook.  Where
``lessons/ko/NN_name.md`` has the text in another language, ``lessons/notebooks/ko/NN_name.ipynb`` gets the same code
and outputs; ``--text`` writes these alone, and executes nothing.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

LESSONS = Path(__file__).parent
sys.path.insert(0, str(LESSONS))        # also where this file is loaded by its path
import translation  # noqa: E402

NOTEBOOKS = LESSONS / "notebooks"
FAST = "MINIMIXER_LESSON_FAST"
MEASURED = "measured"       # tags a cell whose output depends on the machine
SECONDS_PER_CELL = 600

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
    # The kernel listens on local Unix sockets: no TCP port is opened.
    config = Config({"KernelManager": {"transport": "ipc"}})
    client = NotebookClient(notebook, config=config, kernel_name="python3", kernel_manager_class=AsyncKernelManager,
                            timeout=SECONDS_PER_CELL, record_timing=False, coalesce_streams=True,
                            extra_arguments=[f"--IPKernelApp.exec_lines={NO_NETWORK}"],
                            on_cell_executed=lambda **_: seconds.append(time.perf_counter() - start))
    start = time.perf_counter()
    client.execute(env=environment)
    notebook.metadata["language_info"] = nbformat.from_dict({"name": "python"})     # the kernel has added its version
    return seconds


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


def write(notebook: Any, path: Path) -> None:
    """Write a notebook: the same one gives the same bytes."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def write_translations(source: Path) -> bool:
    """Write a lesson's notebooks in other languages, from the English one; return whether all texts are up to date."""
    if not translation.languages(source.stem):
        return True
    english, target = read_source(source), notebook_of(source)
    built = nbformat.read(target, as_version=4) if target.exists() else None
    if built is None or differences(built, english, with_outputs=False):
        print(f"{source.stem}: first build the English notebook: python lessons/build.py {source.stem[:2]}",
              file=sys.stderr)
        return False
    for language in translation.languages(source.stem):
        try:
            write(translation.translate(built, language, source.stem), notebook_of(source, language))
        except ValueError as error:
            print(error, file=sys.stderr)
            return False
    return True


def stated_seconds(notebook: Any) -> float:
    """Return the computing time that the first cell states."""
    found = re.search(r"\*\*Time:\*\*.* (\d+) seconds? of computing", notebook.cells[0].source)
    if not found:
        raise SystemExit("build.py: the first cell must say '**Time:** N minutes, M seconds of computing ...'")
    return float(found[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or check the notebooks; return 1 if a lesson fails or a notebook does not match its source."""
    parser = argparse.ArgumentParser(prog="build.py", description="Execute the lessons and write their notebooks.")
    parser.add_argument("lessons", nargs="*", metavar="NN", help="lesson numbers; by default all")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the existing notebooks")
    parser.add_argument("--fast", action="store_true", help="write nothing; run the lessons with shortened training")
    parser.add_argument("--text", action="store_true", help="execute nothing; write the notebooks of other languages")
    given = parser.parse_args(arguments)
    failed = False
    for source in sources(given.lessons):
        if given.text:
            failed |= not write_translations(source)
            continue
        notebook = read_source(source)
        stated = stated_seconds(notebook)
        try:
            took = execute(notebook, fast=given.fast)[-1]
        except CellExecutionError as error:
            print(f"{source.stem}: {error}", file=sys.stderr)
            failed = True
            continue
        late = "" if given.fast or took <= stated else "  (more than stated)"
        print(f"{source.stem:<28}{took:6.1f} s, {stated:.0f} s stated{late}")
        target = notebook_of(source)
        if given.check:
            found = ["there is no notebook yet"] if not target.exists() else differences(
                nbformat.read(target, as_version=4), notebook, with_outputs=not given.fast)
            for line in found:
                print(f"    {line}")
            failed |= bool(found)
        elif not given.fast:
            write(notebook, target)
            failed |= not write_translations(source)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
