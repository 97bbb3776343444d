"""The exercises, one module each; ``load`` finds them by name."""

import importlib
import pkgutil

from minimixer.errors import UsageError
from minimixer.exercises.task import Exercise

MODULES = {module.name[:4]: module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("ex")}


def names() -> list[str]:
    """All exercises: ``ex01``, ``ex02``, ..."""
    return sorted(MODULES)


def load(name: str) -> Exercise:
    """The exercise called ``ex06``, or ``ex6``, or ``6``, or ``ex06_layernorm``.  Raises UsageError."""
    digits = name.removeprefix("ex")
    number = f"ex{int(digits):02d}" if digits.isdecimal() else name
    short = number[:4]
    if short not in MODULES or number not in (short, MODULES[short]):
        raise UsageError(f"there is no exercise {name!r}: expected one of {', '.join(names())}; "
                         "`minimixer exercises list` describes them")
    exercise: Exercise = importlib.import_module(f"{__name__}.{MODULES[short]}").EXERCISE
    return exercise
