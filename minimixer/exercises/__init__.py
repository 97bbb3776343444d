"""Exercises for students, and a checker that explains why an answer is wrong.

Files under ``student/`` are generated from ``lessons/exercises/``: change those and run ``lessons/exercises/build.py``.
To add an exercise, write ``definitions/exNN_name.py`` and ``lessons/exercises/exNN_name.py``.

A file on its way to a verdict: ``collect/`` finds it, ``source.py`` and ``answers/`` read it, ``process.py`` starts
``worker.py``, which runs it (``answers/reader.py``) behind ``fence.py`` and ``guard.py``; ``checker.py`` asks the
worker over ``wire.py`` and judges here, ``diagnose.py`` says why; ``grading.py`` does so for a class, ``grade.py``
for the command; ``show/`` and ``formats.py`` write what people read.  ``turns.py`` checks the small answers that a
lesson asks for.
"""

from minimixer.exercises.checker import check
from minimixer.exercises.turns import turn

__all__ = ["check", "turn"]
