"""``minimixer bench race``: minimixer, PyTorch, torch.compile and JAX on the same training and inference steps.

Each contender runs in its own process, and they take turns: each makes a block of steps per round, so a slow phase of
the machine affects all of them.  Results are medians over the rounds.
"""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal

from minimixer import nn
from minimixer.bench.children import Child, ChildError
from minimixer.bench.machine import describe, machine
from minimixer.bench.peers import CONTENDERS, PACKAGE
from minimixer.bench.report import OURS, failures, flops_per_image, memory_table, race_table, speeds
from minimixer.bench.results import check_results, write_json, write_markdown
from minimixer.bench.roofline import Roofline
from minimixer.bench.timing import interleave
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK, UsageError
from minimixer.options import Rule
from minimixer.parallel.host import physical_cores

TOLERANCE = 0.001        # nats between two contenders' losses after three steps


@dataclass(frozen=True)
class Race(Computing):
    """Options of ``bench race``."""

    sizes: tuple[Literal["pico", "nano", "micro", "tiny", "small"], ...] = ("nano", "micro")
    """Mixers for images of 32 x 32 pixels."""
    batches: tuple[int, ...] = (128,)
    """Images per step."""
    modes: tuple[Literal["train", "infer"], ...] = ("train", "infer")
    """Complete training steps, or forward passes."""
    contenders: tuple[Literal["minimixer", "numpy", "pytorch", "compile", "autotune", "jax"], ...] = (
        "minimixer", "pytorch", "jax")
    """Contenders that are not installed are left out; numpy is minimixer without compiled loops."""
    threads: int | None = None
    """Threads per contender; by default one per physical core."""
    rounds: int = 3
    """Rounds; every contender has one turn per round. With --memory, 0 measures memory only."""
    full: bool = False
    """Four sizes, three batches, torch.compile too, 7 rounds: takes hours."""
    plain_malloc: bool = False
    """Use the default malloc settings for the peers; otherwise their C library keeps freed memory, too."""
    memory: bool = False
    """Also measure peak memory, each value in a fresh process (Linux only)."""
    json: Path | None = None
    """Write all samples and the machine to this file."""
    markdown: Path | None = None
    """Write the tables to this file."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("plain_malloc",), lambda given: {*given.contenders} <= {"minimixer", "numpy"},
             "with --contenders minimixer or numpy alone (it is for the peers)", "add a peer, such as pytorch"),)

    def __post_init__(self) -> None:
        at_least(0, rounds=self.rounds)
        at_least(1, threads=self.threads, batches=min(self.batches, default=1))
        if self.memory and not Path("/proc/self/clear_refs").exists():
            raise UsageError("--memory needs /proc, which only Linux has")


FULL = Race(sizes=("pico", "nano", "micro", "tiny"), batches=(32, 128, 512),
            contenders=("minimixer", "numpy", "pytorch", "compile", "jax"), rounds=7)
DESCRIPTION = """Race minimixer, PyTorch and JAX on the same steps; the machine must be idle.

More: minimixer bench learn, ladder, resolution, augmentation, scaling, gpu."""


def prepare(child: Child, size: str, batch: int, mode: str) -> tuple[float | None, int]:
    """Build and compile a cell; return the loss of its third step and the number of steps per block."""
    return child.call("start", size, batch, mode), child.call("calibrate")


def race(children: dict[str, Child], roofline: Child, size: str, batch: int, mode: str, rounds: int) -> dict[str, Any]:
    """All samples of one cell.  A contender that fails, or whose loss differs from the first one's, is left out."""
    failed: dict[str, str] = {}
    steps: dict[str, int] = {}
    losses: dict[str, float | None] = {}
    for name, child in children.items():
        try:
            losses[name], steps[name] = prepare(child, size, batch, mode)
        except ChildError as error:
            failed[name] = str(error)
    if mode == "train" and losses:
        third = {name: float(loss) for name, loss in losses.items() if loss is not None}
        reference = next(iter(third.values()))
        for name, loss in third.items():
            if not abs(loss - reference) < TOLERANCE:
                failed[name] = f"the loss of its third step is {loss:.4f}, not {reference:.4f}"

    def block(name: str) -> dict[str, float] | None:
        if name in failed:
            return None
        try:
            return children[name].call("block", steps[name])
        except ChildError as error:
            failed[name] = str(error)
            return None

    blocks = {name: partial(block, name) for name in steps}
    results = interleave({**blocks, "roofline": partial(roofline.call, "block")}, rounds)
    gflops = results.pop("roofline")
    return {"size": size, "batch": batch, "mode": mode,
            "flops_per_image": flops_per_image(nn.MIXERS[size], mode == "train"),
            "steps": steps, "third_loss": losses, "roofline": gflops, "failures": failed,
            "samples": {name: samples for name, samples in results.items() if name not in failed}}


def peaks(names: list[str], options: Race, threads: int, size: str, batch: int, mode: str) -> dict[str, Any]:
    """Peak memory of one cell, each contender in a fresh process."""
    cell: dict[str, Any] = {"size": size, "batch": batch, "mode": mode, "bytes": {}, "failures": {}}
    for name in names:
        try:
            child = enter(name, options, threads)
            cell["bytes"][name] = child.call("peak", size, batch, mode)
            child.close()
        except ChildError as error:
            cell["failures"][name] = str(error)
    return cell


def enter(name: str, options: Race, threads: int) -> Child:
    """A contender in a fresh process."""
    return Child(CONTENDERS[name], threads, name in OURS or not options.plain_malloc, cpus=threads)


def start(options: Race, threads: int) -> dict[str, Child]:
    """The contenders that are installed and start."""
    children: dict[str, Child] = {}
    for name in options.contenders:
        if importlib.util.find_spec(PACKAGE[name]) is None:
            print(f"{name}: {PACKAGE[name]} is not installed")
            continue
        try:
            children[name] = enter(name, options, threads)
        except ChildError as error:
            print(f"{name}: {error}")
    return children


def main(arguments: Sequence[str]) -> int:
    """Run the race and print its tables."""
    options = parse(Race, "bench race", DESCRIPTION, arguments, FULL if "--full" in arguments else None)
    check_results("race", json=options.json, markdown=options.markdown)
    threads = options.threads or physical_cores()
    os.environ["JAX_PLATFORMS"] = "cpu"
    here = machine()
    print(describe(here), flush=True)
    if here["load_average"] > 0.5:
        print(f"The load average is {here['load_average']}: the machine is busy, so these results are unreliable.")
    children = start(options, threads)
    names = list(children)
    cells = list(product(options.sizes, sorted(options.batches), options.modes))
    raced: list[dict[str, Any]] = []
    measured: list[dict[str, Any]] = []

    def save() -> None:
        if options.json:
            write_json(options.json, {"machine": here, "settings": asdict(options) | {"threads": threads},
                                      "cells": raced, "memory": measured})

    roofline = Child(Roofline, threads, cpus=threads)
    for size, batch, mode in cells if options.rounds else []:
        raced.append(race(children, roofline, size, batch, mode, options.rounds))
        print(f"{size}, batch {batch}, {mode}:", ", ".join(f"{name} {speed:,.0f}"
              for name, speed in speeds(raced[-1]).items()), "images/s", flush=True)
        save()
    for child in (*children.values(), roofline):
        child.close()
    for size, batch, mode in cells if options.memory else []:
        measured.append(peaks(names, options, threads, size, batch, mode))
        save()

    text = [f"{describe(here)}; {threads} threads{'; plain malloc' if options.plain_malloc else ''}"]
    if raced:
        text += ["Images per second (medians), the ratio of minimixer to its best peer, and the share of the roofline "
                 "(sgemm).",
                 race_table(raced, names)]
    if measured:
        text += ["Peak memory in MB, beyond what the library holds before the model is built.",
                 memory_table(measured, names)]
    text += failures(raced + measured)
    print("\n" + "\n\n".join(text))
    if options.markdown:
        write_markdown(options.markdown, "race", "\n\n".join(text))
    return OK
