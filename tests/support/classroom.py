"""Generate a class with right, wrong, empty, broken, hanging and hostile submissions, and grade it twice.

``python -m tests.support.classroom --students 200`` prints the time and whether both tables are identical.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

from minimixer.exercises.grade import grade
from minimixer.exercises.runner import Limits
from tests.support.answers import load, mutants, names, source, student_version
from tests.support.hostile import HOSTILE, STARTS_FORKING

PER_STUDENT = 2     # exercises per student


def submission(kind, name, rng, precious):
    """The bytes of one submission; None if nothing is handed in."""
    if kind == "right":
        return source(name).encode()
    if kind == "wrong":
        return rng.choice([m for m in mutants() if m.exercise == name]).code.encode()
    if kind == "stub":
        return student_version(name).encode()
    if kind == "missing":
        return None
    if kind == "forking":
        return (STARTS_FORKING + source(name)).encode()
    code = HOSTILE[kind][0]
    return code if isinstance(code, bytes) else code.replace("PRECIOUS", repr(str(precious))).encode()


def make_class(folder, students, seed=0):
    """Write the folders of a class; return the kind of each submission by student and exercise."""
    rng = random.Random(seed)
    precious = folder / "precious.txt"
    precious.write_text("all grades")
    hostile = [*HOSTILE, "forking"]
    kinds = {}
    for number in range(students):
        student = f"student{number:03d}"
        place = folder / "submissions" / student
        place.mkdir(parents=True)
        for name in rng.sample(names(), PER_STUDENT):
            # one in six is hostile, and every kind occurs
            kind = (hostile[number // 6 % len(hostile)] if number % 6 == 0 else
                    rng.choices(["right", "wrong", "stub", "missing"], [4, 4, 1, 1])[0])
            code = submission(kind, name, rng, precious)
            kinds[student, name] = kind
            if code is not None:
                (place / load(name).filename).write_bytes(code)
    return kinds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU time for each submission")
    parser.add_argument("--once", action="store_true", help="grade once, without the comparison")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_class(folder, options.students)
        tables = []
        for turn in range(1 if options.once else 2):
            start = time.monotonic()
            out = folder / f"grades{turn}.csv"
            grade(folder / "submissions", out, folder / "feedback", "csv", (), options.jobs,
                  Limits(options.seconds), trust=True)
            print(f"{time.monotonic() - start:.0f} s with {options.jobs} jobs")
            tables.append(out.read_text())
        pages = len(list((folder / "feedback").glob("*.html")))
        print(f"{len(tables[0].splitlines()) - 1} rows, {pages} pages, the same twice: {len(set(tables)) == 1}, "
              f"nothing deleted: {(folder / 'precious.txt').read_text() == 'all grades'}")


if __name__ == "__main__":
    main()
