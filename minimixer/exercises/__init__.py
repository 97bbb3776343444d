"""Exercises for students, and a checker that explains why an answer is wrong.

Files under ``student/`` are generated from ``lessons/exercises/``: change those and run ``lessons/exercises/build.py``.
To add an exercise, write ``definitions/exNN_name.py`` and ``lessons/exercises/exNN_name.py``.
"""

from minimixer.exercises.checker import check

__all__ = ["check"]
