"""``minimixer bench learn``: seconds until a Mixer has learned, with Muon and AdamW, in minimixer and in PyTorch.

Each contender trains in its own process.  They take turns of a part of an epoch, so a slow phase of the machine affects
all of them; after each turn the contender is tested.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import ClassVar, Literal

from minimixer.bench.children import Child
from minimixer.bench.learners import LEARNERS
from minimixer.bench.machine import describe, machine
from minimixer.bench.report import table
from minimixer.bench.results import check_results, write_json, write_markdown
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK
from minimixer.options import INCLUDED, Rule
from minimixer.parallel.host import physical_cores
from minimixer.train.config import PRESETS

GOALS = (0.5, 0.6, 0.65, 0.7, 0.75)
Test = tuple[float, float, float]           # epoch, seconds of training, accuracy


@dataclass(frozen=True)
class Learn(Computing):
    """Options of ``bench learn``."""

    preset: Literal["digits", "cifar10", "cifar100"] = "cifar10"
    """The data, the model and the recipe of all contenders, but for the optimizer, its learning rate and epochs."""
    model: Literal["pico", "nano", "micro"] | None = None
    """Another Mixer than the preset's."""
    data_dir: Path | None = None
    """Folder that holds the data set, as for training."""
    contenders: tuple[Literal["minimixer-muon", "minimixer-adamw", "pytorch-muon", "pytorch-adamw"], ...] = (
        "minimixer-muon", "minimixer-adamw", "pytorch-muon", "pytorch-adamw")
    """Contenders that are not installed are left out."""
    muon_epochs: int = 12
    """Epochs of a run with Muon; the learning rate falls to zero over them."""
    adamw_epochs: int = 12
    """Epochs of a run with AdamW alone."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run of each contender per seed."""
    muon_lr: float = 0.02
    """Peak learning rate with Muon."""
    adamw_lr: float = 0.008
    """Peak learning rate with AdamW."""
    tests: int = 4
    """Tests per epoch."""
    threads: int | None = None
    """Threads per contender; by default one per physical core."""
    json: Path | None = None
    """Write all tests and the machine to this file."""
    markdown: Path | None = None
    """Write the table to this file."""
    plot: Path | None = None
    """Plot accuracy over seconds into this .png file."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        INCLUDED._replace(options=("data_dir",), idle=lambda given: given.preset == "digits",
                          why="with --preset digits (the digits come with minimixer)", instead="choose another preset"),
        Rule(("muon_lr", "muon_epochs"), lambda given: not any(name.endswith("muon") for name in given.contenders),
             "without a contender that uses Muon", "add minimixer-muon to --contenders"),
        Rule(("adamw_lr", "adamw_epochs"), lambda given: not any(name.endswith("adamw") for name in given.contenders),
             "without a contender that uses AdamW alone", "add minimixer-adamw to --contenders"))

    def __post_init__(self) -> None:
        at_least(1, muon_epochs=self.muon_epochs, adamw_epochs=self.adamw_epochs, tests=self.tests,
                 threads=self.threads, seeds=len(self.seeds))


def compete(children: dict[str, Child], tests: int) -> dict[str, list[Test]]:
    """Train all contenders to their last step, in turns; returns every test of each."""
    found: dict[str, list[Test]] = {name: [] for name in children}
    plans = {name: child.call("plan") for name, child in children.items()}
    turns = {name: _turns(epoch, total, tests) for name, (epoch, total) in plans.items()}
    for turn in range(max(map(len, turns.values()))):
        names = [name for name in children if turn < len(turns[name])]
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            steps, epochs = turns[name][turn]
            before = found[name][-1][1] if found[name] else 0.0
            seconds = before + children[name].call("learn", steps)
            found[name].append((epochs, seconds, children[name].call("test")))
    return found


def _turns(epoch: int, total: int, tests: int) -> list[tuple[int, float]]:
    """The steps of each turn of a run of ``total`` steps, ``epoch`` of them per epoch; and the epochs done after it."""
    ends = sorted({total, *(round(turn * epoch / tests) for turn in range(1, total * tests // epoch + 1))})
    return [(end - start, end / epoch) for start, end in zip([0, *ends], ends, strict=False)]


def reached(tests: Sequence[Test], goal: float) -> Test | None:
    """The first test at which the accuracy is at least the goal; None if there is none."""
    return next((test for test in tests if test[2] >= goal), None)


def learn_table(runs: Sequence[dict[str, list[Test]]], goals: Sequence[float] = GOALS) -> str:
    """Mean seconds and epochs to each goal, over the runs; a goal that a run misses is left out."""
    rows = []
    for name in runs[0]:
        row = [name]
        for goal in goals:
            first = [test for run in runs if (test := reached(run[name], goal))]
            row.append(f"{_seconds(mean(t[1] for t in first))}, {mean(t[0] for t in first):.1f}"
                       if len(first) == len(runs) else "")
        _, seconds, accuracy = map(mean, zip(*(run[name][-1] for run in runs), strict=True))
        rows.append([*row, f"{accuracy:.1%}", _seconds(seconds)])
    return table(["", *(f"{goal:.0%}" for goal in goals), "at the end", "training"], rows)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def plot(runs: Sequence[dict[str, list[Test]]], path: Path) -> None:
    """Draw accuracy over seconds, one line per run, into a PNG file."""
    from minimixer.plots import BLUE, GREEN, ORANGE, PURPLE, figure
    from minimixer.plots.style import declutter, save
    fig = figure(6.4, 4)
    axes = fig.subplots()
    for name, color in zip(runs[0], (GREEN, BLUE, PURPLE, ORANGE), strict=False):
        for i, run in enumerate(runs):
            _, seconds, accuracy = zip(*run[name], strict=True)
            axes.plot(seconds, [100 * a for a in accuracy], color=color, linewidth=1.4, label=None if i else name,
                      linestyle="-" if name.startswith("minimixer") else "--")
    axes.set(xlabel="seconds of training", ylabel="test accuracy (%)", xlim=(0, None))
    declutter(axes)
    axes.legend(frameon=False, loc="lower right")
    save(fig, path)


def main(arguments: Sequence[str]) -> int:
    """Train, print, draw."""
    options = parse(Learn, "bench learn", "Seconds until a Mixer has learned, with Muon and AdamW, in minimixer and in "
                    "PyTorch; the machine must be idle.", arguments)
    check_results("learn", json=options.json, markdown=options.markdown, plot=options.plot)
    here, threads = machine(), options.threads or physical_cores()
    print(describe(here), flush=True)
    if here["load_average"] > 0.5:
        print(f"The load average is {here['load_average']}: the machine is busy, so these results are unreliable.")
    preset = PRESETS[options.preset]
    preset = replace(preset, data_dir=options.data_dir, device="cpu", model=options.model or preset.model)
    runs: list[dict[str, list[Test]]] = []
    for seed in options.seeds:
        children: dict[str, Child] = {}
        for name in options.contenders:
            learner, optimizer = LEARNERS[name]
            if name.startswith("pytorch") and importlib.util.find_spec("torch") is None:
                print(f"{name}: torch is not installed")
                continue
            rate, epochs = ((options.muon_lr, options.muon_epochs) if optimizer == "muon" else
                            (options.adamw_lr, options.adamw_epochs))
            config = replace(preset, seed=seed, optimizer=optimizer, lr=rate, epochs=epochs)
            children[name] = Child(learner, config, threads, cpus=threads)
        runs.append(compete(children, options.tests))
        for child in children.values():
            child.close()
        print(f"seed {seed}:", ", ".join(f"{name} {tests[-1][2]:.1%} in {tests[-1][1]:,.0f} s"
                                         for name, tests in runs[-1].items()), flush=True)
        if options.json:
            write_json(options.json, {"machine": here, "settings": asdict(options) | {"threads": threads},
                                      "runs": runs})
    text = (f"{describe(here)}; {threads} threads; {options.preset}, {preset.model}; {options.muon_epochs} epochs "
            f"with Muon, {options.adamw_epochs} with AdamW; seeds {', '.join(map(str, options.seeds))}\n\n"
            f"Seconds of training and epochs until the first test of at least this accuracy (means over the seeds).\n\n"
            f"{learn_table(runs)}")
    print(f"\n{text}")
    if options.markdown:
        write_markdown(options.markdown, "learn", text)
    if options.plot:
        plot(runs, options.plot)
    return OK
