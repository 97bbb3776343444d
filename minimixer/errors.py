"""Every error that a user can fix; a command turns it into one sentence and an exit code."""

import difflib
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable

OK, FAILURE, USAGE, DATA, DIVERGED = 0, 1, 2, 3, 4          # exit codes; 128 + number after a signal


class MinimixerError(Exception):
    """Something that a user can fix; the message says what is wrong, what was expected and what to do."""

    exit_code = FAILURE


class UsageError(MinimixerError, ValueError):
    """A command line or a configuration is invalid."""

    exit_code = USAGE


class RunError(MinimixerError):
    """A run cannot start or continue; the message says why and what to do."""


class DivergedError(RunError):
    """The loss is no longer a finite number."""

    exit_code = DIVERGED


def run_command(name: str, command: Callable[[], int]) -> int:
    """Run a command and return its exit code; an error that a user can fix becomes one sentence, not a traceback."""
    if hasattr(sys.stdout, "reconfigure"):      # characters that the terminal cannot show are printed as escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = command()
        if sys.stdout is not None:              # as in a daemon
            sys.stdout.flush()                  # a closed pipe shows here, not while Python shuts down
        return code
    except MinimixerError as error:
        print(f"minimixer {name}: {error}", file=sys.stderr)
        return error.exit_code
    except MemoryError as error:
        print(f"minimixer {name}: there is not enough memory ({error}): try smaller batches or a smaller model",
              file=sys.stderr)
    except BrokenPipeError:                     # the reader, such as head, has read enough; Rich ends like this too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still in the buffer
    except OSError as error:
        print(f"minimixer {name}: {error}: check the free disk space and the permissions of the folder",
              file=sys.stderr)
    except SystemExit as leaving:               # from tyro, which has explained why
        return int(leaving.code or OK)
    except KeyboardInterrupt:
        print(f"minimixer {name}: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return FAILURE


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
