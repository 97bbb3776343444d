"""Races minimixer, PyTorch, torch.compile and JAX on the same training and inference steps.

    python -m tests.benchmarks.race --sizes pico --batches 32 --rounds 1        # half a minute: does it work?
    python -m tests.benchmarks.race --json race.json --markdown race.md         # everything; the machine must be idle

Each contender lives in a process of its own and they take turns: all do a block of steps in every round, so a machine
that slows down slows all of them.  A figure is the median of the rounds.  ``--memory`` measures peak memory too, each
figure in a fresh process; with ``--rounds 0`` it measures nothing else.
"""

import argparse
import importlib.util
import json
import os
import sys
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from children import Child, ChildError, interleave
from peers import CONTENDERS, PACKAGE, Roofline
from report import describe, failures, flops_per_image, machine, memory_table, race_table, speeds

from minimixer.nn import VARIANTS

TOLERANCE = 0.001        # nats between the losses of two contenders' third steps


def arguments() -> argparse.Namespace:
    """What was asked for."""
    import joblib
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["pico", "nano", "micro", "tiny"],
                        choices=[name for name, config in VARIANTS.items() if config.image_size == 32])
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128, 512])
    parser.add_argument("--modes", nargs="+", default=["train", "infer"], choices=["train", "infer"])
    parser.add_argument("--contenders", nargs="+", default=["minimixer", "pytorch", "compile", "jax"],
                        choices=list(CONTENDERS))
    parser.add_argument("--threads", type=int, default=joblib.cpu_count(only_physical_cores=True),
                        help="of every contender (default: physical cores)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plain-malloc", action="store_true",
                        help="leave the C library of the peers as it is; by default it keeps freed memory for them too")
    parser.add_argument("--memory", action="store_true", help="measure peak memory too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every sample and the machine")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the tables")
    parser.add_argument("--date", help="to be written down with the machine")
    return parser.parse_args()


def prepare(child: Child, size: str, batch: int, mode: str) -> tuple[float | None, int]:
    """Build and compile a cell; the loss of its third step, and how many steps a block takes."""
    return child.call("start", size, batch, mode), child.call("calibrate")


def race(children: dict[str, Child], roofline: Child, size: str, batch: int, mode: str, rounds: int) -> dict[str, Any]:
    """All samples of one cell.  A contender that fails, or computes another loss than the first, is left out."""
    failed: dict[str, str] = {}
    steps: dict[str, int] = {}
    losses: dict[str, float | None] = {}
    for name, child in children.items():
        try:
            losses[name], steps[name] = prepare(child, size, batch, mode)
        except ChildError as error:
            failed[name] = str(error)
    if mode == "train" and losses:
        reference = next(iter(losses.values()))
        for name, loss in losses.items():
            if not abs(loss - reference) < TOLERANCE:
                failed[name] = f"the loss of its third step is {loss:.4f}, not {reference:.4f}"

    def block(name: str) -> dict[str, float] | None:
        if name in failed:
            return None
        try:
            return children[name].call("block", steps[name])
        except ChildError as error:
            failed[name] = str(error)

    blocks = {name: partial(block, name) for name in steps}
    results = interleave({**blocks, "roofline": partial(roofline.call, "block")}, rounds)
    gflops = results.pop("roofline")
    return {"size": size, "batch": batch, "mode": mode, "flops_per_image": flops_per_image(VARIANTS[size],
            mode == "train"), "steps": steps, "third_loss": losses, "roofline": gflops, "failures": failed,
            "samples": {name: samples for name, samples in results.items() if name not in failed}}


def peaks(names: list[str], options: argparse.Namespace, size: str, batch: int, mode: str) -> dict[str, Any]:
    """Peak memory of one cell, each contender in a fresh process."""
    cell: dict[str, Any] = {"size": size, "batch": batch, "mode": mode, "bytes": {}, "failures": {}}
    for name in names:
        try:
            child = enter(name, options)
            cell["bytes"][name] = child.call("peak", size, batch, mode)
            child.close()
        except ChildError as error:
            cell["failures"][name] = str(error)
    return cell


def enter(name: str, options: argparse.Namespace) -> Child:
    """A contender in a fresh process."""
    return Child(CONTENDERS[name], options.threads, not options.plain_malloc, cpus=options.threads)


def start(options: argparse.Namespace) -> dict[str, Child]:
    """The contenders that are installed and come up."""
    children = {}
    for name in options.contenders:
        if importlib.util.find_spec(PACKAGE[name]) is None:
            print(f"{name}: {PACKAGE[name]} is not installed")
            continue
        try:
            children[name] = enter(name, options)
        except ChildError as error:
            print(f"{name}: {error}")
    return children


def main() -> None:
    """Run the race and print its tables."""
    options = arguments()
    os.environ["JAX_PLATFORMS"] = "cpu"
    here = machine(options.date)
    print(describe(here))
    if here["load_average"] > 0.5:
        print(f"the load is {here['load_average']}: something else runs here, these figures will be worth little")
    children = start(options)
    names = list(children)
    cells = list(product(options.sizes, sorted(options.batches), options.modes))
    raced: list[dict[str, Any]] = []
    weighed: list[dict[str, Any]] = []

    def save() -> None:
        if options.json:
            settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
            options.json.write_text(json.dumps({"machine": here, "settings": settings, "cells": raced,
                                                "memory": weighed}, indent=1))

    roofline = Child(Roofline, options.threads, cpus=options.threads)
    for size, batch, mode in cells if options.rounds else []:
        raced.append(race(children, roofline, size, batch, mode, options.rounds))
        print(f"{size}, batch {batch}, {mode}:", ", ".join(f"{name} {speed:,.0f}"
              for name, speed in speeds(raced[-1]).items()), "images/s", flush=True)
        save()
    for child in (*children.values(), roofline):
        child.close()
    for size, batch, mode in cells if options.memory else []:
        weighed.append(peaks(names, options, size, batch, mode))
        save()

    text = [f"{describe(here)}; {options.threads} threads{'; plain malloc' if options.plain_malloc else ''}"]
    if raced:
        text += ["Images per second, medians; the ratio is minimixer to its best peer, the roofline that of sgemm.",
                 race_table(raced, names)]
    if weighed:
        text += ["Peak memory in MB, above what the library holds before the model is built.",
                 memory_table(weighed, names)]
    text += failures(raced + weighed)
    print("\n" + "\n\n".join(text))
    if options.markdown:
        options.markdown.write_text("\n\n".join(text) + "\n")


if __name__ == "__main__":
    main()
