"""No trick gets a point or leaves a trace, with a fence and without."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import minimixer
from minimixer.exercises import fence, processes
from minimixer.exercises.runner import Limits, check_cells
from tests.support.answers import load, source
from tests.support.commands import exercises as main
from tests.support.tricks import NOT_OWN, TRICKS

PACKAGE = Path(minimixer.__file__).parent
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Windows has no limits")]
walls = pytest.mark.parametrize("wall", ["bubblewrap", "none"])


def digest(folder):
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every trick, with and without a fence, and digests before and after."""
    folder = tmp_path_factory.mktemp("class")
    neighbor, precious = folder / "bob" / "ex01_unbroadcast.py", folder / "precious.txt"
    neighbor.parent.mkdir()
    neighbor.write_text(source("ex01"))
    precious.write_text("all grades")
    patch = pytest.MonkeyPatch()
    patch.setattr(processes, "MARK", f"MINIMIXER_TRICKS_{os.getpid()}")         # others may be grading here, too
    before = digest(PACKAGE), hashlib.sha256(neighbor.read_bytes()).hexdigest()
    work = [(name, wall) for name in TRICKS for wall in ("bubblewrap", "none") if wall == "none" or fence.find()]

    def one(item):
        name, wall = item
        exercise, code = TRICKS[name]
        for word, path in (("PRECIOUS", precious), ("PACKAGE", PACKAGE), ("NEIGHBOR", neighbor)):
            code = code.replace(word, repr(str(path)))
        limits = Limits(seconds=2.0, memory=1 << 29, private=(str(folder),),
                        fence=fence.find() if wall == "bubblewrap" else None)
        return check_cells(load(exercise), [("answer.py", code)], limits)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(work, pool.map(one, work), strict=True))
    after = digest(PACKAGE), hashlib.sha256(neighbor.read_bytes()).hexdigest()
    yield found, before, after, precious, folder
    patch.undo()


def said(run):
    return [(result.status, result.diagnosis and result.diagnosis.id) for result in run.report.results]


@walls
@pytest.mark.parametrize("name", TRICKS)
def test_no_trick_gets_points(name, wall, runs):
    if (name, wall) not in runs[0]:
        pytest.skip("there is no bubblewrap that works here")
    run = runs[0][name, wall]
    assert not any(result.earned for result in run.report.results), said(run)
    assert len(run.printed) < 5000
    if name in NOT_OWN:
        assert run.report.results[0].status == "not-own"


def test_nothing_is_changed_and_nothing_is_left(runs):
    _, before, after, precious, folder = runs
    assert before == after
    assert precious.read_text() == "all grades"
    assert sorted(path.name for path in folder.iterdir()) == ["bob", "precious.txt"]
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"{processes.PREFIX}{os.getpid()}-*"))
    if sys.platform == "linux":
        assert not [pid for pid in processes.running() if f"{processes.MARK}=".encode() in processes.environment(pid)]


@walls
def test_inside_there_is_little_to_see(wall):
    found = fence.find() if wall == "bubblewrap" else None
    if wall == "bubblewrap" and found is None:
        pytest.skip("there is no bubblewrap that works here")
    code = ("import os, sys\nprint(sorted(os.environ))\nprint(os.listdir('.'))\n"
            "print(sum(e.isdigit() for e in os.listdir('/proc')))\nprint(os.path.exists(" + repr(str(PACKAGE)) +
            "))\nprint(os.getuid())\n") + source("ex01")
    run = check_cells(load("ex01"), [("answer.py", code)], Limits(fence=found))
    assert run.report.ok, str(run.report)
    environment, here, visible, package, user = run.printed.splitlines()
    assert "PYTHONPATH" in environment
    assert "USER" not in environment.replace("PYTHONUSERBASE", "")
    assert here == "[]"
    if found:
        assert int(visible) <= 3
        assert package == "False"
        assert user == str(fence.NOBODY)


def test_in_a_class_the_results_of_the_others_are_the_same_bytes(tmp_path):
    """Honest students get the same rows and pages, whether the rest of the class plays tricks or hands in nothing."""
    honest = {"ann": "ex01", "mia": "ex06", "zoe": "ex04"}                      # before, among and behind the others
    shares = []
    for who in ("alone", "with tricks"):
        place = tmp_path / who
        students = {name: (load(exercise).filename, source(exercise)) for name, exercise in honest.items()}
        if who == "with tricks":
            for name, (exercise, code) in TRICKS.items():
                for word, path in (("PRECIOUS", place / "grades.csv"), ("PACKAGE", PACKAGE),
                                   ("NEIGHBOR", place / "class" / "ann" / load("ex01").filename)):
                    code = code.replace(word, repr(str(path)))
                students[f"k-{name}"] = load(exercise).filename, code
        for name, (file, code) in students.items():
            path = place / "class" / name / file
            path.parent.mkdir(parents=True)
            path.write_text(code)
        assert main(["grade", str(place / "class"), "--out", str(place / "grades.csv"), "--feedback",
                     str(place / "pages"), "--exercises", "ex01", "ex04", "ex06", "--seconds", "2"]) == 0
        rows = [line for line in (place / "grades.csv").read_text("utf-8-sig").splitlines()
                if line.split(",")[0] in honest]
        pages = {name: (place / "pages" / f"{name}.html").read_bytes() for name in honest}
        shares.append((rows, pages, [path.read_bytes() for name in honest for path in
                                     sorted((place / "class" / name).iterdir())]))
    assert shares[0] == shares[1]
    assert len(shares[0][0]) == len(honest) * sum(len(load(name).tasks) for name in honest.values())
