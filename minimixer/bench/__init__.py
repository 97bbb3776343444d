"""minimixer beside its peers on one machine, each in a process of its own.  Start with ``race.py``.

Every speed is a ratio measured in one run, interleaved.  A change here changes published figures: measure them again
and update docs/benchmarks.md.
"""
