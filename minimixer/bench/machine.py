"""The machine that a benchmark runs on: processor, cores, versions, BLAS and load."""

import importlib.metadata
import os
import platform
from datetime import date
from typing import Any

from minimixer.parallel.host import cpu_name, physical_cores


def versions() -> dict[str, str | None]:
    """Versions of the packages that compute; None for those that are not installed."""
    found: dict[str, str | None] = {}
    for name in ("numpy", "numba", "torch", "jax"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, Any]:
    """Processor, cores, versions, BLAS, load and date."""
    from threadpoolctl import threadpool_info
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
