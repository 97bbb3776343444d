"""The tables of the benchmarks, as Markdown."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from minimixer import nn

OURS = {"minimixer", "numpy"}         # the contenders that are not peers


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A Markdown table; the first ``text_columns`` columns are aligned left, the others right."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    left = [i < text_columns for i in range(len(header))]
    rule = ["-" * (width - 1) + ("-" if start else ":") for width, start in zip(widths, left, strict=True)]
    lines = [[cell.ljust(width) if start else cell.rjust(width)
              for cell, width, start in zip(line, widths, left, strict=True)] for line in (header, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def flops_per_image(config: nn.MixerConfig, train: bool) -> int:
    """Operations per image, two per multiply-add of the matrix products; backward costs twice the forward pass."""
    return (6 if train else 2) * nn.trace(nn.MlpMixer(config, seed=None)).macs


def speeds(cell: dict[str, Any]) -> dict[str, float]:
    """Images per second of every contender in the median round."""
    return {name: cell["batch"] / median(sample["seconds"] for sample in samples)
            for name, samples in cell["samples"].items()}


def race_table(cells: Sequence[dict[str, Any]], contenders: Sequence[str]) -> str:
    """Images per second, the ratio of minimixer to its best peer, and its share of the roofline."""
    rows = []
    for cell in cells:
        speed = speeds(cell)
        ours, best = speed.get("minimixer"), max((s for name, s in speed.items() if name not in OURS), default=None)
        share = ours and ours * cell["flops_per_image"] / 1e9 / median(cell["roofline"])
        rows.append([cell["size"], str(cell["batch"]), cell["mode"],
                     *(f"{speed[name]:,.0f}" if name in speed else "failed" for name in contenders),
                     f"{ours / best:.2f}" if ours and best else "", f"{100 * share:.0f} %" if share else ""])
    return table(["size", "batch", "mode", *contenders, "ratio", "roofline"], rows, 3)


def memory_table(cells: Sequence[dict[str, Any]], contenders: Sequence[str]) -> str:
    """MB above what each library holds before the model is built."""
    rows = [[cell["size"], str(cell["batch"]), cell["mode"],
             *(f"{cell['bytes'][name] / 1e6:,.0f}" if name in cell["bytes"] else "failed" for name in contenders)]
            for cell in cells]
    return table(["size", "batch", "mode", *contenders], rows, 3)


def failures(cells: Sequence[dict[str, Any]]) -> list[str]:
    """One line per failure."""
    return [f"{name}, {cell['size']}, batch {cell['batch']}, {cell['mode']}: {reason}"
            for cell in cells for name, reason in cell["failures"].items()]
