"""The training loop, and what it writes into the run folder while it runs."""

import json
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minimixer import optim
from minimixer.backend import Array, choose_device, set_matmul_precision, synchronize, to_device, to_numpy
from minimixer.data import Batches, Dataset, Prefetch, known
from minimixer.errors import UsageError
from minimixer.nn import Model
from minimixer.train import checkpoint, results, resume
from minimixer.train.callbacks import Callback, TensorBoard
from minimixer.train.config import TrainConfig
from minimixer.train.folder import check_there, clear, open_folder, versions, write_config
from minimixer.train.group import Group, open_group
from minimixer.train.parallel import ShardedModel, Workers, score
from minimixer.train.rehearsal import Estimate, rehearse
from minimixer.train.report import default_reporter
from minimixer.train.setup import DivergedError, History, signals_into
from minimixer.train.source import start, with_model_of_source

WORTH_AN_ESTIMATE = 100     # steps: a shorter run is over before it


class Training:
    """One run: its data, model, optimiser and schedule, and where it stands.

    ``dataset`` and ``model`` take the place of those that the configuration names, for experiments whose pictures are
    changed or whose model has no name.
    """

    def __init__(self, config: TrainConfig, workers: Workers, out: Path, callbacks: Sequence[Callback] = (),
                 group: Group | None = None, *, dataset: Dataset | None = None, model: Model | None = None):
        self.config = config
        self.callbacks = callbacks
        self.group = group or Group()
        self.device, self.device_why = choose_device(config.device)
        set_matmul_precision(config.precision, self.device)
        self.group.use(self.device)
        self.dataset = self.group.load(
            lambda: dataset or known.load(config.data, config.data_dir, config.download))
        self.model, self.mean, self.std, self.source = start(config, self.dataset, model)
        self.model.to(self.device)
        self.sharded = ShardedModel(self.model, workers, to_device(self.mean, self.device),
                                    to_device(self.std, self.device), config.label_smoothing, config.seed,
                                    self.dataset.train_images.shape[1], self.group, config.graph)
        if config.batch_size < self.group.size:
            raise UsageError(f"--batch-size is {config.batch_size}, and {self.group.size} processes share a batch: "
                             "expected at least one picture for each")
        self.batches = Batches(self.dataset, config.batch_size, config.seed, config.augmentation(), self.device,
                               self.sharded.plan(config.batch_size).pictures)
        whole = config.epochs * len(self.batches)
        self.total_steps = min(whole, config.max_steps or whole)
        self.schedule = optim.Schedule(config.schedule, config.lr, self.total_steps,
                                       min(config.warmup_steps, self.total_steps // 5))
        params = self.model.parameters()
        self.optimizer = (
            optim.AdamW(params, config.lr, weight_decay=config.weight_decay, decay_vectors=False)
            if config.optimizer == "adamw" else
            optim.SGD(params, config.lr, weight_decay=config.weight_decay, decay_vectors=False))
        self.ema = optim.EMA(params, config.ema) if config.ema else None
        self.history = History(out)
        self.step = 0
        self.seconds = 0.0                      # spent on training steps
        self.recent: list[Any] = []             # losses since the last line of metrics
        self.stop_signal: int | None = None     # what all processes have agreed on:
        self.stopping = False                   # by a callback
        self._asked_to_stop: dict[str, int] = {"signal": 0, "callback": 0}      # what this one has been asked for
        self.resumed_with: list[str] = []       # what differs from the run's own configuration
        self.best_logits: Array | None = None   # of the test pictures, when they were best

    def arrays(self) -> list[Array]:
        """All that a step changes: weights, what the optimiser remembers, averaged weights."""
        remembered = [array for arrays in self.optimizer.state.values() for array in arrays]
        return [p.data for p in self.optimizer.params] + remembered + (self.ema.means if self.ema is not None else [])

    @property
    def epoch(self) -> float:
        """Passes over the training pictures so far."""
        return self.step / len(self.batches)

    def stop(self) -> None:
        """End the run after the present step, with everything saved."""
        self._asked_to_stop["callback"] = 1

    def run(self) -> History:
        """Train to the end, or until a signal; the folder holds all there is at any moment.

        Raises
        ------
        DivergedError
            If the loss stops being a finite number.
        """
        self.group.on_first(self._begin)
        resume.follow_first(self)
        self._tell("start")
        if self.total_steps - self.step >= WORTH_AN_ESTIMATE:
            self._tell("estimate", rehearse(self))
        start = time.perf_counter()
        with signals_into(self.receive), Prefetch(self.batches) as batches:
            self._train(batches)
            if self.step < self.total_steps:
                self._save()
        self.history.interrupted = self.stop_signal
        self.history.wall_seconds = time.perf_counter() - start
        if self.history.interrupted is None and self.history.is_tested:
            self.group.on_first(lambda: results.write(self))
        self._tell("finish")
        return self.history

    def _begin(self) -> None:
        if self.config.resume:
            checkpoint.remove_leftovers(self.history.out)
            resume.go_back(self)
        elif self.config.overwrite:
            clear(self.history.out)             # only now, when all that may be wrong has been looked at
        workers = self.sharded.workers
        environment = {**versions(), "device": self.device, "processes": self.group.size, "workers": workers.count,
                       "compiled": workers.compiled}
        write_config(self.history.out, self.config, model=asdict(self.model.config), environment=environment,
                     source=self.source)

    def _save(self) -> None:
        self.group.on_first(lambda: resume.save_last(self))
        self.group.follow(self.arrays())        # processors of two kinds may round differently: they do not drift apart

    def _train(self, batches: Prefetch) -> None:
        mark_time, mark_step = time.perf_counter(), self.step
        every = self.config.checkpoint_every
        self._agree_to_stop()
        while self.step < self.total_steps and self.stop_signal is None and not self.stopping:
            loss, correct = self.train_step(*batches[self.step])
            self._tell("step", loss, correct)
            self._agree_to_stop()
            at_epoch_end = self.step % len(self.batches) == 0 or self.step == self.total_steps or self.stopping
            if self.step % self.config.log_every == 0 or at_epoch_end:
                synchronize(self.device)
                elapsed = time.perf_counter() - mark_time
                self.seconds += elapsed
                self._log_training((self.step - mark_step) * self.config.batch_size / elapsed)
                if at_epoch_end:
                    self._test()
                self._agree_to_stop()
                mark_time, mark_step = time.perf_counter(), self.step
            if at_epoch_end or (every and self.step % every == 0):
                self._save()

    def receive(self, signal_number: int) -> None:
        """End the run after the present step because of a signal."""
        self._asked_to_stop["signal"] = signal_number

    def _agree_to_stop(self) -> None:
        """Let all processes know what one was asked for, so that they end after the same step."""
        asked = self._asked_to_stop
        agreed = self.group.largest(2 * asked["signal"] + asked["callback"])
        self.stop_signal = agreed // 2 or None
        self.stopping = bool(agreed % 2)

    def _tell(self, what: str, *news: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, what)(self, *news)

    def train_step(self, images: Array, labels: Array) -> tuple[Any, Any]:
        """Gradients of a batch, clipping, one update; the loss and the number of right answers, 0-d arrays."""
        loss, correct, gradients = self.sharded.gradients(images, labels, self.step, self.config.batch_size)
        factor = optim.clip_factor(gradients, self.config.clip_norm)[0] if self.config.clip_norm else None
        self.optimizer.lr = self.schedule(self.step)
        self.optimizer.step(gradients, factor)
        self.recent.append(loss)
        self.step += 1
        if self.ema is not None:
            self.ema.update(self.step)
        return loss, correct

    def _log_training(self, images_per_second: float) -> None:
        losses = self.finite_losses()
        self.recent.clear()
        self._write_metrics(train_loss=sum(losses) / len(losses), lr=self.optimizer.lr,
                            images_per_second=round(images_per_second, 1))

    def finite_losses(self) -> list[float]:
        """The losses since the last line of metrics.  Raises DivergedError before anything bad is saved."""
        losses = [float(loss) for loss in self.recent]
        if not all(map(math.isfinite, losses)):
            raise self._diverged()
        return losses

    def _diverged(self) -> DivergedError:
        return DivergedError(f"the loss is no longer finite at step {self.step}: try a lower --lr, or more "
                             f"--warmup-steps; {self.history.out} keeps the last good checkpoint, if there was one")

    def _test(self) -> None:
        images, labels = (to_device(a, self.device) for a in (self.dataset.test_images, self.dataset.test_labels))
        # What is tested and kept as the best are the averaged weights, if the run averages.
        with self.ema.in_place_of_parameters() if self.ema is not None else nullcontext():
            logits = self.sharded.predict(images)
            loss, accuracy = score(logits, labels)
            if not math.isfinite(loss):
                raise self._diverged()
            improved = not self.history.best_accuracy >= accuracy
            self._write_metrics(test_loss=loss, test_accuracy=accuracy)
            if improved:
                self.best_logits = to_numpy(logits)
                self.group.on_first(lambda: resume.save_best(self))
        self._tell("epoch", loss, accuracy)

    def _write_metrics(self, **numbers: float) -> None:
        line = {"step": self.step, "epoch": round(self.epoch, 4), **numbers, "seconds": round(self.seconds, 2)}
        self.history.metrics.append(line)
        if self.group.rank:
            return
        checkpoint.append(self.history.out / resume.METRICS, json.dumps(line) + "\n")
        self._tell("metrics", line)


def fit(config: TrainConfig, callbacks: Sequence[Callback] = (), reporter: Callback | None = None) -> History:
    """Train a Mixer.

    Parameters
    ----------
    config : TrainConfig
    callbacks : sequence of Callback, optional
        They watch the run, and may stop it; of several processes, those of the first.
    reporter : Callback, optional
        Where progress is shown; by default in the notebook or on the terminal.

    Returns
    -------
    History
        Marked ``interrupted`` if Ctrl-C or SIGTERM ended it early; it can be resumed.

    Raises
    ------
    MinimixerError
        DataError, RunError, CheckpointError, DeviceError or UsageError, if the data, the folder, the checkpoint, the
        device or an option is not as it must be.
    """
    config = with_model_of_source(config)
    with ExitStack() as stack:
        group = stack.enter_context(open_group(config.distributed))
        every: list[Callback] = []          # of the first process alone
        group.on_first(lambda: every.extend([reporter or default_reporter(),
                                             *([TensorBoard()] if config.tensorboard else []), *callbacks]))
        for callback in every:
            stack.callback(callback.close)
        out = group.on_first(lambda: stack.enter_context(open_folder(config)))
        workers = stack.enter_context(Workers(config.workers or group.threads(), config.compiled))
        return Training(config, workers, out, every, group).run()


def estimate(config: TrainConfig) -> Estimate:
    """Measure a few steps of a run and say how long it would take; nothing is written.  Raises as ``fit`` does."""
    if config.resume and config.out is not None:
        check_there(config.out)
    with (open_group(config.distributed) as group,
          Workers(config.workers or group.threads(), config.compiled) as workers):
        training = Training(with_model_of_source(config), workers, config.out or Path(), group=group)
        if config.resume:
            group.on_first(lambda: resume.restore(training))
            resume.follow_first(training)
        return rehearse(training)
