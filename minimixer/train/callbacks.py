"""What can watch a run, and stop it."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minimixer import files
from minimixer.errors import UsageError
from minimixer.nn import Module
from minimixer.text import printable
from minimixer.train.config import TrainConfig
from minimixer.train.estimate import Estimate
from minimixer.train.state import History, TrainState


class Signaled(BaseException):
    """A signal came while the report is drawn.

    Not a KeyboardInterrupt: where one passes through ``exec``, as in the imports of a plotting library, ``python -m``
    kills its own process by SIGINT at the end, though it was caught.
    """


@dataclass
class Progress:
    """What callbacks are told of a run.  ``stop()`` ends it after the present step, with everything saved.

    Attributes
    ----------
    config : TrainConfig
    state : TrainState
        Where the run stands; look, but do not touch.
    total_steps, steps_per_epoch : int
    class_names : sequence of str
    part : str
        The images that choose the best weights: ``"validation"`` or ``"test"``.
    introduction : sequence of str
        Lines that say what is trained, on what, and where it goes.
    stopping : bool
        Whether ``stop`` was called.
    signal : int
        The signal that ``receive`` was given; 0 for none.
    at_once : bool
        Whether a signal raises Signaled, as while the report is drawn: no step is lost then.
    without_report : bool
        Whether that signal came before the report of the complete run was written.
    """

    config: TrainConfig
    state: TrainState
    total_steps: int
    steps_per_epoch: int
    class_names: Sequence[str] = ()
    part: str = "test"
    introduction: Sequence[str] = ()
    stopping: bool = False
    signal: int = 0
    at_once: bool = False
    without_report: bool = False

    @property
    def model(self) -> Module:
        """The model in training."""
        return self.state.model

    @property
    def history(self) -> History:
        """What the run has measured."""
        return self.state.history

    @property
    def step(self) -> int:
        """Training steps made."""
        return self.state.step

    @property
    def epoch(self) -> float:
        """Passes over the training images."""
        return self.state.step / self.steps_per_epoch

    @property
    def seconds(self) -> float:
        """Time spent on training steps."""
        return self.state.seconds

    def stop(self) -> None:
        """End the run after the present step: test, save and report."""
        self.stopping = True

    def receive(self, signal: int) -> None:
        """End the run after the present step because of a signal: save only."""
        self.signal = signal
        if self.at_once:
            raise Signaled


class Callback:
    """Override the methods you need; each is told the run's ``Progress``.

    What they are told of is on the disk already.  If a method raises, the run is saved, and ends with that exception.
    """

    def start(self, progress: Progress) -> None:
        """Data and model are ready."""

    def estimate(self, progress: Progress, estimate: Estimate) -> None:
        """A few steps were measured; the first one comes now."""

    def step(self, progress: Progress, loss: Any, correct: Any) -> None:
        """A step was made.  Both are 0-d arrays: reading them makes a GPU wait."""

    def metrics(self, progress: Progress, line: dict[str, Any]) -> None:
        """A line was written to metrics.jsonl."""

    def epoch(self, progress: Progress, loss: float, accuracy: float) -> None:
        """The model was tested: mean loss in nats, accuracy in 0..1; the state and the best weights are saved.

        On the images for validation, if there are any, else on those for the test.
        """

    def finish(self, progress: Progress) -> None:
        """The run ended or was interrupted; everything is saved."""

    def close(self) -> None:
        """Always called last, after an error too."""


DISPLAY_LOG = "display.log"      # in the run folder, only where a display has failed


class Display(Callback):
    """Something that only shows a run, and so never ends it: at its first error it is left out.

    A closed terminal, a pipe that nobody reads, or a full disk under a log file ends what is shown, not the work.  The
    error is noted in ``display.log`` in the run folder, and on stderr.
    """

    def __init__(self, shown: Callback):
        self.shown: Callback | None = shown

    def start(self, progress: Progress) -> None:
        """As in ``Callback``, like all others."""
        self._tell(progress, "start")

    def estimate(self, progress: Progress, estimate: Estimate) -> None:
        """Pass it on."""
        self._tell(progress, "estimate", estimate)

    def step(self, progress: Progress, loss: Any, correct: Any) -> None:
        """Pass it on."""
        self._tell(progress, "step", loss, correct)

    def metrics(self, progress: Progress, line: dict[str, Any]) -> None:
        """Pass it on."""
        self._tell(progress, "metrics", line)

    def epoch(self, progress: Progress, loss: float, accuracy: float) -> None:
        """Pass it on."""
        self._tell(progress, "epoch", loss, accuracy)

    def finish(self, progress: Progress) -> None:
        """Pass it on."""
        self._tell(progress, "finish")

    def close(self) -> None:
        """Close what is shown, if it can be closed."""
        shown, self.shown = self.shown, None
        if shown is not None:
            with contextlib.suppress(Exception, SystemExit):
                shown.close()

    def _tell(self, progress: Progress, what: str, *news: Any) -> None:
        if self.shown is None:
            return
        try:
            getattr(self.shown, what)(progress, *news)
        except (Exception, SystemExit) as error:        # Rich leaves the program when a pipe is closed
            name, why = type(self.shown).__name__, f"{type(error).__name__}: {printable(error)}"
            self.close()
            note = f"{name} failed at step {progress.step} ({why}): nothing more is shown, the run goes on"
            with contextlib.suppress(OSError):
                files.append(progress.history.out / DISPLAY_LOG, note + "\n")
            with contextlib.suppress(OSError, ValueError, AttributeError):      # stderr may have failed too
                print(f"minimixer: {note}", file=sys.stderr, flush=True)


class TensorBoard(Callback):
    """Writes every number of metrics.jsonl as TensorBoard events into the run folder."""

    def __init__(self) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise UsageError('--tensorboard needs tensorboardX: pip install "minimixer[tensorboard]"') from None
        self.new_writer = SummaryWriter
        self.writer: Any = None

    def start(self, progress: Progress) -> None:
        """Open the event file; after --resume, hide what was written beyond the checkpoint."""
        first = progress.step + 1 if progress.config.resume else None
        self.writer = self.new_writer(str(progress.history.out), purge_step=first)

    def metrics(self, progress: Progress, line: dict[str, Any]) -> None:
        """Write one event per number."""
        for name, value in line.items():
            if name != "step":
                self.writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        """Flush the events."""
        if self.writer is not None:
            self.writer.close()
