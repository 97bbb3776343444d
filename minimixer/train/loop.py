"""Training, from top to bottom: ``fit`` opens what a run needs, ``train`` is the loop, ``train_step`` is one step."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np

from minimixer import optim
from minimixer.backend import Array, synchronize, to_device, to_numpy, use_matmul_precision
from minimixer.data import Dataset, Prefetch
from minimixer.errors import MinimixerError
from minimixer.nn import Module
from minimixer.owned import remove_leftovers
from minimixer.parallel.group import Group
from minimixer.parallel.launch import open_group
from minimixer.parallel.step import score
from minimixer.parallel.workers import Workers
from minimixer.train import resume
from minimixer.train.callbacks import Callback, Display, Progress, TensorBoard
from minimixer.train.config import TrainConfig
from minimixer.train.estimate import Estimate, measure
from minimixer.train.finish import test_best, write_report
from minimixer.train.initialize import Run, initialize, with_model_of_source
from minimixer.train.inputs import check_inputs, named
from minimixer.train.progress import default_reporter, introduction
from minimixer.train.run_folder import WRITTEN, begin_config, check_saved, check_there, open_folder, versions
from minimixer.train.signals import signals_into
from minimixer.train.source import read_source
from minimixer.train.state import History

WORTH_AN_ESTIMATE = 100     # steps: a shorter run is over before it


def fit(config: TrainConfig, callbacks: Sequence[Callback] = (), reporter: Callback | None = None, *,
        dataset: Dataset | None = None, model: Module | None = None) -> History:
    """Train a model.

    Parameters
    ----------
    config : TrainConfig
    callbacks : sequence of Callback, optional
        They watch the run, and may stop it.  If several processes train together, only the first calls them.
    reporter : Callback, optional
        Shows progress; by default in the notebook or on the terminal.  If it raises, it is left out, and the run goes
        on.
    dataset : Dataset, optional
        Images in place of those that the configuration names: what ``mm.data.load``, ``from_folder`` or
        ``from_arrays`` returns.
    model : Module, optional
        Trained in place of the model that the configuration names, as it is, from the weights that it has: any Module
        that maps normalized images, (B, H, W, channels) of float32, to logits, (B, classes).  In the end it has the
        weights of the last step.  To resume the run, pass a model made by the same code.

    Returns
    -------
    History
        Marked ``interrupted`` if Ctrl-C, SIGTERM or another signal of ``signals.py`` ended the run early; it can be
        resumed.

    Raises
    ------
    MinimixerError
        DataError, RunError, CheckpointError, DeviceError or UsageError, if the data, the folder, the checkpoint, the
        device or a setting is missing, damaged or does not fit, or the model cannot be trained in shards.
    """
    check_inputs(config, dataset, model)
    source = read_source(config.init_from, config.out if config.resume else None)
    config = with_model_of_source(config, source)
    with ExitStack() as stack:
        group = stack.enter_context(open_group(config.distributed))
        every: list[Callback] = []          # stays empty in all processes but the first
        group.on_first(lambda: every.extend([Display(reporter or default_reporter()),
                                             *([Display(TensorBoard())] if config.tensorboard else []), *callbacks]))
        for callback in every:
            stack.callback(callback.close)
        out = group.on_first(lambda: stack.enter_context(open_folder(config, named(config, dataset, model))))
        workers = stack.enter_context(Workers(config.workers or group.threads(), config.kernels))
        run = initialize(config, workers, group, source, out, dataset=dataset, model=model)
        stack.enter_context(use_matmul_precision(config.precision, run.device))
        return train(run, every)


def train(run: Run, callbacks: Sequence[Callback] = ()) -> History:
    """Train to the last step, or until a signal or a callback ends it; what is on the disk is whole at any moment.

    Raises DivergedError if the loss stops being a finite number.
    """
    config, group, state, history = run.config, run.group, run.state, run.state.history
    resumed_with = group.on_first(lambda: begin(run))
    state.broadcast(group)
    part = run.dataset.selection[0]             # of the data, which chooses the best weights
    progress = Progress(config, state, run.total_steps, len(run.batches), run.dataset.class_names, part,
                        introduction(run, resumed_with))
    best_logits: np.ndarray | None = None       # of the images that choose the weights, when they were best

    saved = state.step                          # the step that the disk holds
    news: list[tuple[Any, ...]] = []            # for the callbacks, once it is on the disk

    def write() -> None:
        state.save(history.out / resume.LAST, {**run.about, **run.origin, "epoch": run.epoch})

    def tell(what: str, *about: Any) -> None:
        try:
            for callback in callbacks:
                getattr(callback, what)(progress, *about)
        except Exception:
            if saved != state.step:             # by this process alone: the others do not know of the error
                with suppress(MinimixerError):  # the first error is the one to report
                    write()
            raise

    def log(**numbers: float) -> None:
        line = {"step": state.step, "epoch": round(run.epoch, 4), **numbers, "seconds": round(state.seconds, 2)}
        history.metrics.append(line)
        if group.rank == 0:
            history.check_folder()
            resume.append_metrics(history.out, line)
        news.append(("metrics", line))

    def save() -> None:
        nonlocal saved
        group.on_first(write)
        state.broadcast_arrays(group)           # processors of two kinds may round differently: keep them together
        saved = state.step

    if "own_model" in run.told and not config.resume:
        save()                                  # its first weights are known to nobody else
    tell("start")
    if run.total_steps - state.step >= WORTH_AN_ESTIMATE:
        tell("estimate", measure(run, train_step))
    start = time.perf_counter()
    with signals_into(progress.receive):
        with Prefetch(run.batches) as batches:
            since, first = time.perf_counter(), state.step                  # of the next line of the log
            signal, stopping = asked_to_stop(progress, group)
            while state.step < run.total_steps and not signal and not stopping:
                loss, correct = train_step(run, *batches[state.step])       # forward, backward, update
                tell("step", loss, correct)
                signal, stopping = asked_to_stop(progress, group)
                epoch_ends = state.step % len(run.batches) == 0 or state.step == run.total_steps or stopping
                logs = state.step % config.log_every == 0 or epoch_ends

                if logs:                                                    # log
                    synchronize(run.device)
                    elapsed = time.perf_counter() - since
                    state.seconds += elapsed
                    losses = state.finite_losses()
                    state.recent.clear()
                    log(train_loss=sum(losses) / len(losses), lr=state.optimizer.lr,
                        images_per_second=round((state.step - first) * config.batch_size / elapsed, 1))

                if epoch_ends:                                              # test, with the averaged weights if any
                    with state.ema.in_place_of_parameters() if state.ema is not None else nullcontext():
                        loss_of_test, accuracy, logits = test(run)
                        improved = history.would_be_best(part, accuracy, loss_of_test)
                        if improved:
                            history.best_accuracy, best_logits = accuracy, logits
                        log(**{f"{part}_loss": loss_of_test, f"{part}_accuracy": accuracy})
                        if improved:
                            group.on_first(lambda: resume.save_best(state, run.about))
                    news.append(("epoch", loss_of_test, accuracy))

                if epoch_ends or (config.checkpoint_every and state.step % config.checkpoint_every == 0):
                    save()
                while news:                                                 # all of it is on the disk
                    tell(*news.pop(0))
                if logs:
                    signal, stopping = asked_to_stop(progress, group)
                    since, first = time.perf_counter(), state.step
            if saved != state.step:
                save()
        if part != "test" and not signal and history.is_tested:             # the test images are looked at only now
            test_loss, accuracy, best_logits = group.on_first(lambda: test_best(run))
            if not (history.metrics[-1]["step"] == state.step and "test_accuracy" in history.metrics[-1]):
                log(test_loss=test_loss, test_accuracy=accuracy)
            while news:
                tell(*news.pop(0))
        history.wall_seconds = time.perf_counter() - start
        if not signal and history.is_tested:
            signal = group.on_first(lambda: write_report(run, progress, best_logits))
        history.interrupted = signal or None
        progress.without_report = bool(signal) and state.step == run.total_steps
        tell("finish")
    return history


def train_step(run: Run, images: Array, labels: Array) -> tuple[Any, Any]:
    """Gradients of a batch, clipping, one update; returns loss and number of correct predictions, 0-d arrays."""
    state, clip_norm = run.state, run.config.clip_norm
    loss, correct, gradients = run.sharded.gradients(images, labels, state.step, run.config.batch_size)
    factor = optim.clip_factor(gradients, clip_norm)[0] if clip_norm else None
    state.optimizer.lr = run.schedule(state.step)
    state.optimizer.step(gradients, factor)
    state.recent.append(loss)
    state.step += 1
    if state.ema is not None:
        state.ema.update(state.step)
    return loss, correct


def test(run: Run) -> tuple[float, float, np.ndarray]:
    """Mean loss in nats, accuracy in 0..1 and logits (N, classes) on the images that choose the weights.

    Raises DivergedError.
    """
    images, labels = (to_device(a, run.device) for a in run.dataset.selection[1:])
    logits = run.sharded.predict(images)
    loss, accuracy = score(logits, labels)
    if not math.isfinite(loss):
        raise run.state.diverged()
    return loss, accuracy, to_numpy(logits)


def begin(run: Run) -> list[str]:
    """Bring folder and state to where the run starts or goes on; returns what differs from the resumed run's settings.

    Only the first process does this; nothing was changed before.
    """
    config, out, workers, resumed_with = run.config, run.state.history.out, run.sharded.workers, list[str]()
    environment = {**versions(), **run.origin["environment"], "processes": run.group.size, "workers": workers.count,
                   "compiled": workers.compiled}
    if config.resume:
        remove_leftovers(out, WRITTEN)
        resumed_with = list(dict.fromkeys([*check_saved(out, config),
                                           *resume.go_back(run.state, run.total_steps, run.origin)]))
    begin_config(out, config, environment=environment, begun=run.origin["begun"],
                 model=run.about["model"], source=run.source, **run.told)
    return resumed_with


def asked_to_stop(progress: Progress, group: Group) -> tuple[int, bool]:
    """The signal (0 for none), and whether a callback asked; all processes agree, and so end after the same step."""
    agreed = group.all_reduce_max(2 * progress.signal + progress.stopping)
    return agreed // 2, bool(agreed % 2)


def estimate(config: TrainConfig, *, dataset: Dataset | None = None, model: Module | None = None) -> Estimate:
    """Measure a few steps of a run and say how long it would take; nothing is written.

    Parameters and errors are those of ``fit``; a given model keeps its weights.
    """
    check_inputs(config, dataset, model)
    if config.resume and config.out is not None:
        check_there(config.out)
    source = read_source(config.init_from, config.out if config.resume else None)
    config = with_model_of_source(config, source)
    with (open_group(config.distributed) as group,
          Workers(config.workers or group.threads(), config.kernels) as workers):
        run = initialize(config, workers, group, source, out := config.out or Path(), dataset=dataset, model=model)
        with use_matmul_precision(config.precision, run.device):
            if config.resume:
                group.on_first(lambda: check_saved(out, config))
                group.on_first(lambda: resume.restore(run.state, run.total_steps, run.origin))
                run.state.broadcast(group)
            return measure(run, train_step)
