"""What the commands share: how a command line is read, and where tables are printed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from minimixer.errors import UsageError, flag

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

T = TypeVar("T")
WIDE = 1000         # columns: more than any line needs


@dataclass(frozen=True, kw_only=True)
class Computing:
    """The option of every command that computes for long."""

    blas_tune: bool = True
    """Use OpenBLAS's AVX-512 kernels where the CPU has them; --no-blas-tune keeps those that it chooses itself."""


def parse(options: type[T], name: str, description: str, arguments: Sequence[str] | None,
          default: T | None = None) -> T:
    """The options of ``minimixer NAME`` as the command line gives them; tyro says what is wrong, and exits with 2."""
    import tyro
    return tyro.cli(options, prog=f"minimixer {name}", description=description, default=default or tyro.MISSING_NONPROP,
                    args=sys.argv[1:] if arguments is None else arguments,
                    config=(tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff))


def at_least(lowest: int, **options: int | None) -> None:
    """Raise UsageError for an option whose number is too small."""
    for name, value in options.items():
        if value is not None and value < lowest:
            raise UsageError(f"{flag(name)} is {value}: expected a whole number from {lowest}")


def console() -> "Console":
    """The standard output: as wide as the terminal, or without an end where there is none, so that nothing wraps."""
    from rich.console import Console
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDE
    return console


def show(rows: "Table") -> None:
    """Print a table; elsewhere than on a terminal no line ends in blanks."""
    out = console()
    if out.is_terminal:
        out.print(rows)
        return
    with out.capture() as printed:
        out.print(rows)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def table(*columns: str, show_header: bool = True) -> "Table":
    """An empty table; columns whose names begin with ``>`` are aligned to the right."""
    from rich.table import Table
    empty = Table(show_header=show_header, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        empty.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left",
                         overflow="fold")
    return empty
