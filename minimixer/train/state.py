"""Everything that a run changes: the one list of what is saved, resumed, measured and undone, and sent to processes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minimixer.backend import Array
from minimixer.errors import DivergedError
from minimixer.nn import Module
from minimixer.optim import EMA, Optimizer
from minimixer.parallel.group import Group
from minimixer.train import checkpoint
from minimixer.train.lock import FolderLock
from minimixer.train.measured import tests_of


@dataclass
class History:
    """What a run has measured.

    Attributes
    ----------
    out : Path
        The run folder.
    metrics : list of dict
        The lines of ``metrics.jsonl``.
    best_accuracy : float
        Best accuracy on the images that choose the weights, 0..1: those for validation if there are any, else those
        for the test.  NaN before the first test.
    interrupted : int or None
        The signal that ended the run early.
    wall_seconds : float
        Time of the training steps and tests together, since the start or the resumption.
    lock : FolderLock or None
        What keeps other runs out of the folder; only the first of several processes has it.
    """

    out: Path
    metrics: list[dict[str, Any]] = field(default_factory=list)
    best_accuracy: float = math.nan
    interrupted: int | None = None
    wall_seconds: float = 0.0
    lock: FolderLock | None = field(default=None, repr=False, compare=False)

    def check_folder(self) -> None:
        """Raise RunError if the run folder is no longer this run's; to be called before anything is written there."""
        if self.lock is not None:
            self.lock.check()

    def would_be_best(self, part: str, accuracy: float, loss: float) -> bool:
        """Whether weights with this test are better than all before: more accurate, or as accurate with a lower loss.

        On few images many epochs are equally accurate, and the first of them is the least trained one.
        """
        if not self.best_accuracy >= accuracy:          # also if there was no test yet
            return True
        as_good = [line[f"{part}_loss"] for line in self.metrics if line.get(f"{part}_accuracy") == accuracy]
        return accuracy == self.best_accuracy and bool(as_good) and loss < min(as_good)

    @property
    def is_tested(self) -> bool:
        """Whether ``metrics`` holds a test; a callback may stop a run before its first."""
        return bool(tests_of(self.metrics)[1])


@dataclass(frozen=True)
class Snapshot:
    """A copy of a state; ``TrainState.restore`` puts it back."""

    arrays: Mapping[str, Array]
    numbers: Mapping[str, Any]


@dataclass
class TrainState:
    """Where a run stands.

    The random numbers of a step follow from its position (data/batches.py), so no generator belongs to the state.

    Attributes
    ----------
    model : Module
    optimizer : Optimizer
        Its arrays, its step count and its learning rate belong to the state.
    ema : EMA or None
    history : History
        Its metrics and its best accuracy belong to the state.
    step : int
        Training steps made.
    seconds : float
        Time spent on them.
    recent : list of float or of array, shape ()
        The losses since the last line of metrics.
    """

    model: Module
    optimizer: Optimizer
    ema: EMA | None
    history: History
    step: int = 0
    seconds: float = 0.0
    recent: list[Any] = field(default_factory=list)

    def arrays(self) -> dict[str, Array]:
        """Every array that a step changes, by its name in last.safetensors; not copies."""
        return checkpoint.named_arrays(self.model, self.optimizer, self._averages())

    def _averages(self) -> dict[str, dict[str, Array]]:
        names = [name for name, _ in self.model.named_parameters()]
        return {} if self.ema is None else {"ema": dict(zip(names, self.ema.means, strict=True))}

    def numbers(self) -> dict[str, Any]:
        """Everything else that a step changes."""
        return {"step": self.step, "seconds": self.seconds, "recent": list(self.recent), "lr": self.optimizer.lr,
                "optimizer_steps": self.optimizer.step_count, "metrics": list(self.history.metrics),
                "best_accuracy": self.history.best_accuracy}

    def set_numbers(self, values: Mapping[str, Any]) -> None:
        """Put back what ``numbers`` returned."""
        self.step, self.seconds, self.recent = values["step"], values["seconds"], list(values["recent"])
        self.optimizer.lr, self.optimizer.step_count = values["lr"], values["optimizer_steps"]
        self.history.metrics[:] = values["metrics"]
        self.history.best_accuracy = values["best_accuracy"]

    def snapshot(self) -> Snapshot:
        """A copy of the whole state."""
        return Snapshot({name: array.copy() for name, array in self.arrays().items()}, self.numbers())

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot back, to the bit; the arrays stay where they are in memory."""
        for name, array in self.arrays().items():
            array[...] = snapshot.arrays[name]
        self.set_numbers(snapshot.numbers)

    def broadcast(self, group: Group) -> None:
        """Give every process the state of the first one."""
        self.set_numbers(group.broadcast(self.numbers()))
        self.broadcast_arrays(group)

    def broadcast_arrays(self, group: Group) -> None:
        """Give every process the arrays of the first one."""
        group.broadcast_arrays(list(self.arrays().values()))

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write all that the run needs to go on, and what ``about`` says of the run.  Raises rather than keep NaN.

        Raises DivergedError, RunError if the folder is no longer this run's, and CheckpointError.
        """
        self.history.check_folder()
        best = self.history.best_accuracy
        checkpoint.write(path, self.arrays(), {
            **about, "step": self.step, "recent": self.finite_losses(), "optimizer_steps": self.optimizer.step_count,
            "best_accuracy": None if math.isnan(best) else best})

    def load(self, path: Path, check: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        """Read what ``save`` wrote.  Raises CheckpointError if it does not fit; then nothing is changed.

        check: is given the metadata first, and may raise.
        """
        metadata = checkpoint.load(path, self.model, self.optimizer, self._averages(), check)
        self.step, self.recent = metadata["step"], metadata["recent"]
        if metadata["best_accuracy"] is not None:
            self.history.best_accuracy = metadata["best_accuracy"]

    def finite_losses(self) -> list[float]:
        """The losses since the last line of metrics.  Raises DivergedError before anything bad is saved."""
        losses = [float(loss) for loss in self.recent]
        if not all(map(math.isfinite, losses)):
            raise self.diverged()
        return losses

    def diverged(self) -> DivergedError:
        """The error for a loss that is NaN or infinite."""
        return DivergedError(f"the loss is no longer finite at step {self.step}: try a lower --lr, or more "
                             f"--warmup-steps; {self.history.out} keeps the last good checkpoint, if there was one")
