"""Exercises for students, and a checker that explains why an answer is wrong.

To add an exercise, write ``definitions/exNN_name.py`` and ``lessons/exercises/exNN_name.py``.
"""

from minimixer.exercises.checker import check

__all__ = ["check"]
