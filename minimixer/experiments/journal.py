"""The file of an experiment that is being measured: one line of JSON per finished run, so a stop loses one at most."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minimixer import files
from minimixer.errors import UsageError, flag
from minimixer.experiments.runs import Arm, Runs
from minimixer.text import printable


class Journal:
    """The runs of one experiment, in a file that grows by a line whenever one has ended.

    The first line states the experiment and its settings.  A last line that a sudden end cut short is dropped.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    experiment : str
    settings : dict
        All settings that results depend on, as JSON holds them.

    Raises
    ------
    UsageError
        If the file holds runs with other settings, or a line in it cannot be read.
    FileRefusedError
        If the file is there and no journal.
    """

    def __init__(self, path: Path, experiment: str, settings: Mapping[str, Any]):
        files.check_replaceable(path, is_journal, f"experiments {experiment}")
        self.path = path
        self.header = header = {"experiment": experiment, "settings": as_json(settings)}
        lines = read_lines(path) if path.exists() else []
        if lines:
            self._check(lines[0], header)
        self.lines = lines[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write([header, *self.lines])          # whole lines only
        self.runs = Runs(self.lines, header["settings"])

    def find(self, arm: Arm, seed: int) -> Mapping[str, Any] | None:
        """The finished run of an arm, if any.  Raises UsageError if the arm had other settings then."""
        line = self.runs.find(arm.name, seed)
        if line is not None and (wanted := as_json(arm.settings)) != line["settings"]:
            raise other_settings(self.path, line["settings"], wanted, f"{arm.name}, seed {seed}: ")
        return line

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a finished run."""
        line = as_json(line)
        files.append(self.path, files.json_text(line) + "\n")
        self.lines.append(line)

    def clear(self) -> None:
        """Forget all runs."""
        self.lines.clear()
        self._write([self.header])

    def _check(self, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        if there["experiment"] != wanted["experiment"]:
            raise UsageError(f"{printable(self.path, None)} holds the experiment {printable(there['experiment'])}: "
                             "choose another folder with --out")
        if there["settings"] != wanted["settings"]:
            raise other_settings(self.path, there["settings"], wanted["settings"])

    def _write(self, lines: list[Any]) -> None:
        content = "".join(files.json_text(line) + "\n" for line in lines)
        if not self.path.exists() or files.read_text(self.path) != content:
            files.write_atomically(self.path, content.encode())


def other_settings(path: Path, there: Mapping[str, Any], wanted: Mapping[str, Any], where: str = "") -> UsageError:
    """The error for runs that cannot be added to those of a file."""
    names = [name for name in {**there, **wanted} if there.get(name) != wanted.get(name)]
    said = ", ".join(f"{flag(name)} was {printable(there.get(name))}, is now {printable(wanted.get(name))}"
                     for name in names[:3])
    return UsageError(f"{printable(path, None)} holds runs with other settings ({where}{said}): ask for the same, or "
                      "choose another folder with --out")


def read_lines(path: Path) -> list[Any]:
    """All whole lines of a journal; its first is the header.  Raises UsageError for one that cannot be read."""
    *lines, last = files.read_text(path).split("\n")
    found = [parse_line(text) for text in lines]
    for number, line in enumerate(found[1:], 2):
        if not is_run(line):
            raise UsageError(f"line {number} of {printable(path, None)} is no run: delete that line to measure it "
                             "again, or choose another folder with --out")
    rest = parse_line(last)                     # whole, if only the line break is missing
    return [*found, rest] if is_run(rest) or (not found and is_header(rest)) else found


def parse_line(text: str) -> Any:
    """What one line says; None if that is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def is_header(line: Any) -> bool:
    """Whether a line can be the first of a journal."""
    return isinstance(line, dict) and {"experiment", "settings"} <= line.keys()


def is_run(line: Any) -> bool:
    """Whether a line is a finished run."""
    return (isinstance(line, dict) and {"arm", "seed", "settings", "seconds"} <= line.keys()
            and ("result" in line) != ("failed" in line))


def is_journal(path: Path) -> bool:
    """Whether a file is the journal of an experiment, by its first line.  Raises OSError."""
    first = files.read_text(path).split("\n", 1)[0]
    return is_header(parse_line(first))


def settings_of(path: Path) -> dict[str, Any]:
    """The settings of a journal; none if there is no such file, or it is no journal."""
    return dict(read_lines(path)[0]["settings"]) if path.exists() and is_journal(path) else {}


def as_json(content: Any) -> Any:
    """What a file of JSON would give back: tuples become lists, keys text, and numbers that are not finite None."""
    return json.loads(files.json_text(content, default=str))
