"""Answers for testing the checker: right answers, untouched student files, and wrong answers (mutants)."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lessons.exercises.build import source, student_version
from minimixer.exercises.checker import answer, check_task
from minimixer.exercises.definitions import load, names

MUTANTS = Path(__file__).parents[1] / "exercises" / "mutants"


@dataclass(frozen=True)
class Mutant:
    """A plausible wrong answer: a file of functions that replace the right ones."""

    path: Path
    diagnosis: str          # the expected diagnosis
    bug: str                # what is wrong, in words

    @property
    def exercise(self):
        return self.path.parent.name

    @property
    def code(self):
        """A whole submission: the right answer, overridden by the wrong functions."""
        mutant = self.path.read_text()
        exercise = load(self.exercise)
        lines = [source(self.exercise), mutant]
        for task in exercise.tasks:
            class_name, _, function = task.function.rpartition(".")
            if class_name and re.search(rf"^def {function}\(", mutant, re.MULTILINE):
                lines.append(f"{class_name}.{function} = staticmethod({function})")
        return "\n".join(lines) + "\n"

    @property
    def tasks(self):
        """The tasks that are wrong."""
        mutant = self.path.read_text()
        return [task for task in load(self.exercise).tasks
                if re.search(rf"^def {task.function.split('.')[-1]}\(", mutant, re.MULTILINE)]


@cache
def mutants():
    found = []
    for path in sorted(MUTANTS.glob("ex*/*.py")):
        first, second = path.read_text().splitlines()[:2]
        assert first.startswith("# diagnosis: "), path
        assert second.startswith("# bug: "), path
        found.append(Mutant(path, first.removeprefix("# diagnosis: "), second.removeprefix("# bug: ")))
    return found


def run(code, exercise):
    """Check all tasks in this process and return their results."""
    namespace = {}
    exec(compile(code, f"<{exercise}>", "exec"), namespace)
    found = {task.name: answer(task.function, namespace) for task in load(exercise).tasks}
    return [check_task(task, found[task.name], found) for task in load(exercise).tasks]


__all__ = ["Mutant", "load", "mutants", "names", "run", "source", "student_version"]
