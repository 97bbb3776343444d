"""Exercises for students, and the grader that says why an answer is wrong."""

from minimixer.exercises.checker import check

__all__ = ["check"]
