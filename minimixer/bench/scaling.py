"""``minimixer bench scaling``: processes under mpiexec compared to threads, and a prediction for more processes.

A step takes ``a + b n`` seconds for n images per process, and an exchange among R processes takes
``2 (R - 1) latency + 2 (R - 1) / R bytes / rate``.  The four numbers are fitted to measurements on this machine.  For
many machines, the network's latency and rate are assumed, on top of the measured cost of copying and adding.
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
from typing import Any, ClassVar, Literal

from minimixer.bench.machine import describe, machine
from minimixer.bench.report import table
from minimixer.bench.results import check_results, write_json
from minimixer.bench.timing import interleave
from minimixer.console import Computing, at_least, parse
from minimixer.errors import OK, MinimixerError
from minimixer.files import json_text, read_json
from minimixer.options import Rule
from minimixer.parallel.host import physical_cores

Size = Literal["pico", "nano", "micro", "B/16"]
RANKS = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Work:
    """How much to measure and predict for a model."""

    batch: int          # images per step
    steps: int          # per turn
    strong: int         # images per step that all processes share
    weak: int           # images per process


WORK: dict[str, Work] = {"pico": Work(128, 8, 1024, 64), "nano": Work(128, 4, 1024, 64),
                         "micro": Work(128, 4, 1024, 64), "B/16": Work(4, 1, 4096, 16)}


@dataclass(frozen=True)
class Network:
    """An assumed network: seconds per message, bytes per second of each link."""

    name: str
    latency: float
    rate: float


NETWORKS = (Network("10 Gbit/s Ethernet", 30e-6, 1.1e9), Network("25 Gbit/s Ethernet", 15e-6, 2.8e9),
            Network("200 Gbit/s InfiniBand", 2e-6, 23e9))


@dataclass(frozen=True)
class Model:
    """The fitted cost of a step.

    Attributes
    ----------
    fixed, per_image : float
        Seconds of a step without its exchange.
    latency : float
        Seconds per message.
    rate : float
        Bytes per second that a process sends, receives and adds.
    length : int
        Four-byte numbers per exchange.
    """

    fixed: float
    per_image: float
    latency: float
    rate: float
    length: int

    def exchange(self, ranks: int, length: int | None = None) -> float:
        """Seconds to sum ``length`` numbers over ``ranks`` processes."""
        bytes_sent = 4 * (self.length if length is None else length) * 2 * (ranks - 1) / ranks
        return 2 * (ranks - 1) * self.latency + bytes_sent / self.rate

    def step(self, ranks: int, images: int) -> float:
        """Seconds of a step of ``images`` in total; the busiest process has its share, rounded up."""
        return self.fixed + self.per_image * -(-images // ranks) + self.exchange(ranks)

    def over(self, network: Network, sharing: int = 1) -> "Model":
        """The same processors on a network; ``sharing`` of them share a link."""
        return Model(self.fixed, self.per_image, self.latency + network.latency,
                     1 / (1 / self.rate + sharing / network.rate), self.length)


def fit(steps: Sequence[tuple[int, float]], exchanges: Sequence[tuple[int, float]], ranks: int, length: int) -> Model:
    """Fit the model to measurements.

    Parameters
    ----------
    steps : sequence of (images per process, seconds)
        Steps without exchange, fitted by least squares.
    exchanges : sequence of (numbers, seconds)
        The shortest gives the latency; those of a megabyte or more give the rate, their median.
    ranks : int
        Number of processes in the measurements.
    length : int
        Numbers in the model's own exchange.
    """
    import numpy as np
    per_image, fixed = np.polyfit([images for images, _ in steps], [seconds for _, seconds in steps], 1)
    latency = min(exchanges)[1] / (2 * (ranks - 1))
    rates = [4 * numbers * 2 * (ranks - 1) / ranks / (seconds - 2 * (ranks - 1) * latency)
             for numbers, seconds in exchanges if numbers >= 1 << 18]
    return Model(max(0.0, float(fixed)), float(per_image), latency, median(rates), length)


def launch(size: str, batch: int, processes: int, threads: int, exchange: bool) -> dict[str, Any]:
    """Measure in processes started by mpiexec, or in a single process without it."""
    asked = {"size": size, "batch": batch, "threads": threads, "steps": WORK[size].steps, "exchange": exchange}
    command = [sys.executable, "-m", "minimixer.bench.together", json_text(asked)]
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
    """Measure every arrangement once per round; return all samples."""
    batch = WORK[size].batch
    arrangements = {f"1 process x 1 thread, {batch}": (batch, 1, 1),
                    f"1 process x {cores} threads, {batch}": (batch, 1, cores),
                    **{f"{cores} processes x 1 thread, {images}": (images, cores, 1)
                       for images in (max(batch // 2, cores), max(batch, cores), cores * batch)}}
    samples = interleave({name: partial(launch, size, *shape, exchange=shape[1] > 1)
                          for name, shape in arrangements.items()}, rounds)
    return {"size": size, "cores": cores, "arrangements": arrangements, "samples": samples}


def seconds(samples: Sequence[dict[str, Any]], kind: str = "step") -> float:
    """Median seconds of all steps of one kind."""
    return median(s for sample in samples for s in sample["seconds"][kind])


def fitted(measured: dict[str, Any]) -> Model:
    """The fitted model of a size, from the arrangements with one thread per process, which use all cores."""
    runs = [(shape[0] // shape[1], samples) for shape, samples in
            zip(measured["arrangements"].values(), measured["samples"].values(), strict=True) if shape[1] > 1]
    lengths: dict[int, list[float]] = {}
    for _, samples in runs:
        for sample in samples:
            for length, times in sample["exchanges"]:
                lengths.setdefault(length, []).extend(times)
    return fit([(images, seconds(samples, "apart")) for images, samples in runs],
               [(length, median(times)) for length, times in lengths.items()], measured["cores"],
               runs[0][1][0]["length"])


def measured_table(measured: dict[str, Any], model: Model) -> str:
    """Measured times, the fitted model's times, and the best case of overlapping step and exchange."""
    rows = []
    base = None
    for name, (images, processes, _) in measured["arrangements"].items():
        samples = measured["samples"][name]
        step = seconds(samples)
        base = base or images / step
        if processes > 1:
            exchange = median(s for sample in samples for length, times in sample["exchanges"]
                              for s in times if length == model.length)
            more = [f"{1e3 * model.step(processes, images):,.0f}", f"{1e3 * exchange:,.1f}", f"{exchange / step:.1%}",
                    f"{1e3 * seconds(samples, 'beside'):,.0f}"]
        else:
            more = [""] * 4
        rows.append([name, f"{1e3 * step:,.0f}", f"{images / step:,.1f}", f"{images / step / base:.2f}", *more])
    return table(["arrangement, images per step", "ms", "images/s", "ratio", "ms, model", "exchange, ms", "of a step",
                  "ms, fully overlapped"], rows)


def prediction_table(model: Model, work: Work, sharing: int) -> str:
    """Predicted images per second on more processes, and the share of ideal scaling."""
    one = 1 / model.per_image               # images per second of one process without any overhead
    rows = []
    for ranks in RANKS:
        row = [str(ranks)]
        for network in NETWORKS:
            there = model.over(network, sharing)
            for images in (work.strong, work.weak * ranks):
                speed = images / there.step(ranks, images)
                row.append(f"{speed:,.0f} ({speed / (ranks * one):.0%})")
        rows.append(row)
    header = [f"{network.name}, {kind}" for network in NETWORKS
              for kind in (f"{work.strong:,} in total", f"{work.weak} each")]
    return table(["processes", *header], rows, 0)


@dataclass(frozen=True)
class Scaling(Computing):
    """Options of ``bench scaling``."""

    sizes: tuple[Size, ...] = ("micro", "B/16")
    """Mixers; B/16 takes minutes and 3 GB per process."""
    rounds: int = 3
    """Rounds; every arrangement has one turn per round."""
    sharing: int = 1
    """Processes that share a network link in the prediction."""
    json: Path | None = None
    """Write all samples and the machine to this file; --again reads it."""
    again: Path | None = None
    """Fit and predict from a file written with --json, without measuring."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("sizes", "rounds", "json"), lambda given: given.again is not None, "with --again (nothing is measured)",
             "leave out --again"),)

    def __post_init__(self) -> None:
        at_least(1, rounds=self.rounds, sharing=self.sharing)


def main(arguments: Sequence[str]) -> int:
    """Measure, fit, predict, print."""
    options = parse(Scaling, "bench scaling",
                    "Measure processes against threads, and predict the speed of more processes.", arguments)
    check_results("scaling", json=options.json)
    if options.again:
        everything = read_json(options.again)
    else:
        cores = physical_cores()
        if cores < 2:
            raise MinimixerError("this machine has one core: measuring several processes takes at least two")
        everything = {"machine": machine(), "sizes": [measure(size, cores, options.rounds) for size in options.sizes]}
        if options.json:
            write_json(options.json, everything)
    print(describe(everything["machine"]))
    for measured in everything["sizes"]:
        model, work = fitted(measured), WORK[measured["size"]]
        print(f"\n{measured['size']}, measured\n", measured_table(measured, model), sep="\n")
        print(f"\nfitted: {1e3 * model.fixed:.1f} ms per step + {1e3 * model.per_image:.2f} ms per image; "
              f"{4e-6 * model.length:,.1f} MB per exchange, {1e6 * model.latency:.1f} us per message, "
              f"{model.rate / 1e9:.2f} GB/s")
        print(f"\n{measured['size']}, predicted: images/s, and the share of ideal scaling\n",
              prediction_table(model, work, options.sharing), sep="\n")
    return OK
