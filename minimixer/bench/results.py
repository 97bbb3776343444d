"""The files that benchmarks write: asked about before anything is measured, and written whole."""

from pathlib import Path
from typing import Any

from minimixer.errors import command_line, flag
from minimixer.files import check_replaceable, json_text, read_json, read_text, write_atomically
from minimixer.plots.style import is_plot


def check_results(benchmark: str, **files: Path | None) -> None:
    """Raise FileRefusedError if a file to write is there and is none of an earlier benchmark.

    Parameters
    ----------
    benchmark : str
    **files
        By their options: ``json``, ``markdown`` and ``plot``.
    """
    ours = {"json": lambda path: "machine" in read_json(path), "plot": is_plot,
            "markdown": lambda path: _mark(benchmark) in read_text(path)}
    for option, path in files.items():
        if path is not None:
            check_replaceable(path, ours[option], f"bench {benchmark}", flag(option))


def write_json(path: Path, content: Any) -> None:
    """Write samples, with the machine that they were measured on.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json_text(content, indent=1, default=str) + "\n").encode())


def write_markdown(path: Path, benchmark: str, text: str) -> None:
    """Write tables.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{text}\n\n{_mark(benchmark)}\n".encode())


def _mark(benchmark: str) -> str:
    return f"Measured by `{command_line('minimixer', 'bench', benchmark)}`."
