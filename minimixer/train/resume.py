"""What a run leaves so that it can go on, and how it goes on: to the bit, from any step, with any number of workers.

No state of a random generator is kept, since the numbers of a step follow from its position (data/batches.py).
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minimixer.backend import to_device
from minimixer.train import checkpoint
from minimixer.train.folder import check_resumed, is_empty, read_config

if TYPE_CHECKING:
    from minimixer.train.loop import Training

LAST, BEST, METRICS = "last.safetensors", "best.safetensors", "metrics.jsonl"


def save_best(training: "Training") -> None:
    """Write best.safetensors: the weights, and what is needed to use them."""
    checkpoint.save(training.history.out / BEST, training.model, None, _what_it_is(training))


def save_last(training: "Training") -> None:
    """Write last.safetensors: all that the run needs to go on.  Raises DivergedError rather than keep NaN."""
    best = training.history.best_accuracy
    metadata = {**_what_it_is(training), "epoch": training.epoch, "recent": training.finite_losses(),
                "best_accuracy": None if math.isnan(best) else best}
    ema = training.ema
    extra = {} if ema is None else {"ema": dict(zip(_names(training), ema.means, strict=True))}
    checkpoint.save(training.history.out / LAST, training.model, training.optimizer, metadata, extra)


def restore(training: "Training") -> None:
    """Put a run where last.safetensors stands, or at its start if it was ended before there was one."""
    out = training.history.out
    saved = read_config(out)
    if saved is not None:
        training.resumed_with = check_resumed(saved, training.config)
    if (out / LAST).exists() or (saved is None and not is_empty(out)):
        metadata = checkpoint.load(out / LAST, training.model, training.optimizer)
        training.step, training.recent = metadata["step"], metadata["recent"]
        if metadata["best_accuracy"] is not None:
            training.history.best_before = metadata["best_accuracy"]
        if training.ema is not None:
            means = checkpoint.group(checkpoint.read(out / LAST)[0], "ema")
            training.ema.means = [to_device(means[name], training.device) for name in _names(training)]


def go_back(training: "Training") -> None:
    """Restore a run, and forget the metrics of what it did after its checkpoint."""
    restore(training)
    out = training.history.out
    metrics = [line for line in read_metrics(out) if line["step"] <= training.step]
    checkpoint.write_atomically(out / METRICS, "".join(json.dumps(line) + "\n" for line in metrics).encode())
    training.history.metrics = metrics
    training.seconds = metrics[-1]["seconds"] if metrics else 0.0


def follow_first(training: "Training") -> None:
    """Put every process where the first one stands: it alone has read the folder."""
    where = training.group.tell((training.step, training.recent, training.seconds, training.optimizer.step_count,
                                 training.history.metrics, training.history.best_before))
    (training.step, training.recent, training.seconds, training.optimizer.step_count, training.history.metrics,
     training.history.best_before) = where
    training.group.follow(training.arrays())


def _what_it_is(training: "Training") -> dict[str, Any]:
    return {"model_name": training.config.model, "model": asdict(training.model.config),
            "class_names": training.dataset.class_names, "mean": training.mean.tolist(), "std": training.std.tolist(),
            "data": training.config.data, "side": training.dataset.train_images.shape[1], "step": training.step}


def _names(training: "Training") -> list[str]:
    return [name for name, _ in training.model.named_parameters()]


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl of a run up to the first that a sudden end cut short."""
    path, lines = folder / METRICS, []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
