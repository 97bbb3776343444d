"""Every error that a user can fix; a command turns it into one sentence and an exit code."""

import contextlib
import difflib
import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

from minimixer.text import printable

OK, FAILURE, USAGE, DATA, DIVERGED = 0, 1, 2, 3, 4          # exit codes; 128 + number after a signal
LONGEST = 8000      # characters of a message


class MinimixerError(Exception):
    """Something that a user can fix; the message says what is wrong, what was expected and what to do."""

    exit_code = FAILURE

    def __str__(self) -> str:
        """The message; text of others in it cannot control the terminal."""
        return printable(super().__str__(), LONGEST, lines=True)


class UsageError(MinimixerError, ValueError):
    """A command line or a configuration is invalid."""

    exit_code = USAGE


class RunError(MinimixerError):
    """A run cannot start or continue; the message says why and what to do."""


class DivergedError(RunError):
    """The loss is no longer a finite number."""

    exit_code = DIVERGED


ADVICE = {
    **dict.fromkeys(("ENOSPC", "EDQUOT"), "make room there"),
    **dict.fromkeys(("EACCES", "EPERM"), "change its permissions, or choose another place"),
    "EFBIG": "raise the limit on the size of files (ulimit -f), or choose another disk",
    "EROFS": "that disk is mounted read-only, so choose another place",
    "ENOENT": "check the path",
    "ENOTDIR": "a part of the path is a file; check the path",
    "EISDIR": "expected a file; check the path",
    "ENAMETOOLONG": "choose a shorter name",
    **dict.fromkeys(("EMFILE", "ENFILE"), "raise the limit of open files (ulimit -n), or close other programs"),
    "EAGAIN": "raise the limit of processes (ulimit -u), or end other programs",
    "EIO": "the disk or the terminal does not answer anymore",
    "ESTALE": "the network disk has lost it; look at the folder again",
}


def explain(error: OSError) -> str:
    """What the system refused, and what to do about exactly that; without a guess where the cause is not known."""
    advice = ADVICE.get(errno.errorcode.get(error.errno or 0, ""))
    return f"{error}: {advice}" if advice else str(error) or type(error).__name__


def run_command(name: str, command: Callable[[], int]) -> int:
    """Run a command and return its exit code; an error that a user can fix becomes one sentence, not a traceback."""
    if hasattr(sys.stdout, "reconfigure"):      # characters that the terminal cannot show are printed as escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    code, problem = FAILURE, ""
    try:
        try:
            code = command()
        except SystemExit as leaving:           # from tyro, which has explained why
            code = int(leaving.code or OK)
        if sys.stdout is not None:              # as in a daemon
            sys.stdout.flush()                  # a closed pipe shows here, not while Python shuts down
    except MinimixerError as error:
        code, problem = error.exit_code, str(error)
    except MemoryError as error:
        code, problem = FAILURE, f"there is not enough memory ({error}): try smaller batches or a smaller model"
    except BrokenPipeError:                     # the reader, such as head, has read enough; Rich ends like this too
        code = FAILURE
    except OSError as error:
        code, problem = FAILURE, explain(error)
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        code, problem = FAILURE, ("the system allows no more threads: raise the limit (ulimit -u), end other programs, "
                                  "or compute with fewer --workers")
    except KeyboardInterrupt:
        code, problem = 128 + signal.SIGINT, "interrupted"
    if problem:
        with contextlib.suppress(OSError, ValueError):
            print(f"minimixer {name}".rstrip() + f": {problem}", file=sys.stderr)
    settle(sys.stdout)
    settle(sys.stderr)
    return code


def settle(stream: TextIO | None) -> None:
    """Write what a stream still holds; where that fails, let it go to nowhere, or Python would complain at its end."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):          # not every stream is a file
            os.dup2(nowhere := os.open(os.devnull, os.O_WRONLY), stream.fileno())
            os.close(nowhere)


def open_standard_streams() -> None:
    """Open what was closed of stdin, stdout and stderr at the start of the process, to nowhere.

    Otherwise the next file of a run would be opened as number 1 or 2, and whatever a library prints would end in it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(opened := os.open(os.devnull, os.O_RDWR), number)
            if opened != number:
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, errors="backslashreplace", closefd=False))   # noqa: SIM115


def flag(name: str) -> str:
    """The command-line spelling of an option: ``--max-steps`` for ``max_steps``."""
    return "--" + name.replace("_", "-")


def command_line(*words: object) -> str:
    """A command that can be pasted into a shell as it is printed: ``command_line("rm", path)`` quotes the path."""
    return shlex.join(str(word) for word in words)


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say after an unknown name: the closest known name, or all of them."""
    close = difflib.get_close_matches(name, known := list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
