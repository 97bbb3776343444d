"""What commands share: reading a command line, and printing tables."""

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from minimixer.errors import USAGE, MinimixerError, UsageError, flag
from minimixer.files import expand
from minimixer.options import THREADS, Rule, check, check_words, given_in, rules
from minimixer.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

T = TypeVar("T")
WIDE = 1000         # columns: more than any line needs
WIDEST = 300        # characters of a cell


@dataclass(frozen=True, kw_only=True)
class Computing:
    """The option of every command that computes for long; cli.py acts on it before the command starts."""

    blas_tune: bool = True
    """Use OpenBLAS's AVX-512 kernels where the CPU supports them; --no-blas-tune keeps OpenBLAS's own choice."""


@dataclass(frozen=True, kw_only=True)
class Threaded:
    """The option of every command that computes with threads."""

    workers: int | None = None
    """Threads; by default one per physical core."""

    def __post_init__(self) -> None:
        at_least(1, workers=self.workers)


@dataclass(frozen=True, kw_only=True)
class OnDevice(Threaded):
    """The options of every command that runs a trained model."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """auto takes the GPU if there is one."""

    RULES: ClassVar[tuple[Rule, ...]] = (THREADS,)


@cache
def paths() -> Any:
    """How every command reads a path, for ``tyro.cli``: ``~`` is the user's home, also in ``--out=~/x``."""
    import tyro
    registry = tyro.constructors.ConstructorRegistry()

    @registry.primitive_rule
    def rule(kind: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec[Path] | None:
        if kind.type is not Path:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1, metavar="PATH", instance_from_str=lambda words: _home(words[0]),
            is_instance=lambda value: isinstance(value, Path), str_from_instance=lambda path: [str(path)])

    return registry


class _PathError(MinimixerError):
    """A UsageError that is no ValueError: tyro would frame those."""

    exit_code = USAGE


def _home(word: str) -> Path:
    try:
        return expand(word)
    except UsageError as error:
        raise _PathError(str(error)) from error


def parse(options: type[T], name: str, description: str, arguments: Sequence[str], default: T | None = None) -> T:
    """Read the options of ``minimixer NAME``, and refuse those without effect.

    On a mistake tyro explains it and raises SystemExit(2), or UsageError is raised.
    """
    import tyro
    check_words(arguments)
    found = tyro.cli(options, prog=f"minimixer {name}", description=description, args=arguments,
                     default=default or tyro.MISSING_NONPROP, registry=paths(),
                     config=(tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff))
    check_effects(found, list(given_in(arguments, vars(found))), rules(options))
    return found


def check_effects(options: Any, given: Sequence[str], known: Sequence[Rule]) -> None:
    """Raise UsageError for an option that was given and has no effect with the others, on this machine's device."""
    values = types.SimpleNamespace(**vars(options))
    if getattr(options, "device", None) == "auto" and any({*rule.options} & {*given} for rule in known):
        from minimixer.backend import choose_device
        values.device = choose_device("auto")[0]
    check(values, given, known)


def parse_known(options: type[T], name: str, description: str, arguments: Sequence[str],
                add_help: bool = True) -> tuple[T, list[str]]:
    """Read some options of ``minimixer NAME``, and return them with the arguments left over for another parser."""
    import tyro
    check_words(arguments)
    known, rest = tyro.cli(options, prog=f"minimixer {name}", description=description, args=arguments,
                           add_help=add_help, return_unknown_args=True, registry=paths(),
                           config=(tyro.conf.DisallowNone,))
    return known, rest


def run_subcommand(name: str, description: str, arguments: Sequence[str], **functions: Callable[..., int]) -> int:
    """Call the function that ``minimixer NAME SUBCOMMAND`` asks for; its parameters are the options."""
    import tyro
    check_words(arguments)
    with paths():           # tyro 1.0.0 ignores the argument
        return tyro.extras.subcommand_cli_from_dict(
            functions, prog=f"minimixer {name}", description=description, args=list(arguments), registry=paths(),
            config=(tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff))


def at_least(lowest: int, **options: int | None) -> None:
    """Raise UsageError for an option whose number is too small."""
    for name, value in options.items():
        if value is not None and value < lowest:
            raise UsageError(f"{flag(name)} is {value}: expected a whole number from {lowest}")


def console() -> "Console":
    """Standard output: as wide as the terminal, or unlimited in a file or pipe, so that no line wraps there."""
    from rich.console import Console
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDE
    return console


def show(rows: "Table") -> None:
    """Print a table; in a file or pipe, without spaces at the ends of lines."""
    out = console()
    if out.is_terminal:
        out.print(rows)
        return
    with out.capture() as printed:
        out.print(rows)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def table(*columns: str, show_header: bool = True) -> "Table":
    """An empty table; columns whose names start with ``>`` are right-aligned, cells are made printable."""
    from rich.table import Table

    class Printable(Table):
        def add_row(self, *cells: Any, **options: Any) -> None:
            super().add_row(*(printable(cell, WIDEST) if isinstance(cell, str) else cell for cell in cells), **options)

    empty = Printable(show_header=show_header, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        empty.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left",
                         overflow="fold")
    return empty
