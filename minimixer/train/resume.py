"""The files that a run leaves so that it can go on: to the bit, from any step, with any number of workers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minimixer import files
from minimixer.train import checkpoint
from minimixer.train.run_folder import CONFIG, is_empty
from minimixer.train.state import TrainState

LAST, BEST, METRICS = "last.safetensors", "best.safetensors", "metrics.jsonl"


def save_best(state: TrainState, about: Mapping[str, Any]) -> None:
    """Write best.safetensors: the weights, and what is needed to use them."""
    checkpoint.save(state.history.out / BEST, state.model, None, {**about, "step": state.step})


def restore(state: TrainState) -> None:
    """Put a run where last.safetensors stands, or at its start if it ended before there was one."""
    out = state.history.out
    if (out / LAST).exists() or not ((out / CONFIG).exists() or is_empty(out)):
        state.load(out / LAST)


def go_back(state: TrainState) -> None:
    """Restore a run, and forget the metrics of what it did after its checkpoint."""
    restore(state)
    out = state.history.out
    metrics = [line for line in read_metrics(out) if line["step"] <= state.step]
    files.write_atomically(out / METRICS, "".join(files.json_text(line) + "\n" for line in metrics).encode())
    state.history.metrics[:] = metrics
    state.seconds = metrics[-1]["seconds"] if metrics else 0.0


def append_metrics(folder: Path, line: Mapping[str, Any]) -> None:
    """Add a line to metrics.jsonl.  Raises CheckpointError if the folder is gone, OSError otherwise."""
    text = files.json_text(line) + "\n"
    try:
        files.append(folder / METRICS, text)
    except FileNotFoundError as error:
        raise checkpoint.unwritten(folder / METRICS, len(text), error) from error


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, up to the first that a sudden end cut short."""
    path, lines = folder / METRICS, []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
