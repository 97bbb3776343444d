"""What a run says while it runs."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from minimixer.train.loop import Training


class Reporter:
    """A live line on a terminal, and a line that stays for every epoch; elsewhere only the lines that stay."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console(highlight=False, markup=False, soft_wrap=True)
        columns = TextColumn("{task.description}"), BarColumn(bar_width=12), TimeRemainingColumn(compact=True)
        self.live = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self.task = self.live.add_task("")

    def __enter__(self) -> "Reporter":
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def start(self, training: "Training") -> None:
        """Say what will be trained, on what, and where it goes."""
        config, dataset = training.config, training.dataset
        workers = training.sharded.workers.count
        where = f"{workers} thread{'s' * (workers != 1)}" if training.device == "cpu" else "the GPU"
        begun = f", from step {training.step:,}" if training.step else ""
        self.console.print(f"{config.model} Mixer, {training.model.num_parameters():,} parameters, on {where}")
        self.console.print(f"{config.data}, {len(dataset.train_images):,} training and {len(dataset.test_images):,} "
                           "test pictures")
        self.console.print(f"{config.epochs} epochs, {training.total_steps:,} steps of {config.batch_size}{begun}, "
                           f"into {training.history.out}")
        self.live.update(self.task, total=training.total_steps, completed=training.step)

    def step(self, training: "Training", loss: Any, correct: Any) -> None:
        """Renew the live line after a training step."""
        if self.live.disable:
            return
        task = self.live.tasks[0]
        rate = f"{training.config.batch_size * task.speed:,.0f} images/s" if task.speed else ""
        text = ""
        if training.step % 5 == 0 or not task.description:          # reading the loss makes a GPU wait
            text = (f"epoch {training.epoch:5.2f}  loss {float(loss):.3f}  "
                    f"acc {float(correct) / training.config.batch_size:5.1%}  {rate}")
        self.live.update(self.task, completed=training.step, description=text or task.description)

    def epoch(self, training: "Training", loss: float, accuracy: float) -> None:
        """Leave a line at the end of an epoch."""
        latest = next(m for m in reversed(training.history.metrics) if "train_loss" in m)
        self.console.print(f"epoch {training.epoch:>5.3g}/{training.config.epochs}  "
                           f"loss {latest['train_loss']:.3f}  test: loss {loss:.3f} acc {accuracy:6.2%}  "
                           f"{latest['images_per_second']:,.0f} images/s  {training.seconds:,.0f} s")

    def finish(self, training: "Training") -> None:
        """Say how it ended and what to do next."""
        out = training.history.out
        if training.history.interrupted is not None:
            self.console.print(f"Stopped at step {training.step:,}; all of it is saved.  To go on, give the same "
                               f"command with --resume --out {out}")
            return
        self.console.print(f"Best test accuracy {training.history.best_accuracy:.2%}, {training.seconds:,.0f} s of "
                           f"training.  Curves, metrics, weights: {out}")
