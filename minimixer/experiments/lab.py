"""What the runs of an experiment share, and the loop over its arms and seeds."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from minimixer.data import Dataset
from minimixer.errors import DivergedError
from minimixer.experiments.journal import Journal
from minimixer.experiments.learning import Curve, Training, learn, load_data
from minimixer.experiments.options import Learning, Options
from minimixer.experiments.runs import Arm, Runs
from minimixer.nn import Model
from minimixer.parallel import Workers
from minimixer.train.estimate import Estimate
from minimixer.train.estimate import measure as measure_run
from minimixer.train.initialize import initialize
from minimixer.train.loop import train_step


class Lab:
    """The options, the threads and the images of an experiment.

    Attributes
    ----------
    options : dataclass
        The experiment's own, as they are used: reduced if --quick is set.
    workers : Workers
    rates : dict
        Learning rates that are known already, by family and optimizer.
    cache : dict
        Data sets that are made of the images, see ``kept``.
    """

    def __init__(self, options: Options, workers: Workers):
        self.options: Any = options
        self.workers = workers
        self.rates: dict[tuple[str, str], float] = {}
        self.cache: dict[str, Dataset] = {}

    @cached_property
    def dataset(self) -> Dataset:
        """The images.  Raises DataError."""
        return load_data(self.options)

    def kept(self, name: str, make: Callable[[], Dataset]) -> Dataset:
        """A data set that several runs need, made once."""
        if name not in self.cache:
            self.cache[name] = make()
        return self.cache[name]

    def settings(self) -> dict[str, Any]:
        """All that results depend on: options, and a digest of the images."""
        trains = isinstance(self.options, Learning) and getattr(self.options, "run", None) is None
        return self.options.settings() | ({"digest": self.dataset.digest()} if trains else {})


def next_run(journal: Journal, seeds: int, arms: Sequence[Arm]) -> tuple[Arm, int] | None:
    """The first run that has not ended: seed 0 of every arm, then seed 1 of every arm, and so on; None if all have."""
    for seed in range(seeds):
        for arm in arms:
            if not (arm.once and seed) and journal.find(arm, seed) is None:
                return arm, seed
    return None


def measure(journal: Journal, seeds: int, arms: Callable[[Runs], Sequence[Arm]],
            run: Callable[[Arm, int], Mapping[str, Any]], each: Callable[[], None] = lambda: None) -> None:
    """Make every run that the journal lacks.

    Parameters
    ----------
    journal : Journal
        Gets a line for each run that ends.  One whose loss stops being a number has failed, which is a result, too.
    seeds : int
    arms : callable
        The arms, given the runs that have ended: some experiments choose an arm by what others gave.
    run : callable
        Makes the run of an arm and a seed, and returns its result.
    each : callable
        Is called after every run.
    """
    while (job := next_run(journal, seeds, arms(journal.runs))) is not None:
        arm, seed = job
        start = time.perf_counter()
        outcome: dict[str, Any]
        try:
            outcome = {"result": run(arm, seed)}
        except DivergedError as error:
            outcome = {"failed": str(error).partition(":")[0]}
            print(f"{arm.name}, seed {seed}: {outcome['failed']}", flush=True)
        journal.add({"arm": arm.name, "seed": seed, "settings": arm.settings,
                     "seconds": round(time.perf_counter() - start, 3), **outcome})
        each()


def trained(lab: Lab, arm: Arm, training: Training) -> tuple[Model, Curve]:
    """Train the model of a run; returns it, and its curve."""
    config, dataset, model = training
    return learn(arm.name, config, lab.workers, dataset, model)


def timed(lab: Lab, training: Training) -> Estimate:
    """Time a few steps of a training run, and part of a test."""
    config, dataset, model = training
    return measure_run(initialize(config, lab.workers, dataset=dataset, model=model), train_step)
