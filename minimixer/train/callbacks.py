"""What may watch a run, and stop it."""

from typing import TYPE_CHECKING, Any

from minimixer.errors import UsageError

if TYPE_CHECKING:
    from minimixer.train.loop import Training
    from minimixer.train.rehearsal import Estimate


class Callback:
    """Override what you need; every method is told the run.  ``training.stop()`` ends it after the present step."""

    def start(self, training: "Training") -> None:
        """Data and model are there."""

    def estimate(self, training: "Training", estimate: "Estimate") -> None:
        """A few steps were measured; the first one comes now."""

    def step(self, training: "Training", loss: Any, correct: Any) -> None:
        """A step was made.  Both are 0-d arrays: reading them makes a GPU wait."""

    def metrics(self, training: "Training", line: dict[str, Any]) -> None:
        """A line was written to metrics.jsonl."""

    def epoch(self, training: "Training", loss: float, accuracy: float) -> None:
        """The model was tested: mean loss in nats, share of right answers in 0..1."""

    def finish(self, training: "Training") -> None:
        """The run came to its end, or was interrupted; everything is saved."""

    def close(self) -> None:
        """Always called last, after an error too."""


class TensorBoard(Callback):
    """Writes every number of metrics.jsonl as TensorBoard events into the run folder."""

    def __init__(self) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise UsageError('--tensorboard needs tensorboardX: pip install "minimixer[tensorboard]"') from None
        self.new_writer = SummaryWriter
        self.writer: Any = None

    def start(self, training: "Training") -> None:
        """Open the event file; after --resume, what was written beyond the checkpoint is hidden."""
        first = training.step + 1 if training.config.resume else None
        self.writer = self.new_writer(str(training.history.out), purge_step=first)

    def metrics(self, training: "Training", line: dict[str, Any]) -> None:
        """Write one event a number."""
        for name, value in line.items():
            if name != "step":
                self.writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        """Flush the events."""
        if self.writer is not None:
            self.writer.close()
