"""What the benchmarks say: tables, and the machine they ran on."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from statistics import median
from typing import Any

from minimixer import nn
from minimixer.parallel.host import cpu_name, physical_cores


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A Markdown table with aligned columns, the first ``text_columns`` to the left and numbers to the right."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    left = [i < text_columns for i in range(len(header))]
    rule = ["-" * (width - 1) + ("-" if start else ":") for width, start in zip(widths, left, strict=True)]
    lines = [[cell.ljust(width) if start else cell.rjust(width)
              for cell, width, start in zip(line, widths, left, strict=True)] for line in (header, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> dict[str, Any]:
    """Processor, cores, versions and date."""
    from threadpoolctl import threadpool_info

    from minimixer.bench.peers import versions
    return {
        "processor": cpu_name(),
        "physical_cores": physical_cores(), "logical_cores": os.cpu_count(),
        "system": platform.platform(), "python": platform.python_version(), **versions(),
        "blas": [{key: pool.get(key) for key in ("internal_api", "version", "architecture", "threading_layer")}
                 for pool in threadpool_info() if pool["user_api"] == "blas"],
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        "date": date.today().isoformat()}


def describe(machine: dict[str, Any]) -> str:
    """The machine in one sentence."""
    blas = ", ".join(f"{b['internal_api']} {b['version']} ({b['architecture']})" for b in machine["blas"])
    packages = ", ".join(f"{label} {machine[name]}" for label, name in
                         (("Python", "python"), ("NumPy", "numpy"), ("Numba", "numba"), ("PyTorch", "torch"),
                          ("JAX", "jax"))
                         if machine[name])
    return (f"{machine['processor']}, {machine['physical_cores']} cores; {packages}; {blas}; "
            f"{machine['date']}")


def flops_per_image(config: nn.MixerConfig, train: bool) -> int:
    """Two a multiplication of the Linear products, forward; three times as many with the way back."""
    return (6 if train else 2) * nn.trace(nn.MlpMixer(config, seed=None)).macs


def speeds(cell: dict[str, Any]) -> dict[str, float]:
    """Images per second of every contender of a cell: of the median round."""
    return {name: cell["batch"] / median(sample["seconds"] for sample in samples)
            for name, samples in cell["samples"].items()}


def race_table(cells: Sequence[dict[str, Any]], contenders: Sequence[str]) -> str:
    """Images per second; how much faster minimixer is than its best peer; what it reaches of the roofline."""
    from minimixer.bench.peers import OURS
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
    """MB above what each library holds before a model is built."""
    rows = [[cell["size"], str(cell["batch"]), cell["mode"],
             *(f"{cell['bytes'][name] / 1e6:,.0f}" if name in cell["bytes"] else "failed" for name in contenders)]
            for cell in cells]
    return table(["size", "batch", "mode", *contenders], rows, 3)


def failures(cells: Sequence[dict[str, Any]]) -> list[str]:
    """One line a failure."""
    return [f"{name}, {cell['size']}, batch {cell['batch']}, {cell['mode']}: {reason}"
            for cell in cells for name, reason in cell["failures"].items()]
