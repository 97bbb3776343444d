"""What names say: which exercise, whose it is, which attempt."""

import re
from dataclasses import dataclass
from datetime import datetime

from minimixer.exercises.definitions import MODULES
from minimixer.exercises.source import is_notebook

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2")
UNOPENED = (".7z", ".rar", ".xz", ".txz", ".gz", ".bz2", ".zst")
JUNK = re.compile(r"__MACOSX|__pycache__|\.ipynb_checkpoints|\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|node_modules|"
                  r"\.git|\.venv|\.idea|\.vscode|\..*|.*\.pyc", re.IGNORECASE)
SEPARATORS = r"[ _.-]*"
EXERCISE = re.compile(rf"(?<![a-z0-9])ex(?:er(?:cise)?)?{SEPARATORS}0*(\d{{1,2}})(?!\d)", re.IGNORECASE)
COPY_WORDS = r"(?:copy|kopie|copie|copia|c[oó]pia|kopia)"
COPY_OF = re.compile(rf"^{COPY_WORDS}[ _](?:of|von|de|di|van|av|af)?[ _]*", re.IGNORECASE)
COPY_NUMBER = re.compile(rf"(?:[ _]?\((\d{{1,3}})\)|-(\d{{1,3}})|[ _-]+{COPY_WORDS}(?:[ _]?\(?(\d{{1,3}})\)?)?)$",
                         re.IGNORECASE)
# What learning platforms put before a file, or name a folder; the groups say the student, a number, the attempt.
PLATFORMS = (
    re.compile(r"(?P<student>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)"),         # Moodle
    re.compile(r"(?P<student>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<attempt>\d+)_(?P<file>.+)"),          # Canvas
    re.compile(r"(?:.*_)?(?P<student>[^_]+)_attempt_(?P<attempt>\d{4}(?:-\d\d){5})"
               r"(?:_(?P<file>.+)|\.txt)"),                                                              # Blackboard
    re.compile(r"(?P<id>\d+)-\d+ - (?P<student>.+?) - (?P<date>.+)"),                                    # Brightspace
)
TITLES = "|".join(sorted(module[5:].replace("_", "[_-]") for module in MODULES.values()))
CLASSROOM = re.compile(rf"ex\d\d(?:[_-](?:{TITLES}))?-(?P<student>(?!\d+$).+)", re.IGNORECASE)     # GitHub Classroom
PREFIXED = re.compile(r"(?P<student>.+?)[ _-]+(?P<file>ex(?:er(?:cise)?)?[ _-]*\d\d?(?!\d).*)", re.IGNORECASE)
COLLECTION = re.compile(r"submissions?|class|students?|hand-?ins?|homework|hw|assignments?|week|all", re.IGNORECASE)
IMPERSONAL = {"solution", "answer", "answers", "main", "notebook", "submission", "untitled", "homework", "hw", "code"}


@dataclass(frozen=True)
class Owner:
    """Whose a file or folder is, as its name says."""

    student: str
    id: str = ""                    # the number that a platform knows the student by
    attempt: int = 0                # grows with every attempt
    late: bool = False
    when: float = 0.0               # seconds since 1970, if the platform says


def is_code(name: str) -> bool:
    """Whether a file is a Python file or a notebook; some browsers and systems add ``.txt`` or ``.json``."""
    return is_notebook(name) or re.search(r"\.py(\.txt)?$", name.lower()) is not None


def is_archive(name: str) -> bool:
    """Whether a file is an archive that is opened."""
    return name.lower().endswith(ARCHIVES)


def stem(name: str) -> str:
    """A name without the endings of code and archives."""
    return re.sub(r"(?i)(\.ipynb(\.\w+)?|\.py(\.txt)?|\.zip|\.tar|\.tar\.gz|\.tgz|\.tar\.bz2|\.tbz2)$", "", name)


def exercise_of(name: str) -> str:
    """The exercise that the name of a file or folder means: ``ex06``; empty if none, or several."""
    found = {f"ex{int(match[1]):02d}" for match in EXERCISE.finditer(name)} & MODULES.keys()
    return found.pop() if len(found) == 1 else ""


def is_exercise_folder(name: str) -> str:
    """The exercise that a folder is for, if its whole name says so: ``ex06``, ``Exercise 6``, ``ex06_layernorm``."""
    exercise = exercise_of(name)
    rest = COPY_NUMBER.sub("", EXERCISE.sub("", stem(name), count=1)).strip(" _-.:").lower()
    return exercise if rest in ("", MODULES.get(exercise, "")[5:], "submissions") else ""


def copy_number(name: str) -> int:
    """Which copy a file is: 2 for ``ex06 (2).py`` and ``ex06-2.py``, 1 for ``Copy of ex06.py``, 0 for ``ex06.py``."""
    base = stem(name)
    base = base[found.end():] if (found := EXERCISE.search(base)) else base
    if found := COPY_NUMBER.search(base):
        return int(next((digits for digits in found.groups() if digits), 1))
    return int(COPY_OF.match(stem(name)) is not None)


def owner(name: str, is_file: bool) -> Owner | None:
    """Whose a file or folder is, if a platform put that into its name, or a student did (``jane_ex06.py``)."""
    for pattern in PLATFORMS:
        if found := pattern.fullmatch(name):
            its = found.groupdict()
            number, when = its.get("attempt") or "", _moment(its.get("attempt") or its.get("date") or "")
            attempt = int(when) if when else int(number or 0)
            return Owner(its["student"].strip(), its.get("id") or "", attempt, bool(its.get("late")), when)
    if not is_file:
        found = CLASSROOM.fullmatch(name)
        return Owner(found["student"]) if found else None
    found = PREFIXED.fullmatch(name)
    if found and not COPY_OF.match(name) and not COPY_OF.match(f"{found['student']} "):
        return Owner(found["student"].strip())
    return None


def _moment(text: str) -> float:
    """When that was, in local time: ``2026-10-01-12-30-00`` of Blackboard, ``Oct 1, 2026 1230 PM`` of Brightspace."""
    for form in ("%Y-%m-%d-%H-%M-%S", "%b %d, %Y %I%M %p"):
        try:
            return datetime.strptime(text, form).timestamp()
        except ValueError:
            continue
    return 0.0


def own_name(name: str) -> str:
    """A file's name without what a platform put before it."""
    for pattern in PLATFORMS:
        found = pattern.fullmatch(name)
        if found and found.groupdict().get("file"):
            return found["file"]
    return name
