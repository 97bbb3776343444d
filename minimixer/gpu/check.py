"""Whether every form for CuPy computes on this GPU what its reference computes on the CPU, before anybody uses it.

A form that differs is not used.  What was found is kept in the cache folder, for this GPU, its driver, CuPy and the
sources of the kernels, so that only the first process pays.
"""

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minimixer.backend import Array, Device
from minimixer.data.places import cache_folder
from minimixer.data.randaugment.reference import OPERATIONS, change
from minimixer.files import json_text, read_json, write_atomically
from minimixer.ops import registry
from minimixer.ops.cross_entropy import CrossEntropy
from minimixer.ops.gelu import GELU, GELUErf
from minimixer.ops.layernorm import LayerNorm
from minimixer.ops.linear import Linear
from minimixer.ops.matmul import MatMul
from minimixer.optim.adamw import adamw
from minimixer.optim.clip import norm_and_factor
from minimixer.optim.ema import average
from minimixer.optim.muon import muon
from minimixer.version import __version__

TOLERANCE = 2e-5        # of the largest number of a result, in float32
FILE = "gpu-check.json"
PACKAGE = Path(__file__).parents[1]


class Trial(NamedTuple):
    """What to give to all forms of an op: host arrays, and a function from a form, a module and arrays to results."""

    reference: Any
    arrays: list[np.ndarray]
    work: Callable[..., list[Array]]


def both_directions(*options: Any) -> Callable[..., list[Array]]:
    """Results of an op's forward pass and of its backward pass, given the inputs and, last, the gradient of y."""
    def work(form: Any, xp: Any, arrays: list[Array]) -> list[Array]:
        y, saved = form.forward(xp, *arrays[:-1], *options)
        gradients = form.backward(xp, arrays[-1], *saved)
        return [y, *(g for g in (gradients if isinstance(gradients, tuple) else [gradients]) if g is not None)]
    return work


def trials() -> list[Trial]:
    """Every op and rule that has a form for CuPy, on shapes that fill no block evenly; twice where layouts matter."""
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    def swapped(batch: int, rows: int, columns: int) -> np.ndarray:
        return numbers(batch, columns, rows).swapaxes(1, 2)

    def adam(form: Any, xp: Any, arrays: list[Array]) -> list[Array]:
        p, g, m, v = arrays[:2], arrays[2:4], arrays[4:6], arrays[6:]
        form(xp, p, g, m, v, None, weight_decays=[0.1, 0.0], lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, step=2)
        return [*p, *m, *v]

    def orthogonal(form: Any, xp: Any, arrays: list[Array]) -> list[Array]:
        p, g, m = arrays[:3], arrays[3:6], arrays[6:]
        form(xp, p, g, m, None, weight_decays=[0.1, 0.0, 0.1], lr=0.1, momentum=0.95, nesterov=True, map=map)
        return [*p, *m]

    def averaged(form: Any, xp: Any, arrays: list[Array]) -> list[Array]:
        form(xp, arrays[:2], arrays[2:], 0.3)
        return arrays[:2]

    pair = [numbers(300, 7), numbers(5000)]
    images = rng.integers(0, 256, (2 * len(OPERATIONS), 13, 17, 3), np.uint8)
    chosen, strength = np.arange(len(images)) % len(OPERATIONS), rng.uniform(-1, 1, len(images))
    return [
        *(Trial(op, [x, gy], both_directions()) for op in (GELU, GELUErf)
          for x, gy in [(numbers(7, 301), numbers(7, 301)), (swapped(3, 33, 20), numbers(3, 33, 20))]),
        *(Trial(LayerNorm, [numbers(n, c), numbers(c), numbers(c), numbers(n, c)], both_directions(1e-6))
          for n, c in [(1100, 70), (3, 1025)]),
        *(Trial(Linear, [x, numbers(20, 34), numbers(34), numbers(*x.shape[:-1], 34)], both_directions())
          for x in (numbers(67, 20), swapped(3, 33, 20))),
        *(Trial(MatMul, [a, b, numbers(*a.shape[:-1], b.shape[-1])], both_directions())
          for a, b in [(numbers(67, 20), numbers(20, 34)), (swapped(3, 33, 20), numbers(3, 20, 34))]),
        Trial(CrossEntropy, [numbers(70, 33), rng.integers(0, 33, 70), np.array(0.7, np.float32)],
              both_directions(0.1)),
        Trial(adamw, [*pair, *map(np.sin, pair), *map(np.cos, pair), *map(np.abs, pair)], adam),
        Trial(muon, [numbers(*shape) for _ in range(3) for shape in [(20, 33), (33, 20), (20, 33)]], orthogonal),
        Trial(norm_and_factor, pair, lambda form, xp, arrays: list(form(xp, arrays, 1.0))),
        Trial(average, [*pair, *map(np.sin, pair)], averaged),
        Trial(change, [images], lambda form, xp, arrays: [form(arrays[0], chosen, strength)])]


def name_of(reference: Any) -> str:
    """What messages call an op or a rule."""
    return str(reference.__name__)


def problem_of(trial: Trial, device: Device) -> str | None:
    """What is wrong with the form for CuPy in a trial; None if it agrees with the reference."""
    exact = trial.work(trial.reference, np, [a.astype(np.float64) if a.dtype.kind == "f" else a.copy()
                                             for a in trial.arrays])
    try:
        given = []
        for array in trial.arrays:      # as it lies
            transposed = array.ndim > 1 and not array.flags.c_contiguous
            there = device.to_device(np.ascontiguousarray(array.swapaxes(-1, -2) if transposed else array))
            given.append(there.swapaxes(-1, -2) if transposed else there)
        found = [device.to_numpy(a) for a in trial.work(registry.load(trial.reference, "cuda"), device.xp, given)]
    except Exception as error:          # whatever a compiler, a driver or a library raises
        return f"fails ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'})"
    for ours, theirs in zip(found, exact, strict=True):
        largest = max(float(np.abs(theirs).max()), 1e-3)
        worst = float(np.abs(ours.astype(np.float64) - theirs).max()) / largest
        if not worst <= TOLERANCE:
            return f"differs from its reference by {worst:.0e} of the largest number"
    return None


def faults(device: Device) -> dict[str, str]:
    """The ops whose form for CuPy is wrong on a device, and what is wrong with each."""
    found: dict[str, str] = {}
    for trial in trials():
        name = name_of(trial.reference)
        if name not in found and (problem := problem_of(trial, device)):
            found[name] = problem
    return found


def key(device: Device) -> str:
    """What the result depends on: the GPU, its driver, CuPy, and the sources of all forms."""
    sources = hashlib.sha256()
    for path in sorted([*PACKAGE.glob("ops/*.cu*"), *PACKAGE.glob("*/*/kernel.cu"), *PACKAGE.glob("*/*/cuda.py"),
                        PACKAGE / "ops/cuda.py", PACKAGE / "ops/cublas.py", Path(__file__)]):
        sources.update(path.read_bytes())
    runtime = device.xp.cuda.runtime
    return (f"{device.model()}; driver {runtime.driverGetVersion()}, CUDA {runtime.runtimeGetVersion()}, "
            f"CuPy {device.xp.__version__}, minimixer {__version__} {sources.hexdigest()[:16]}")


def kept(path: Path) -> dict[str, dict[str, str]]:
    """What the cache file says, by ``key``; nothing if it is missing or damaged."""
    try:
        content = read_json(path)
        return {str(about): {str(name): str(why) for name, why in found.items()} for about, found in content.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def check(device: Device) -> Mapping[str, str]:
    """The faults of a device, found now or by an earlier process; warns, and from now on does not use these forms."""
    folder = cache_folder()
    path = Path(folder, FILE) if folder else None
    about = key(device)
    known = kept(path) if path else {}
    if about not in known:
        known[about] = faults(device)
        if path:
            with contextlib.suppress(OSError):          # then the next process checks again
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, json_text(known, indent=1).encode())
    for reference in registry.offers():
        if why := known[about].get(name_of(reference)):
            registry.refuse(reference, "cuda", why)
            warnings.warn(f"on {device.model()}, the fast form of {name_of(reference)} {why}: it runs as its reference "
                          "is written", RuntimeWarning, stacklevel=3)
    return known[about]
