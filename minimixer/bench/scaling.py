"""``minimixer bench scaling``: processes under mpiexec beside threads, and what more of them would reach.

A step costs ``a + b n`` for n pictures a process, and an exchange ``2 (R - 1) latency + 2 (R - 1) / R bytes / rate``
among R processes.  The four numbers are fitted to measurements on this machine; for many machines the network's latency
and rate are assumed, and its rate and the one measured here, which is that of copying and adding, both apply.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal

from minimixer.bench.children import interleave
from minimixer.bench.report import describe, machine, table
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK, MinimixerError
from minimixer.parallel.host import physical_cores

Size = Literal["pico", "nano", "micro", "B/16"]
RANKS = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Work:
    """How much of a model is measured and predicted: pictures a step, and steps a turn."""

    batch: int
    steps: int
    strong: int         # pictures of a step that ever more processes share
    weak: int           # pictures of each process


WORK: dict[str, Work] = {"pico": Work(128, 8, 1024, 64), "nano": Work(128, 4, 1024, 64),
                         "micro": Work(128, 4, 1024, 64), "B/16": Work(4, 1, 4096, 16)}


@dataclass(frozen=True)
class Network:
    """What is assumed of a network: seconds a message, bytes a second of each link."""

    name: str
    latency: float
    rate: float


NETWORKS = (Network("10 Gbit/s Ethernet", 30e-6, 1.1e9), Network("25 Gbit/s Ethernet", 15e-6, 2.8e9),
            Network("200 Gbit/s InfiniBand", 2e-6, 23e9))


@dataclass(frozen=True)
class Model:
    """The four fitted numbers.

    Attributes
    ----------
    fixed, per_picture : float
        Seconds of a step without its exchange.
    latency : float
        Seconds of a message.
    rate : float
        Bytes a second that a process sends, receives and adds.
    length : int
        Numbers, of four bytes, of an exchange.
    """

    fixed: float
    per_picture: float
    latency: float
    rate: float
    length: int

    def exchange(self, ranks: int, length: int | None = None) -> float:
        """Seconds of adding up among so many processes."""
        bytes_sent = 4 * (self.length if length is None else length) * 2 * (ranks - 1) / ranks
        return 2 * (ranks - 1) * self.latency + bytes_sent / self.rate

    def step(self, ranks: int, pictures: int) -> float:
        """Seconds of a step of so many pictures in all, of which the busiest process has its share rounded up."""
        return self.fixed + self.per_picture * -(-pictures // ranks) + self.exchange(ranks)

    def over(self, network: Network, sharing: int = 1) -> "Model":
        """The same processors, ``sharing`` of them to a link of a network."""
        return Model(self.fixed, self.per_picture, self.latency + network.latency,
                     1 / (1 / self.rate + sharing / network.rate), self.length)


def fit(steps: Sequence[tuple[int, float]], exchanges: Sequence[tuple[int, float]], ranks: int, length: int) -> Model:
    """The model that goes through measurements.

    Parameters
    ----------
    steps : sequence of (pictures a process, seconds)
        Without the exchange; by least squares.
    exchanges : sequence of (numbers, seconds)
        The shortest gives the latency, those of a megabyte and more the rate: the median of theirs.
    ranks : int
        Processes that made them.
    length : int
        Of the model's own exchange.
    """
    import numpy as np
    per_picture, fixed = np.polyfit([pictures for pictures, _ in steps], [seconds for _, seconds in steps], 1)
    latency = min(exchanges)[1] / (2 * (ranks - 1))
    rates = [4 * numbers * 2 * (ranks - 1) / ranks / (seconds - 2 * (ranks - 1) * latency)
             for numbers, seconds in exchanges if numbers >= 1 << 18]
    return Model(max(0.0, float(fixed)), float(per_picture), latency, median(rates), length)


def launch(size: str, batch: int, processes: int, threads: int, exchange: bool) -> dict[str, Any]:
    """Measure in processes that mpiexec starts, or in one without it."""
    asked = {"size": size, "batch": batch, "threads": threads, "steps": WORK[size].steps, "exchange": exchange}
    command = [sys.executable, "-m", "minimixer.bench.together", json.dumps(asked)]
    if processes > 1:
        mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
        if mpiexec is None:
            raise MinimixerError('there is no mpiexec: pip install "minimixer[mpi]" mpich')
        command = [mpiexec, "-n", str(processes), *command]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise MinimixerError(f"{processes} processes of {size} failed: {(done.stderr.strip() or '?').splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(size: str, cores: int, rounds: int) -> dict[str, Any]:
    """Every arrangement once a round; all samples."""
    batch = WORK[size].batch
    arrangements = {f"1 process x 1 thread, {batch}": (batch, 1, 1),
                    f"1 process x {cores} threads, {batch}": (batch, 1, cores),
                    **{f"{cores} processes x 1 thread, {pictures}": (pictures, cores, 1)
                       for pictures in (max(batch // 2, cores), max(batch, cores), cores * batch)}}
    samples = interleave({name: partial(launch, size, *shape, exchange=shape[1] > 1)
                          for name, shape in arrangements.items()}, rounds)
    return {"size": size, "cores": cores, "arrangements": arrangements, "samples": samples}


def seconds(samples: Sequence[dict[str, Any]], kind: str = "step") -> float:
    """The median of all steps of one kind."""
    return median(s for sample in samples for s in sample["seconds"][kind])


def fitted(measured: dict[str, Any]) -> Model:
    """The model of a size, from the arrangement of one thread a process: all cores are at work in it."""
    runs = [(shape[0] // shape[1], samples) for shape, samples in
            zip(measured["arrangements"].values(), measured["samples"].values(), strict=True) if shape[1] > 1]
    lengths: dict[int, list[float]] = {}
    for _, samples in runs:
        for sample in samples:
            for length, times in sample["exchanges"]:
                lengths.setdefault(length, []).extend(times)
    return fit([(pictures, seconds(samples, "apart")) for pictures, samples in runs],
               [(length, median(times)) for length, times in lengths.items()], measured["cores"],
               runs[0][1][0]["length"])


def measured_table(measured: dict[str, Any], model: Model) -> str:
    """What was measured, what the model says of it, and the best that an overlap could reach."""
    rows = []
    base = None
    for name, (pictures, processes, _) in measured["arrangements"].items():
        samples = measured["samples"][name]
        step = seconds(samples)
        base = base or pictures / step
        if processes > 1:
            exchange = median(s for sample in samples for length, times in sample["exchanges"]
                              for s in times if length == model.length)
            more = [f"{1e3 * model.step(processes, pictures):,.0f}", f"{1e3 * exchange:,.1f}", f"{exchange / step:.1%}",
                    f"{1e3 * seconds(samples, 'beside'):,.0f}"]
        else:
            more = [""] * 4
        rows.append([name, f"{1e3 * step:,.0f}", f"{pictures / step:,.1f}", f"{pictures / step / base:.2f}", *more])
    return table(["arrangement, pictures a step", "ms", "images/s", "ratio", "ms, model", "exchange, ms", "of a step",
                  "ms, all overlapped"], rows)


def prediction_table(model: Model, work: Work, sharing: int) -> str:
    """Images a second on more processes than there are here, and what part of a perfect speed that is."""
    one = 1 / model.per_picture             # images a second of a process that never stops for anything else
    rows = []
    for ranks in RANKS:
        row = [str(ranks)]
        for network in NETWORKS:
            there = model.over(network, sharing)
            for pictures in (work.strong, work.weak * ranks):
                speed = pictures / there.step(ranks, pictures)
                row.append(f"{speed:,.0f} ({speed / (ranks * one):.0%})")
        rows.append(row)
    header = [f"{network.name}, {kind}" for network in NETWORKS
              for kind in (f"{work.strong:,} in all", f"{work.weak} each")]
    return table(["processes", *header], rows, 0)


@dataclass(frozen=True)
class Scaling(Computing):
    """What is measured and predicted."""

    sizes: tuple[Size, ...] = ("micro", "B/16")
    """Mixers; B/16 takes minutes and 3 GB a process."""
    rounds: int = 3
    """Turns of every arrangement."""
    sharing: int = 1
    """Processes that share a link of the network, in what is predicted."""
    json: Path | None = None
    """Write every sample and the machine into this file; --again reads it."""
    again: Path | None = None
    """Fit and predict from such a file, and measure nothing."""

    def __post_init__(self) -> None:
        at_least(1, rounds=self.rounds, sharing=self.sharing)


def main(arguments: Sequence[str]) -> int:
    """Measure, fit, predict, print."""
    options = parse(Scaling, "bench scaling", "Processes beside threads, measured; and more of them, predicted.",
                    arguments)
    if options.again:
        everything = json.loads(options.again.read_text())
    else:
        cores = physical_cores()
        if cores < 2:
            raise MinimixerError("one core is too few to measure processes beside each other: expected two")
        everything = {"machine": machine(), "sizes": [measure(size, cores, options.rounds) for size in options.sizes]}
        if options.json:
            options.json.write_text(json.dumps(everything, indent=1))
    print(describe(everything["machine"]))
    for measured in everything["sizes"]:
        model, work = fitted(measured), WORK[measured["size"]]
        print(f"\n{measured['size']}, measured\n", measured_table(measured, model), sep="\n")
        print(f"\nfitted: a step {1e3 * model.fixed:.1f} ms + {1e3 * model.per_picture:.2f} ms a picture; an "
              f"exchange of {4e-6 * model.length:,.1f} MB, {1e6 * model.latency:.1f} us a message, "
              f"{model.rate / 1e9:.2f} GB/s")
        print(f"\n{measured['size']}, predicted: images/s, and of a perfect speed\n",
              prediction_table(model, work, options.sharing), sep="\n")
    return OK
