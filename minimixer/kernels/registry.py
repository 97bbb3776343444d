"""Until the rooms above have moved."""
from contextlib import contextmanager

from minimixer.ops.registry import use


def fast(*_):
    return lambda f: f


def choose(reference, xp):
    from minimixer.ops.registry import choose
    return choose(reference, xp, None)


def reference_of(op):
    return op


@contextmanager
def compiled_loops(wanted=True):
    with use("compiled" if wanted else "inplace") as w:
        yield w == "compiled"
