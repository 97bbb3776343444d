"""Measure every form of every op, and write the tables into the README.md of their folders.

``python -m tests.support.ladder [OP...] [--write]``.  Shapes are those of a shard of 16 images in the micro Mixer,
float32, forward and backward.  On the CPU: median time of one thread, forms interleaved, and the most memory allocated
on top of the inputs.  For a GPU, counted on the stand-in: kernels started, and megabytes read and written per image.
"""

import argparse
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import minimixer
from minimixer import backend, nn
from minimixer.ops import registry
from tests.support import count, standin
from tests.support.emulator import use_emulator

PACKAGE = Path(minimixer.__file__).parent
BEGIN, END = "<!-- measured -->", "<!-- end -->"
SHAPES = {                      # per image; weights behind the semicolon
    "GELU": [(64, 512)], "GELUErf": [(64, 512)], "LayerNorm": [(64, 128), ";", (128,), (128,)],
    "Linear": [(64, 128), ";", (128, 512), (512,)], "MatMul": [(4, 64, 32), (4, 32, 64)], "CrossEntropy": [(10,)]}
OPTIONS = {"LayerNorm": {"eps": 1e-6}, "CrossEntropy": {"label_smoothing": 0.1}}


def inputs(name, images):
    """Arrays for an op, or for an update rule those of all parameters of micro."""
    rng = np.random.default_rng(0)
    if name in SHAPES:
        shared, arrays = False, []
        for shape in SHAPES[name]:
            if shape == ";":
                shared = True
            else:
                arrays.append(rng.standard_normal(shape if shared else (images, *shape), np.float32))
        return arrays + ([rng.integers(0, 10, images)] if name == "CrossEntropy" else [])
    params = [p.data for p in nn.mixer("micro").parameters()]
    return [[rng.standard_normal(p.shape, np.float32) for p in params] for _ in range(4)]


def work(op, form, xp, given):
    """A call of a form, forward and backward, on these arrays."""
    name, run = op.__name__, registry.load(op, form)
    if name == "adamw":
        options = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "step": 10}
        p, g, m, v = given
        return lambda: run(xp, p, g, m, v, None, weight_decays=[0.1] * len(p), **options)
    if name == "muon":
        p, g, m, _ = ([a for a in arrays if a.ndim == 2][1:-1] for arrays in given)
        options = {"lr": 1e-3, "momentum": 0.95, "nesterov": True, "map": map}
        return lambda: run(xp, p, g, m, None, weight_decays=[0.1] * len(p), **options)
    if name == "norm_and_factor":
        return lambda: run(xp, given[0], 1.0)
    if name == "average":
        return lambda: run(xp, given[0], given[1], 0.01)

    def both():
        y, saved = run.forward(xp, *given, **OPTIONS.get(name, {}))
        gy = xp.ones_like(y) if y.ndim == 0 else y
        return run.backward(xp, gy, *saved)
    return both


def on_cpu(op, forms, images=16, rounds=25):
    """Form -> median milliseconds and peak megabytes."""
    given = inputs(op.__name__, images)
    if op.__name__ == "adamw":
        given[3] = [np.abs(a) for a in given[3]]
    calls = {form: work(op, form, np, given) for form in forms}
    times = {form: [] for form in forms}
    with threadpool_limits(1, user_api="blas"):
        for call in calls.values():
            call()                                      # compiles
        for _ in range(rounds):
            for form, call in calls.items():
                start = time.perf_counter()
                call()
                times[form].append(time.perf_counter() - start)
        peaks = {}
        for form, call in calls.items():
            tracemalloc.start()
            call()
            peaks[form] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    return {form: (1e3 * statistics.median(times[form]), peaks[form] / 1e6) for form in forms}


def on_standin(op, form, images=2):
    """Kernels, and megabytes moved per image; for update rules in all, None where a kernel finds arrays by address."""
    given = inputs(op.__name__, images)
    if op.__name__ == "adamw":
        given[3] = [np.abs(a) for a in given[3]]

    def there(x):
        return [there(a) for a in x] if isinstance(x, list) else backend.to_device(x, "standin")

    calls, _ = count.of(work(op, form, standin.xp, there(given)))
    moved = sum(map(count.moved, calls)) / 1e6
    if op.__name__ in SHAPES:
        return len(calls), moved / images
    return len(calls), None if form == "cuda" else moved


def table(op):
    """The rows of an op, as Markdown."""
    offered = registry.offers()[op]
    host = ["reference", *(form for form in ("inplace", "compiled") if form in offered
                           and (form != "compiled" or registry.numba_problem() is None))]
    cpu = on_cpu(op, host)
    gpu = {form: on_standin(op, form) for form in ("reference", "cuda") if form == "reference" or form in offered}
    lines = [f"`{op.__name__}`", "", "| form | ms | MB allocated | kernels on a GPU | MB moved on a GPU |",
             "| --- | ---: | ---: | ---: | ---: |"]
    for form in [*host, *(form for form in gpu if form not in host)]:
        ms, peak = (f"{cpu[form][0]:.2f}", f"{cpu[form][1]:.1f}") if form in cpu else ("", "")
        kernels, moved = gpu.get(form, ("", None))
        moved = "" if moved is None else f"{moved:.2f}"
        lines.append(f"| `{form}` | {ms} | {peak} | {kernels} | {moved} |")
    return "\n".join(lines)


def main():
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("ops", nargs="*", help="names of ops; by default all")
    parser.add_argument("--write", action="store_true", help="write the tables into README.md")
    asked = parser.parse_args()
    folders = {}
    for op in registry.offers():
        folders.setdefault(Path(*op.__module__.split(".")[1:-1]), []).append(op)
    with tempfile.TemporaryDirectory() as kernels, pytest.MonkeyPatch.context() as patch:
        use_emulator(patch, Path(kernels))
        for folder, ops in folders.items():
            if folder.parts[0] == "data" or (asked.ops and not {op.__name__ for op in ops} & set(asked.ops)):
                continue
            text = "\n\n".join(table(op) for op in ops)
            print(f"\n{folder}\n\n{text}")
            readme = PACKAGE / folder / "README.md"
            if asked.write:
                before, _, rest = readme.read_text().partition(BEGIN)
                readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
