"""Where commands print tables: in colour and to fit on a terminal, plain and never wrapped elsewhere."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 1000         # columns: more than any line needs


def console() -> "Console":
    """The standard output, for what ``table`` makes."""
    from rich.console import Console
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDE
    return console


def table(*columns: str, show_header: bool = True) -> "Table":
    """An empty table; columns whose names begin with ``>`` are aligned to the right."""
    from rich.table import Table
    empty = Table(show_header=show_header, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        empty.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left",
                         overflow="fold")
    return empty
