"""What a run says while it runs: on a terminal, in the log of a machine, or in a notebook."""

import importlib
import sys
from html import escape
from typing import TYPE_CHECKING, Any

from minimixer.train.callbacks import Callback
from minimixer.train.rehearsal import Estimate, duration

if TYPE_CHECKING:
    from minimixer.train.loop import Training


def default_reporter() -> Callback:
    """A table that renews itself in a notebook; lines elsewhere."""
    # Only a process that runs IPython can be a notebook, and it has imported it.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return NotebookReporter() if type(shell).__name__ == "ZMQInteractiveShell" else TerminalReporter()


def introduction(training: "Training") -> list[str]:
    """What will be trained, on what, and where it goes."""
    config, dataset = training.config, training.dataset
    workers = training.sharded.workers.count
    begun = f", from step {training.step:,}" if training.step else ""
    threads = f", {workers} thread{'s' * (workers != 1)}" if training.device == "cpu" else ""
    compiled = ", compiled loops" if threads and training.sharded.workers.compiled else ""
    if (size := training.group.size) > 1:
        plan = training.sharded.plan(config.batch_size)
        counts = [sum(stop - start for start, stop in spans) for spans in plan.spans]
        uneven = f", {min(counts)} to {max(counts)} shards of a batch each" if min(counts) < max(counts) else ""
        threads = f", {size} processes{' of' * bool(threads)}{threads.lstrip(',')}{uneven}"
    return [f"{config.model} ({type(training.model).__name__}), {training.model.num_parameters():,} parameters",
            f"{training.device_why}{threads}{compiled}",
            f"{config.data}, {len(dataset.train_images):,} training and {len(dataset.test_images):,} test pictures",
            f"{config.epochs} epochs, {training.total_steps:,} steps of {config.batch_size}{begun}, into "
            f"{training.history.out}",
            *source_lines(training.source),
            *(f"Resumed with {change}" for change in training.resumed_with)]


def source_lines(source: dict[str, Any] | None) -> list[str]:
    """Whose weights a run starts with, and what was done to them."""
    if source is None:
        return []
    return [f"Starts with the weights of {source['init_from']}, step {source['step']}",
            *(f"  {change}" for change in source["changes"])]


def ending(training: "Training") -> list[str]:
    """How it ended and what to do next."""
    out = training.history.out
    if training.history.interrupted is not None:
        return [f"Stopped at step {training.step:,}; all of it is saved.  To go on:",
                f"minimixer train --resume --out {out}"]
    if not training.history.is_tested:
        return [f"Ended at step {training.step:,}; metrics.jsonl holds no test, so there is no report.  Weights: {out}"]
    return [f"Best test accuracy {training.history.best_accuracy:.2%}, {duration(training.history.wall_seconds)}.",
            f"Curves, confusion, mistakes, weights: {out / 'report.md'}"]


def latest_training(training: "Training") -> dict[str, Any]:
    """The last line of metrics.jsonl that a training step wrote."""
    return next(line for line in reversed(training.history.metrics) if "train_loss" in line)


class TerminalReporter(Callback):
    """A live line on a terminal, and a line that stays for every epoch; elsewhere only the lines that stay."""

    def __init__(self, console: Any = None):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        self.console = console or Console(highlight=False, markup=False, soft_wrap=True)
        columns = TextColumn("{task.description}"), BarColumn(bar_width=12), TimeRemainingColumn(compact=True)
        self.live = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self.task = self.live.add_task("")

    def start(self, training: "Training") -> None:
        """Say what begins."""
        for line in introduction(training):
            self.console.print(line)
        self.live.update(self.task, total=training.total_steps, completed=training.step)
        self.live.start()

    def estimate(self, training: "Training", estimate: Estimate) -> None:
        """Say how long it will take."""
        self.console.print(f"Estimate: {estimate}")
        self.live.reset(self.task, total=training.total_steps, completed=training.step)

    def step(self, training: "Training", loss: Any, correct: Any) -> None:
        """Renew the live line."""
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
        """Leave a line."""
        latest = latest_training(training)
        self.console.print(f"epoch {training.epoch:>5.3g}/{training.config.epochs}  "
                           f"loss {latest['train_loss']:.3f}  test: loss {loss:.3f} acc {accuracy:6.2%}  "
                           f"{latest['images_per_second']:,.0f} img/s  {training.seconds:,.0f} s")

    def finish(self, training: "Training") -> None:
        """Say how it ended."""
        self.close()
        for line in ending(training):
            self.console.print(line)

    def close(self) -> None:
        """Take the live line away."""
        self.live.stop()


class NotebookReporter(Callback):
    """One table that renews itself: a row an epoch, and below it where the present one stands."""

    HEAD = ("epoch", "training loss", "test loss", "test accuracy", "images/s", "seconds")

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.above: list[str] = []
        self.html: Any = None
        self.handle: Any = None

    def start(self, training: "Training") -> None:
        """Show the empty table."""
        ipython: Any = importlib.import_module("IPython.display")
        self.above = introduction(training)
        self.html = ipython.HTML
        self.handle = ipython.display(self.html(self._page("")), display_id=True)

    def estimate(self, training: "Training", estimate: Estimate) -> None:
        """Say how long it will take."""
        self.above.append(f"Estimate: {estimate}")
        self._renew("")

    def metrics(self, training: "Training", line: dict[str, Any]) -> None:
        """Say where the run stands."""
        if "train_loss" in line:
            done = training.step / training.total_steps
            self._renew(f"{done:.0%}: epoch {training.epoch:.2f}, loss {line['train_loss']:.3f}, "
                        f"{line['images_per_second']:,.0f} images/s")

    def epoch(self, training: "Training", loss: float, accuracy: float) -> None:
        """Add a row."""
        latest = latest_training(training)
        self.rows.append((f"{training.epoch:.3g}", f"{latest['train_loss']:.3f}", f"{loss:.3f}", f"{accuracy:.2%}",
                          f"{latest['images_per_second']:,.0f}", f"{training.seconds:,.0f}"))
        self._renew("")

    def finish(self, training: "Training") -> None:
        """Say how it ended."""
        self._renew(" ".join(ending(training)))

    def _renew(self, below: str) -> None:
        self.handle.update(self.html(self._page(below)))

    def _page(self, below: str) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f'<{tag} style="text-align: right">{escape(c)}</{tag}>' for c in cells) + "</tr>"

        head = "<br>".join(map(escape, self.above))
        table = row(self.HEAD, "th") + "".join(row(cells, "td") for cells in self.rows)
        return f"<p>{head}</p><table>{table}</table><p>{escape(below)}</p>"
