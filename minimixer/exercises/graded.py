"""The graded work of one student on one exercise."""

from dataclasses import dataclass

from minimixer.exercises.report import Report


@dataclass(frozen=True)
class Graded:
    """One exercise of one student."""

    student: str
    report: Report
    file: str = ""                  # below the student's folder; empty where there is none
    sha256: str = ""
    printed: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()     # on the file: how it was saved, what was passed over

    @property
    def earned(self) -> int:
        """Points of the exercise, before any rule for late work."""
        return sum(result.earned for result in self.report.results)
