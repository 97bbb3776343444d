"""Which options need others, wherever they are given.

An option that would do nothing is refused.  Each class of options names in ``RULES`` when one of its options is idle;
``check`` compares these rules with what the user gave, for all commands and for configurations made in Python.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from minimixer.errors import UsageError, flag


class Rule(NamedTuple):
    """When an option has no effect.

    Parameters
    ----------
    options : tuple of str
        The names of the options' attributes.
    idle : function
        Takes all the options, with ``device`` resolved on a command line, and returns whether these have no effect.
    why : str
        Goes on after "has no effect"; ``{name}`` stands for the value of an option.
    instead : str
        What to change if the option is wanted.
    by_value : bool
        Whether a value other than the default shows that the user gave it.
    """

    options: tuple[str, ...]
    idle: Callable[[Any], bool]
    why: str
    instead: str
    by_value: bool = True


INCLUDED = Rule(("data_dir", "download"), lambda given: given.data == "digits",
                "with --data digits (the digits come with minimixer)", "choose --data cifar10")
THREADS = Rule(("workers",), lambda given: given.device == "gpu",
               "on a GPU (threads share the work of a CPU)", "choose --device cpu")


def rules(options: type) -> list[Rule]:
    """The rules of a class of options, and of the classes it is made of."""
    return [rule for part in options.__mro__ for rule in vars(part).get("RULES", ())]


def check(options: Any, given: Collection[str], known: Sequence[Rule] | None = None) -> None:
    """Raise UsageError for the first option that was given and has no effect.

    Parameters
    ----------
    options
        An object with one attribute per option.
    given : collection of str
        The names of the options that the user gave.  One that is given as None or False asks for nothing, and passes.
    known : sequence of Rule, optional
        By default those of the options' class.
    """
    for rule in rules(type(options)) if known is None else known:
        for name in rule.options:
            value = getattr(options, name, None)
            if name in given and value is not None and value is not False and rule.idle(options):
                raise UsageError(f"{flag(name)} has no effect {rule.why.format(**vars(options))}: leave it out, or "
                                 f"{rule.instead}")


def given_in(arguments: Sequence[str], names: Collection[str]) -> Iterator[str]:
    """The options among ``names`` that a command line gives, once for each time; ``--no-flip`` gives ``flip``."""
    for word in arguments:
        if word.startswith("--"):
            name = word[2:].partition("=")[0].replace("-", "_")
            for positive in (name, name.removeprefix("no_")):
                if positive in names:
                    yield positive
                    break


def check_words(arguments: Sequence[str]) -> None:
    """Raise UsageError for an option that is given twice, and for an empty value, such as that of an unset variable."""
    seen = set()
    for previous, word in zip(["", *arguments], arguments, strict=False):
        if word == "--":                # what follows is for another program
            return
        if word == "" or (word.startswith("--") and word.endswith("=")):
            what = word[:-1] if word else previous if previous.startswith("--") else "an argument"
            raise UsageError(f"{what} is empty: expected a value; a shell variable in the command may not be set")
        if word.startswith("--"):
            name = word[2:].partition("=")[0].replace("_", "-")
            if name.removeprefix("no-") in seen:
                raise UsageError(f"{word.partition('=')[0]} is given twice: give it once")
            seen.add(name.removeprefix("no-"))
