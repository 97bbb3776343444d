"""Due dates, and what late work costs."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from minimixer.errors import UsageError
from minimixer.exercises.definitions import load

RULE = re.compile(r"(?P<percent>\d+(?:\.\d+)?)%/(?P<unit>day|hour)(?:,max=(?P<most>\d+(?:\.\d+)?)%)?")
SECONDS = {"day": 86400, "hour": 3600}
UNKNOWN = -1.0          # late by the platform's mark, nobody knows by how much


@dataclass(frozen=True)
class Late:
    """Due dates and the rule for late work.

    Parameters
    ----------
    due : mapping of str to float
        Exercise to seconds since 1970; ``""`` is for all others.
    rule : str
        Empty: late work is only marked.  ``reject``: no points.  ``10%/day``, ``5%/hour,max=50%``: each day or hour
        that has begun costs this part of the points.
    """

    due: Mapping[str, float] = field(default_factory=dict)
    rule: str = ""

    def by(self, exercise: str, modified: float, marked: bool) -> float:
        """By how many seconds a file is late: 0 if it is not, UNKNOWN if only a platform's mark says so."""
        due = self.due.get(exercise, self.due.get(""))
        seconds = max(0.0, math.floor(modified) - due) if due is not None else 0.0
        return seconds or (UNKNOWN if marked else 0.0)

    def keeps(self, seconds: float) -> float:
        """The part of the points that work so late keeps."""
        if not seconds or not self.rule:
            return 1.0
        if self.rule == "reject":
            return 0.0
        found = RULE.fullmatch(self.rule)
        assert found is not None
        units = max(1, math.ceil(seconds / SECONDS[found["unit"]]))
        lost = min(units * float(found["percent"]), float(found["most"] or 100))
        return max(0.0, 1 - lost / 100)


def read_late(due: Sequence[str], rule: str) -> Late:
    """The due dates and the rule of a command line.  Raises UsageError.

    Parameters
    ----------
    due : sequence of str
        ``2026-10-09T23:59``, for one exercise ``ex06=2026-10-09T23:59``; without an offset it is local time.
    rule : str
    """
    dates = {}
    for text in due:
        exercise, _, date = text.rpartition("=")
        try:
            moment = datetime.fromisoformat(date)
        except ValueError:
            raise UsageError(f"--due {text}: expected a date such as 2026-10-09T23:59, or ex06=2026-10-09T23:59"
                             ) from None
        if "T" not in date and " " not in date:
            moment = moment.replace(hour=23, minute=59, second=59)          # the whole day
        dates[load(exercise).id if exercise else ""] = moment.timestamp()
    if rule and not dates:
        raise UsageError("--late has no effect without --due: name the due date, or leave it out")
    if rule and rule != "reject" and not RULE.fullmatch(rule):
        raise UsageError(f"--late {rule}: expected reject, 10%/day or 5%/hour, also with a limit: 10%/day,max=50%")
    return Late(dates, rule)


def said(seconds: float) -> str:
    """How late that is, in words; empty if it is not."""
    if seconds == UNKNOWN:
        return "late"
    minutes = math.ceil(seconds / 60)
    days, hours = divmod(minutes // 60, 24)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes % 60, "min")) if n][:2]
    return f"{' '.join(parts)} late" if parts else ""
