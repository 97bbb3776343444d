"""``minimixer bench gpu``: training steps of minimixer, PyTorch eager and torch.compile on one GPU.

All contenders start from minimixer's weights and see the same images; their losses after three steps must agree.  Times
are medians over rounds in which they take turns, each with a block of steps between two CUDA events, after warm-up.

Floors: the matrix products of a step at the measured rate of large products, and the bytes that a step must move at the
measured copy rate (see ``bytes_moved``).
"""

import contextlib
import importlib
import math
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from minimixer import nn
from minimixer.backend import Precision, choose_device, get_device, use_matmul_precision
from minimixer.bench.gpu_steps import Step, is_recorded, minimixer_step, torch_step
from minimixer.bench.report import flops_per_image
from minimixer.bench.results import check_results, write_json
from minimixer.bench.timing import interleave
from minimixer.console import at_least, parse
from minimixer.errors import OK, UsageError
from minimixer.gpu.rates import copy_rate, describe, milliseconds, product_rate
from minimixer.ops.registry import reference_kernels
from minimixer.version import __version__

RACES = (("micro", 512), ("B/16", 64))
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32")
KERNELS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {       # without a graph
    "fused": contextlib.nullcontext, "unfused": reference_kernels}


def bytes_moved(config: nn.MixerConfig, batch: int) -> int:
    """Bytes that a training step in float32 must move at least.

    Forward writes and reads every op's result; backward reads it again and writes and reads its gradient.  AdamW reads
    four arrays per parameter and writes three.
    """
    s, c = config.num_patches, config.hidden_dim
    block = 6 * s * c + 2 * c * config.tokens_mlp_dim + 2 * s * config.channels_mlp_dim
    parameters = nn.MlpMixer(config, seed=None).num_parameters()
    return 4 * (5 * batch * config.num_blocks * block + 7 * parameters)


def step_milliseconds(steps: dict[str, Step], clock: Callable[[Step], float], rounds: int,
                      block: int) -> dict[str, float]:
    """Median milliseconds per step of each contender.  Raises UsageError if their losses differ.

    A contender that fails is removed from ``steps``; if minimixer fails, its exception is raised.
    """
    losses = {}
    for name, step in list(steps.items()):
        try:
            losses[name] = [float(step()) for _ in range(3)][-1]
        except Exception as error:              # a missing compiler, for example: the others go on
            if name == "minimixer":
                raise
            print(f"{name} is left out: {type(error).__name__}: {error}")
            del steps[name]
    if not all(math.isclose(loss, losses["minimixer"], rel_tol=2e-2) for loss in losses.values()):
        raise UsageError(f"the contenders do not do the same work: their losses after three steps are {losses}")

    def repeated(step: Step) -> Step:
        return lambda: [step() for _ in range(block)]

    times = interleave({name: partial(clock, repeated(step)) for name, step in steps.items()}, rounds, pause=0)
    return {name: statistics.median(t) / block for name, t in times.items()}


def launches(torch: Any, step: Step) -> int | None:
    """Number of kernels that one step launches, counted by CUDA's profiler; None if it is not available.

    Everything is slower afterwards, because the profiler stays attached; it fails on graphs recorded before it started.
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
    """PyTorch if it is installed and sees the GPU, otherwise None."""
    with contextlib.suppress(ImportError):
        torch = importlib.import_module("torch")
        return torch if torch.cuda.is_available() else None
    return None


def free_memory(cupy: Any, torch: Any) -> None:
    """Free the memory that the last contenders held."""
    cupy.get_default_memory_pool().free_all_blocks()
    if torch is not None:
        torch.cuda.empty_cache()


def measure(rounds: int, block: int, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Measure everything and return it as a JSON object; ``keep`` gets the results so far after every race."""
    cupy, torch = get_device("gpu").xp, import_torch()
    rates: dict[str, Any] = {precision: product_rate(cupy, precision) for precision in PRECISIONS}
    rates["copy"] = copy_rate(cupy)
    versions = {"python": platform.python_version(), "minimixer": __version__, "numpy": np.__version__,
                "torch": getattr(torch, "__version__", None)}
    rows: list[dict[str, Any]] = []
    result = {"machine": describe(cupy), "versions": versions, "rates": rates, "rounds": rounds, "block": block,
              "races": rows}
    for size, batch in RACES:
        config = nn.MIXERS[size]
        for precision in PRECISIONS:
            if rates[precision] is None:
                continue
            with use_matmul_precision(precision, "gpu"):
                steps = {"minimixer": minimixer_step(config, batch, graph=is_recorded(config, batch))}
                if torch is not None:
                    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
                    torch.compiler.reset()          # otherwise, a second shape makes it compile for any shape
                    steps |= {"pytorch": torch_step(torch, config, batch, compiled=False),
                              "compile": torch_step(torch, config, batch, compiled=True)}

                def clock(work: Step) -> float:
                    return milliseconds(cupy, work, repeats=1, warm_up=0)

                row = {"size": size, "batch": batch, "precision": precision,
                       "ms": step_milliseconds(steps, clock, rounds, block), "launches": {},
                       "floor_products_ms": batch * flops_per_image(config, train=True) / rates[precision] / 1e9,
                       "floor_copies_ms": bytes_moved(config, batch) / rates["copy"] / 1e6}
                rows.append(row)
                keep(result)
                for name, kernels in KERNELS.items():
                    steps.clear()
                    free_memory(cupy, torch)
                    with kernels(), contextlib.suppress(MemoryError):       # the reference ops keep more arrays
                        steps["minimixer"] = minimixer_step(config, batch, graph=False)
                        row["ms"][name] = step_milliseconds(steps, clock, rounds, block)["minimixer"]
                steps.clear()
                free_memory(cupy, torch)
                print(line(row), flush=True)
                keep(result)
    for row in rows if torch is not None else ():
        for name, kernels in KERNELS.items():
            with use_matmul_precision(row["precision"], "gpu"), kernels(), contextlib.suppress(MemoryError):
                step = minimixer_step(nn.MIXERS[row["size"]], row["batch"], graph=False)
                row["launches"][name] = launches(torch, step)
            free_memory(cupy, torch)
        keep(result)
    return result


HEADER = ("| size  | batch | precision | minimixer | pytorch | compile | to eager | to compile | products | copies | "
          "graph, ms | fused, ms | unfused, ms |\n"
          "| ----- | ----- | --------- | --------: | ------: | ------: | -------: | ---------: | -------: | -----: | "
          "--------: | --------: | ----------: |")


def line(row: dict[str, Any]) -> str:
    """One race as a row of the table: images per second, ratios, shares of the floors, ms per step of minimixer."""
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


@dataclass(frozen=True)
class GpuRace:
    """Options of ``bench gpu``."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Folder for gpu.json."""
    rounds: int = 9
    """Rounds; the median counts."""
    block: int = 10
    """Steps per contender and round."""

    def __post_init__(self) -> None:
        at_least(1, rounds=self.rounds, block=self.block)


def main(arguments: Sequence[str]) -> int:
    """Run the race, print a table and write FOLDER/gpu.json; return the exit code."""
    options = parse(GpuRace, "bench gpu", "Race minimixer and PyTorch on training steps on one GPU.", arguments)
    file = options.folder / "gpu.json"
    check_results("gpu", json=file)
    print(choose_device("gpu")[1])
    if import_torch() is None:
        print("PyTorch is not installed or sees no GPU: only minimixer runs.")
    print(f"\ntraining, images per second; shares of the floors\n\n{HEADER}")
    result = measure(options.rounds, options.block, lambda found: write_json(file, found))
    rates = ", ".join(f"{name} {rate:,.1f}" for name, rate in result["rates"].items() if rate)
    for row in result["races"]:
        print(f"kernels per step, {row['size']}, {row['precision']}: {row['launches']}")
    print(f"\nmeasured rates (TFLOP/s of products; GB/s of copies): {rates}")
    return OK
