"""Grade the answers of a class side by side; each result is written down as it comes, so that nothing is done twice."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from minimixer.exercises import processes
from minimixer.exercises.answers.python import Cells
from minimixer.exercises.definitions import load
from minimixer.exercises.graded import Graded
from minimixer.exercises.report import Report, TaskResult, uniform_report
from minimixer.exercises.runner import CheckerError, Limits, check_cells
from minimixer.exercises.words import say
from minimixer.files import LARGEST_TEXT, check_regular, check_replaceable, remove, write_atomically


@dataclass(frozen=True)
class Work:
    """One answer to grade: its text, read before the first answer runs, so that none can change another."""

    student: str
    exercise: str
    file: str = ""                  # below the student's folder; empty where there is none
    sha256: str = ""
    cells: Cells | None = None
    problem: str = ""               # why there is no text
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same answer of the same student."""
        text = json.dumps([self.student, self.exercise, self.file, self.sha256, self.cells, self.problem, self.notes])
        return hashlib.sha256(text.encode()).hexdigest()


class Journal:
    """The results of a class that is being graded: one line per answer, next to the table that they will make.

    Parameters
    ----------
    out : Path
        The table.
    limits : Limits
        Results under other limits, or of another version of the exercises, are not used.
    """

    def __init__(self, out: Path, limits: Limits):
        self.path = out.with_name(out.name + ".part")
        self.head = {"exercises": _version(), "seconds": limits.seconds, "memory": limits.memory}
        self.known: dict[str, dict[str, Any]] = {}
        self.file: IO[bytes] | None = None

    def __enter__(self) -> "Journal":
        check_replaceable(self.path, is_journal, "exercises grade")
        lines = _lines(self.path) if self.path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]        # the last may have been cut off
        records = [_parsed(line) for line in whole]
        if records and records[0] == self.head:
            self.known = {record["key"]: record for record in records[1:] if record is not None and "key" in record}
        else:
            whole = [json.dumps(self.head).encode() + b"\n"]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, b"".join(whole))
        self.file = self.path.open("ab")
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        assert self.file is not None
        self.file.close()

    def add(self, key: str, graded: Graded) -> None:
        """Write one result down."""
        self._write({"key": key, "results": [result.as_json() for result in graded.report.results],
                     "printed": graded.printed, "seconds": graded.seconds, "notes": graded.notes})

    def find(self, work: Work) -> Graded | None:
        """The result from before, if there is one."""
        record = self.known.get(work.key)
        if record is None:
            return None
        report = Report(load(work.exercise), tuple(map(TaskResult.from_json, record["results"])))
        return Graded(work.student, report, work.file, work.sha256, record["printed"], record["seconds"],
                      tuple(record["notes"]))

    def remove(self) -> None:
        """Remove the file: the table is written."""
        remove(self.path, proof=is_journal)

    def _write(self, record: dict[str, Any]) -> None:
        assert self.file is not None
        self.file.write(json.dumps(record).encode() + b"\n")
        self.file.flush()


def is_journal(path: Path) -> bool:
    """Whether a file is the journal of a class.  Raises FileRefusedError, OSError."""
    head = _parsed(next(iter(_lines(path)), b""))
    return isinstance(head, dict) and head.keys() == {"exercises", "seconds", "memory"}


def _lines(path: Path) -> list[bytes]:
    check_regular(path, LARGEST_TEXT)
    return path.read_bytes().splitlines(keepends=True)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


@cache
def _version() -> str:
    """A digest of the checker's own files."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()


def grade_all(work: Sequence[Work], jobs: int, limits: Limits, journal: Journal) -> list[Graded]:
    """Check all answers; the results keep the order of ``work``.  Raises CheckerError if the checker cannot run."""
    def one(item: Work) -> Graded:
        if (before := journal.find(item)) is not None:
            return before
        graded = grade_one(item, limits)
        journal.add(item.key, graded)
        return graded

    with ThreadPoolExecutor(jobs) as pool:
        try:
            return list(pool.map(one, work))
        except BaseException:       # Ctrl-C too: what runs is ended, what waits is not begun
            pool.shutdown(wait=False, cancel_futures=True)
            processes.end_all()
            raise


def grade_one(work: Work, limits: Limits) -> Graded:
    """Check one answer; anything that goes wrong with it becomes a status."""
    exercise = load(work.exercise)
    if not work.file:
        return Graded(work.student, uniform_report(exercise, "missing"))
    try:
        if work.cells is None:
            report = uniform_report(exercise, "error", say("broken-file", error=work.problem, where=""))
            return Graded(work.student, report, work.file, work.sha256, notes=work.notes)
        run = check_cells(exercise, work.cells, limits)
        return Graded(work.student, run.report, work.file, work.sha256, run.printed, run.seconds,
                      (*work.notes, *run.notes))
    except CheckerError:
        raise
    except Exception as error:      # a batch of 200 must not end at the 57th
        problem = say("broken-file", error=f"{type(error).__name__}: {error}", where="")
        return Graded(work.student, uniform_report(exercise, "error", problem), work.file, work.sha256,
                      notes=work.notes)

