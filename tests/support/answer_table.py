"""Check a folder of answers whose first lines say what they are, and print a table of what the checker says.

``python -m tests.support.answer_table FOLDER [--all]``: the files are ``exNN/NAME.py`` or ``.../exNN_NAME.py``.  The
first lines of each say ``# expect: pass`` or ``# expect: fail``, and ``# what: `` it is; without them, a name that
begins with ``right`` is right.
"""

import argparse
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minimixer.exercises import fence
from minimixer.exercises.runner import Limits, check_file

GENERIC = ("raises", "some-inputs", "only-some", "unknown", "saved", "wrong-shape", "misplaced", "not-finite",
           "low-precision", "only-where", "shapes-do-not-fit")


def expected(path):
    """What an answer must get: pass or fail, and why."""
    text = path.read_bytes().decode("utf-8", "replace")[:2000]
    stated = re.search(r"^# expect: (pass|fail)", text, re.MULTILINE)
    what = re.search(r"^# what: (.*)", text, re.MULTILINE)
    name = re.sub(r"^ex\d\d_", "", path.stem)
    return stated[1] if stated else "pass" if name.startswith("right") else "fail", what[1] if what else name


def exercise_of(path):
    return re.search(r"ex\d\d", path.name if path.name.startswith("ex") else path.parent.name)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="show right verdicts with a specific diagnosis too")
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix in (".py", ".ipynb")
                   and re.search(r"ex\d\d", f"{path.parent.name}/{path.name}"))
    limits = Limits(seconds=5.0, fence=fence.find())
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda path: check_file(exercise_of(path), path, limits).report, paths))
    table = Counter()
    for path, report in zip(paths, reports, strict=True):
        wanted, what = expected(path)
        got = "pass" if report.ok else "fail"
        said = [result.diagnosis for result in report.results if result.diagnosis]
        generic = wanted == "fail" and any(one.id.split(":")[0] in GENERIC for one in said)
        table[wanted, got, "generic" if generic else "named" if said else ""] += 1
        if options.all or wanted != got or generic:
            print(f"{'' if wanted == got else 'WRONG '}{path.parent.name}/{path.name}: expected {wanted}, got {got}\n"
                  f"    is:   {what}")
            for result in report.results:
                if result.diagnosis:
                    print(f"    {result.name}: [{result.diagnosis.id}] {result.diagnosis.title}")
    print("expected  got   diagnosis  answers")
    for (wanted, got, kind), count in sorted(table.items()):
        print(f"{wanted:<10}{got:<6}{kind:<11}{count}")


if __name__ == "__main__":
    main()
