"""The training loop, and what it writes into the run folder."""

import json
import math
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import minimixer
from minimixer import optim, plots
from minimixer.backend import Array, gpu_problem, synchronize, to_device
from minimixer.data import Augmentation, Batches, Prefetch
from minimixer.train import checkpoint
from minimixer.train.config import TrainConfig
from minimixer.train.parallel import ShardedModel, Workers
from minimixer.train.report import Reporter
from minimixer.train.setup import DivergedError, History, build_model, load_data, open_folder


class Training:
    """One run: its data, model, optimiser and schedule, and where it stands."""

    def __init__(self, config: TrainConfig, workers: Workers, reporter: Reporter):
        self.config = config
        self.reporter = reporter
        self.device = "cpu" if config.device == "auto" and gpu_problem() else config.device.replace("auto", "gpu")
        self.dataset = load_data(config)
        self.mean, self.std = self.dataset.channel_statistics()
        self.model = build_model(config, self.dataset).to(self.device)
        self.batches = Batches(self.dataset, config.batch_size, config.seed,
                               Augmentation(config.crop_padding, config.flip), self.device)
        whole = config.epochs * len(self.batches)
        self.total_steps = min(whole, config.max_steps or whole)
        self.schedule = optim.Schedule(config.schedule, config.lr, self.total_steps,
                                       min(config.warmup_steps, self.total_steps // 5))
        params = self.model.parameters()
        self.optimizer = (
            optim.AdamW(params, config.lr, weight_decay=config.weight_decay, decay_vectors=False)
            if config.optimizer == "adamw" else
            optim.SGD(params, config.lr, weight_decay=config.weight_decay, decay_vectors=False))
        self.sharded = ShardedModel(self.model, workers, to_device(self.mean, self.device),
                                    to_device(self.std, self.device), config.label_smoothing, config.seed)
        self.history = History(open_folder(config))
        self.step = 0
        self.seconds = 0.0                      # spent on training steps
        self.recent: list[Any] = []             # losses since the last line of metrics
        self.stop_signal: int | None = None

    @property
    def epoch(self) -> float:
        """Passes over the training pictures so far."""
        return self.step / len(self.batches)

    def run(self) -> History:
        """Train to the end, or until a signal; the folder holds all there is at any moment.

        Raises
        ------
        DivergedError
            If the loss stops being a finite number.
        """
        if self.config.resume:
            self._resume()
        self._write_config()
        self.reporter.start(self)
        with self._signals(), self.reporter, Prefetch(self.batches) as batches:
            mark_time, mark_step = time.perf_counter(), self.step
            while self.step < self.total_steps and self.stop_signal is None:
                loss, correct = self._train_step(*batches[self.step])
                self.reporter.step(self, loss, correct)
                at_epoch_end = self.step % len(self.batches) == 0 or self.step == self.total_steps
                every = self.config.checkpoint_every
                if self.step % self.config.log_every == 0 or at_epoch_end:
                    synchronize(self.device)
                    elapsed = time.perf_counter() - mark_time
                    self.seconds += elapsed
                    self._log_training((self.step - mark_step) * self.config.batch_size / elapsed)
                    if at_epoch_end:
                        self._test()
                    mark_time, mark_step = time.perf_counter(), self.step
                if at_epoch_end or (every and self.step % every == 0):
                    self._save("last")
            if self.stop_signal is not None:
                self._save("last")
        self.history.interrupted = self.stop_signal
        plots.curves(self.history.metrics, self.history.out / "curves.png",
                     f"{self.config.data}, {self.config.model}: {self.model.num_parameters():,} parameters")
        self.reporter.finish(self)
        return self.history

    def _train_step(self, images: Array, labels: Array) -> tuple[Any, Any]:
        loss, correct, gradients = self.sharded.gradients(images, labels, self.step)
        if self.config.clip_norm:
            gradients, _ = optim.clip_by_global_norm(gradients, self.config.clip_norm)
        self.optimizer.lr = self.schedule(self.step)
        self.optimizer.step(gradients)
        self.recent.append(loss)
        self.step += 1
        return loss, correct

    def _log_training(self, images_per_second: float) -> None:
        losses = self._finite_losses()
        self.recent.clear()
        self._write_metrics(train_loss=sum(losses) / len(losses), lr=self.optimizer.lr,
                            images_per_second=round(images_per_second, 1))

    def _finite_losses(self) -> list[float]:
        """The losses since the last line of metrics.  Raises DivergedError before anything bad is saved."""
        losses = [float(loss) for loss in self.recent]
        if not all(map(math.isfinite, losses)):
            raise DivergedError(f"the loss is no longer finite at step {self.step}: try a lower --lr, or more "
                                f"--warmup-steps; {self.history.out} keeps the last good checkpoint, if there was one")
        return losses

    def _test(self) -> None:
        images, labels = (to_device(a, self.device) for a in (self.dataset.test_images, self.dataset.test_labels))
        loss, accuracy = self.sharded.evaluate(images, labels)
        improved = not self.history.best_accuracy >= accuracy
        self._write_metrics(test_loss=loss, test_accuracy=accuracy)
        if improved:
            self._save("best")
        self.reporter.epoch(self, loss, accuracy)

    def _write_metrics(self, **numbers: float) -> None:
        line = {"step": self.step, "epoch": round(self.epoch, 4), **numbers, "seconds": round(self.seconds, 2)}
        self.history.metrics.append(line)
        with open(self.history.out / "metrics.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")

    def _write_config(self) -> None:
        environment = {"minimixer": minimixer.__version__, "python": platform.python_version(),
                       "numpy": minimixer.backend.CPU.xp.__version__, "machine": platform.machine(),
                       "device": self.device, "workers": self.sharded.workers.count}
        content = {"config": asdict(self.config), "model": asdict(self.model.config), "environment": environment}
        (self.history.out / "config.json").write_text(json.dumps(content, indent=2, default=str) + "\n")

    def _save(self, name: str) -> None:
        """Write last.safetensors, from which the run can go on, or best.safetensors, weights only."""
        what_it_is = {"model": asdict(self.model.config), "class_names": self.dataset.class_names,
                      "mean": self.mean.tolist(), "std": self.std.tolist(), "step": self.step}
        if name == "last":
            what_it_is |= {"recent": self._finite_losses()}
        checkpoint.save(self.history.out / f"{name}.safetensors", self.model,
                        self.optimizer if name == "last" else None, what_it_is)

    def _resume(self) -> None:
        """Go back to where last.safetensors stands."""
        metadata = checkpoint.load(self.history.out / "last.safetensors", self.model, self.optimizer)
        self.step = metadata["step"]
        self.recent = metadata["recent"]
        path = self.history.out / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        metrics = [json.loads(line) for line in lines]
        self.history.metrics = [m for m in metrics if m["step"] <= self.step]
        path.write_text("".join(json.dumps(m) + "\n" for m in self.history.metrics))
        self.seconds = self.history.metrics[-1]["seconds"] if self.history.metrics else 0.0

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let the first Ctrl-C or SIGTERM end the run after the step; a second one ends it at once."""
        def remember(number: int, _: Any) -> None:
            self.stop_signal = number
            for handled, handler in previous.items():
                signal.signal(handled, handler)

        previous: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():       # elsewhere Python sets no handlers
            previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def fit(config: TrainConfig, reporter: Reporter | None = None) -> History:
    """Train a Mixer.

    Parameters
    ----------
    config : TrainConfig
    reporter : Reporter, optional
        Where progress is shown; by default on the terminal.

    Returns
    -------
    History

    Raises
    ------
    MinimixerError
        DataError, RunError, CheckpointError, DeviceError or UsageError, if the data, the folder, the checkpoint, the
        device or an option is not as it must be.
    """
    with Workers(config.workers) as workers:
        return Training(config, workers, reporter or Reporter()).run()
