"""The race on a GPU: training steps of minimixer beside PyTorch eager and compiled, on one GPU, at one precision.

``minimixer bench gpu FOLDER`` prints a table and writes FOLDER/gpu.json.  All contenders start from
minimixer's weights and see the same pictures; their losses after three steps must agree.  A time is the median over
rounds in which they take turns, each doing a block of steps between two CUDA events, after warm-up.

Floors: the products of a step at the measured rate of large products, and the bytes that a step must move at the
measured rate of copies (see ``bytes_moved``).
"""

import argparse
import contextlib
import importlib
import json
import math
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import minimixer as mm
from minimixer import files, nn
from minimixer.backend import Precision, choose_device, get_device, set_matmul_precision
from minimixer.bench.gpu_steps import Step, is_recorded, minimixer_step, torch_step
from minimixer.bench.report import flops_per_image
from minimixer.errors import UsageError, run_command
from minimixer.kernels.rates import copy_rate, describe, milliseconds, product_rate

RACES = (("micro", 512), ("B/16", 64))
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32")
KERNELS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {       # without a graph
    "fused": contextlib.nullcontext, "unfused": mm.reference_kernels}


def bytes_moved(config: nn.MixerConfig, batch: int) -> int:
    """Of a training step in float32, at least.

    Every op's result is written and read going forward; going back it is read again, and its gradient is written and
    read.  AdamW reads four arrays a parameter and writes three.
    """
    s, c = config.num_patches, config.hidden_dim
    block = 6 * s * c + 2 * c * config.tokens_mlp_dim + 2 * s * config.channels_mlp_dim
    parameters = nn.MlpMixer(config, seed=None).num_parameters()
    return 4 * (5 * batch * config.num_blocks * block + 7 * parameters)


def race(steps: dict[str, Step], clock: Callable[[Step], float], rounds: int, block: int) -> dict[str, float]:
    """Milliseconds a step of each contender: the median of the rounds.  Raises UsageError if their losses differ.

    A contender that fails is taken out of ``steps``, except minimixer.
    """
    losses = {}
    for name, step in list(steps.items()):
        try:
            losses[name] = [float(step()) for _ in range(3)][-1]
        except Exception as error:              # a compiler that is not there, say: the others race on
            if name == "minimixer":
                raise
            print(f"{name} does not take part: {type(error).__name__}: {error}")
            del steps[name]
    if not all(math.isclose(loss, losses["minimixer"], rel_tol=2e-2) for loss in losses.values()):
        raise UsageError(f"the contenders do not do the same work, their third losses are {losses}")

    def repeated(step: Step) -> Step:
        return lambda: [step() for _ in range(block)]

    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(clock(repeated(step)) / block)
    return {name: statistics.median(t) for name, t in times.items()}


def launches(torch: Any, step: Step) -> int | None:
    """Kernels that one step starts, as CUDA's own profiler counts them; None without it.

    Afterwards everything is slower (the profiler stays attached), and it fails on graphs that it did not see recorded.
    """
    step()
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            step()
            torch.cuda.synchronize()
    except Exception:
        return None
    return sum(event.device_type == torch.autograd.DeviceType.CUDA and not event.name.startswith(("Memcpy", "Memset"))
               for event in profile.events())


def import_torch() -> Any:
    """PyTorch, if it is installed and sees the GPU."""
    with contextlib.suppress(ImportError):
        torch = importlib.import_module("torch")
        return torch if torch.cuda.is_available() else None
    return None


def free_memory(cupy: Any, torch: Any) -> None:
    """Let the next contender have what the last ones held."""
    cupy.get_default_memory_pool().free_all_blocks()
    if torch is not None:
        torch.cuda.empty_cache()


def measure(rounds: int, block: int, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Everything, as one JSON object; ``keep`` gets what there is after every race."""
    cupy, torch = get_device("gpu").xp, import_torch()
    rates: dict[str, Any] = {precision: product_rate(cupy, precision) for precision in PRECISIONS}
    rates["copy"] = copy_rate(cupy)
    versions = {"python": platform.python_version(), "minimixer": mm.__version__, "numpy": np.__version__,
                "torch": getattr(torch, "__version__", None)}
    rows: list[dict[str, Any]] = []
    result = {"machine": describe(cupy), "versions": versions, "rates": rates, "rounds": rounds, "block": block,
              "races": rows}
    for size, batch in RACES:
        config = nn.VARIANTS[size]
        for precision in PRECISIONS:
            if rates[precision] is None:
                continue
            set_matmul_precision(precision, "gpu")
            steps = {"minimixer": minimixer_step(config, batch, graph=is_recorded(config, batch))}
            if torch is not None:
                torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
                torch.compiler.reset()          # else it compiles for any shape, once it has seen a second one
                steps |= {"pytorch": torch_step(torch, config, batch, compiled=False),
                          "compile": torch_step(torch, config, batch, compiled=True)}

            def clock(work: Step) -> float:
                return milliseconds(cupy, work, repeats=1, warm_up=0)

            row = {"size": size, "batch": batch, "precision": precision,
                   "ms": race(steps, clock, rounds, block), "launches": {},
                   "floor_products_ms": batch * flops_per_image(config, train=True) / rates[precision] / 1e9,
                   "floor_copies_ms": bytes_moved(config, batch) / rates["copy"] / 1e6}
            rows.append(row)
            keep(result)
            for name, kernels in KERNELS.items():
                steps.clear()
                free_memory(cupy, torch)
                with kernels(), contextlib.suppress(MemoryError):       # ops as they are written keep more arrays
                    steps["minimixer"] = minimixer_step(config, batch, graph=False)
                    row["ms"][name] = race(steps, clock, rounds, block)["minimixer"]
            steps.clear()
            free_memory(cupy, torch)
            print(line(row), flush=True)
            keep(result)
    for row in rows if torch is not None else ():
        set_matmul_precision(row["precision"], "gpu")
        for name, kernels in KERNELS.items():
            with kernels(), contextlib.suppress(MemoryError):
                step = minimixer_step(nn.VARIANTS[row["size"]], row["batch"], graph=False)
                row["launches"][name] = launches(torch, step)
            free_memory(cupy, torch)
        keep(result)
    set_matmul_precision("float32", "gpu")
    return result


HEADER = ("| size  | batch | precision | minimixer | pytorch | compile | to eager | to compile | products | copies | "
          "graph, ms | fused, ms | unfused, ms |\n"
          "| ----- | ----- | --------- | --------: | ------: | ------: | -------: | ---------: | -------: | -----: | "
          "--------: | --------: | ----------: |")


def line(row: dict[str, Any]) -> str:
    """One race as a row of the table: images per second, ratios, shares of the floors, ms a step of ours."""
    ms = row["ms"]

    def rate(name: str) -> str:
        return f"{row['batch'] / ms[name] * 1e3:,.0f}" if name in ms else "-"

    def ratio(name: str) -> str:
        return f"{ms[name] / ms['minimixer']:.2f}" if name in ms else "-"

    def cost(name: str) -> str:
        return f"{ms[name]:.2f}" if name in ms else "no memory"

    shares = [f"{row[floor] / ms['minimixer']:.0%}" for floor in ("floor_products_ms", "floor_copies_ms")]
    costs = f"{cost('minimixer'):>9} | {cost('fused'):>9} | {cost('unfused'):>11}"
    return (f"| {row['size']:<5} | {row['batch']:<5} | {row['precision']:<9} | {rate('minimixer'):>9} | "
            f"{rate('pytorch'):>7} | {rate('compile'):>7} | {ratio('pytorch'):>8} | {ratio('compile'):>10} | "
            f"{shares[0]:>8} | {shares[1]:>6} | {costs} |")


def main(arguments: Sequence[str]) -> int:
    """Run the race; the exit code."""
    parser = argparse.ArgumentParser(prog="minimixer bench gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where gpu.json goes")
    parser.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts")
    parser.add_argument("--block", type=int, default=10, help="steps of a contender in a round")
    options = parser.parse_args(arguments)
    print(choose_device("gpu")[1])
    if import_torch() is None:
        print("PyTorch is not installed or sees no GPU: minimixer runs alone")
    print(f"\ntraining, images per second; shares of the floors\n\n{HEADER}")
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "gpu.json"
    result = measure(options.rounds, options.block, lambda found: files.write_atomically(
        file, (json.dumps(found, indent=2) + "\n").encode()))
    rates = ", ".join(f"{name} {rate:,.1f}" for name, rate in result["rates"].items() if rate)
    for row in result["races"]:
        print(f"kernels a step, {row['size']}, {row['precision']}: {row['launches']}")
    print(f"\nmeasured rates (TFLOP/s of products; GB/s of copies): {rates}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("bench gpu", lambda: main(sys.argv[1:])))
