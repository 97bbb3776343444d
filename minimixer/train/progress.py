"""Prints the progress of a run: on a terminal, into a log file, or in a notebook."""

import importlib
import sys
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from minimixer.errors import command_line
from minimixer.nn import MlpMixer
from minimixer.text import printable
from minimixer.train.callbacks import Callback, Progress
from minimixer.train.estimate import Estimate, duration
from minimixer.train.initialize import Run
from minimixer.train.measured import best_of, counted, last_test, tests_of
from minimixer.train.signals import name_of

REFRESH = 0.1       # seconds between two states of the live line, at least


def default_reporter() -> Callback:
    """A live table in a notebook; lines elsewhere."""
    # Only a process that has imported IPython can be a notebook.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return NotebookReporter() if type(shell).__name__ == "ZMQInteractiveShell" else TerminalReporter()


def introduction(run: Run, resumed_with: Sequence[str] = ()) -> list[str]:
    """What will be trained, on what, and where it goes."""
    config, dataset, state, workers = run.config, run.dataset, run.state, run.sharded.workers
    begun = f", from step {state.step:,}" if state.step else ""
    threads = f", {workers.count} thread{'s' * (workers.count != 1)}" if run.device == "cpu" else ""
    compiled = ", compiled loops" if threads and workers.compiled else ""
    if (size := run.group.size) > 1:
        plan = run.sharded.plan(config.batch_size)
        counts = [sum(stop - start for start, stop in spans) for spans in plan.spans]
        uneven = f", {min(counts)} to {max(counts)} shards of a batch each" if min(counts) < max(counts) else ""
        threads = f", {size} processes{' of' * bool(threads)}{threads.lstrip(',')}{uneven}"
    return [f"{run.model_name} ({type(state.model).__name__}), {state.model.num_parameters():,} parameters",
            f"{run.device_why}{threads}{compiled}",
            f"{dataset.name}, {counted(dataset)}",
            f"{config.epochs} epochs, {run.total_steps:,} steps of {config.batch_size}{begun}, into "
            f"{state.history.out}",
            *run.notes,
            *source_lines(run.source),
            *(f"Resumed with {change}" for change in resumed_with)]


def source_lines(source: dict[str, Any] | None) -> list[str]:
    """The weights that a run starts with, and what was changed."""
    if source is None:
        return []
    return [f"Starts with the weights of {source['init_from']}, step {source['step']}",
            *(f"  {change}" for change in source["changes"])]


def ending(progress: Progress) -> list[str]:
    """How the run ended, and what to do next."""
    out = progress.history.out
    if (signal := progress.history.interrupted) is not None:
        left = "the run is complete, without its report.  To write it:" if progress.without_report else (
               "all of it is saved.  To go on:")
        return [f"Stopped at step {progress.step:,} by {name_of(signal)}; {left}", resume_command(out)]
    if not progress.history.is_tested:
        return [f"Ended at step {progress.step:,}; metrics.jsonl holds no test, so there is no report.  Weights: {out}"]
    metrics, part = progress.history.metrics, progress.part
    final = last_test(metrics) if part != "test" else None
    tested = [f"With the best weights, {final['test_accuracy']:.2%} of the test images."] if final else []
    return [f"{part.capitalize()} accuracy {tests_of(metrics)[1][-1][f'{part}_accuracy']:.2%} after the last epoch, "
            f"{duration(progress.history.wall_seconds)}.",
            f"Best: {best_of(metrics)}.", *tested,
            f"Curves, confusion, mistakes, weights: {out / 'report.md'}"]


def resume_command(out: Path) -> str:
    """The command that goes on with a run, to be pasted into a shell."""
    return command_line("minimixer", "train", "--resume", "--out", out)


def latest_training(progress: Progress) -> dict[str, Any]:
    """The last line of metrics.jsonl with a training loss."""
    return next(line for line in reversed(progress.history.metrics) if "train_loss" in line)


class TerminalReporter(Callback):
    """A live line on a terminal, and a permanent line per epoch; elsewhere only the permanent lines."""

    def __init__(self, console: Any = None):
        import rich.progress as bars
        from rich.console import Console
        self.console = console or Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        columns = (bars.TextColumn("{task.description}"), bars.BarColumn(bar_width=12),
                   bars.TimeRemainingColumn(compact=True))
        # Without a thread of its own, whose errors nobody could catch: every step may draw the line anew.
        self.live = bars.Progress(*columns, console=self.console, transient=True, auto_refresh=False,
                                  disable=not self.console.is_terminal)
        self.task = self.live.add_task("")
        self.drawn = 0.0

    def start(self, progress: Progress) -> None:
        """Print what begins."""
        for line in progress.introduction:
            self.console.print(printable(line, None))
        self.live.update(self.task, total=progress.total_steps, completed=progress.step)
        self.live.start()

    def estimate(self, progress: Progress, estimate: Estimate) -> None:
        """Print how long it will take."""
        self.console.print(f"Estimate: {estimate}")
        self.live.reset(self.task, total=progress.total_steps, completed=progress.step)

    def step(self, progress: Progress, loss: Any, correct: Any) -> None:
        """Update the live line."""
        if self.live.disable:
            return
        task = self.live.tasks[0]
        rate = f"{progress.config.batch_size * task.speed:,.0f} images/s" if task.speed else ""
        text = ""
        if progress.step % 5 == 0 or not task.description:          # reading the loss makes a GPU wait
            text = (f"epoch {progress.epoch:5.2f}  loss {float(loss):.3f}  "
                    f"acc {float(correct) / progress.config.batch_size:5.1%}  {rate}")
        if due := (now := time.monotonic()) - self.drawn >= REFRESH:
            self.drawn = now
        self.live.update(self.task, completed=progress.step, description=text or task.description, refresh=due)

    def epoch(self, progress: Progress, loss: float, accuracy: float) -> None:
        """Print the epoch's line."""
        latest = latest_training(progress)
        self.console.print(f"epoch {progress.epoch:>5.3g}/{progress.config.epochs}  "
                           f"loss {latest['train_loss']:.3f}  {progress.part}: loss {loss:.3f} acc {accuracy:6.2%}  "
                           f"{latest['images_per_second']:,.0f} img/s  {progress.seconds:,.0f} s")

    def finish(self, progress: Progress) -> None:
        """Print how the run ended."""
        self.close()
        for line in ending(progress):
            self.console.print(printable(line, None))
        if self.console.is_terminal and progress.history.interrupted is None and isinstance(progress.model, MlpMixer):
            command = command_line("minimixer", "play", progress.history.out)
            self.console.print(printable(f"See it: {command}", None))

    def close(self) -> None:
        """Remove the live line."""
        self.live.stop()


class NotebookReporter(Callback):
    """A live table: a row per epoch, and below it where the current one stands."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.above: list[str] = []
        self.html: Any = None
        self.handle: Any = None
        self.part = "test"

    def start(self, progress: Progress) -> None:
        """Show the empty table."""
        self.part = progress.part
        ipython: Any = importlib.import_module("IPython.display")
        self.above = [printable(line, None) for line in progress.introduction]
        self.html = ipython.HTML
        self.handle = ipython.display(self.html(self._page("")), display_id=True)

    def estimate(self, progress: Progress, estimate: Estimate) -> None:
        """Print how long it will take."""
        self.above.append(f"Estimate: {estimate}")
        self._renew("")

    def metrics(self, progress: Progress, line: dict[str, Any]) -> None:
        """Print where the run stands."""
        if "train_loss" in line:
            done = progress.step / progress.total_steps
            self._renew(f"{done:.0%}: epoch {progress.epoch:.2f}, loss {line['train_loss']:.3f}, "
                        f"{line['images_per_second']:,.0f} images/s")

    def epoch(self, progress: Progress, loss: float, accuracy: float) -> None:
        """Add a row."""
        latest = latest_training(progress)
        self.rows.append((f"{progress.epoch:.3g}", f"{latest['train_loss']:.3f}", f"{loss:.3f}", f"{accuracy:.2%}",
                          f"{latest['images_per_second']:,.0f}", f"{progress.seconds:,.0f}"))
        self._renew("")

    def finish(self, progress: Progress) -> None:
        """Print how the run ended."""
        self._renew(printable(" ".join(ending(progress)), None))

    def _renew(self, below: str) -> None:
        self.handle.update(self.html(self._page(below)))

    def _page(self, below: str) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f'<{tag} style="text-align: right">{escape(c)}</{tag}>' for c in cells) + "</tr>"

        head = "<br>".join(map(escape, self.above))
        heads = ("epoch", "training loss", f"{self.part} loss", f"{self.part} accuracy", "images/s", "seconds")
        table = row(heads, "th") + "".join(row(cells, "td") for cells in self.rows)
        return f"<p>{head}</p><table>{table}</table><p>{escape(below)}</p>"
