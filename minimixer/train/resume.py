"""The files that a run leaves so that it can go on: to the bit, from any step, with any number of workers."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minimixer import files
from minimixer.errors import RunError
from minimixer.text import printable
from minimixer.train import checkpoint
from minimixer.train.measured import tests_of
from minimixer.train.origin import check_origin, is_count, is_number
from minimixer.train.run_folder import is_being_replaced
from minimixer.train.state import TrainState

LAST, BEST, METRICS = "last.safetensors", "best.safetensors", "metrics.jsonl"
LARGEST_METRICS = 1 << 30           # bytes


def save_best(state: TrainState, about: Mapping[str, Any]) -> None:
    """Write best.safetensors: the weights, and what is needed to use them."""
    state.history.check_folder()
    checkpoint.save(state.history.out / BEST, state.model, None, {**about, "step": state.step})


def restore(state: TrainState, total_steps: int, origin: Mapping[str, Any]) -> list[str]:
    """Put a run where last.safetensors stands, or at its start if it ended before there was one.

    Parameters
    ----------
    state : TrainState
    total_steps : int
    origin : mapping
        What the run says of itself in its checkpoints, see ``Run``.

    Returns
    -------
    list of str
        What of the machine or its libraries differs from what the checkpoint was made with.

    Raises
    ------
    CheckpointError
        If the checkpoint is damaged, or of another run, another configuration or other data.
    RunError
        If it is gone although the run had one.
    """
    out, notes = state.history.out, list[str]()
    path = out / LAST
    if is_being_replaced(out):
        return []
    if path.exists() or path.is_symlink():
        state.load(path, lambda metadata: notes.extend(check_origin(path, metadata, total_steps, origin)))
        return notes
    metrics = read_metrics(out)
    tested = [line["step"] for line in tests_of(metrics)[1]]
    if tested and metrics[-1]["step"] > tested[0]:      # after each test a checkpoint is written
        raise RunError(f"{printable(path, None)} is gone, and the run was at step {metrics[-1]['step']:,}: restore it, "
                       "or begin anew in another folder with --out")
    return []


def go_back(state: TrainState, total_steps: int, origin: Mapping[str, Any]) -> list[str]:
    """Restore a run, and forget the metrics of what it did after its checkpoint.

    Arguments, errors and result are those of ``restore``; the result also names lost files and unreadable lines.
    """
    notes = restore(state, total_steps, origin)
    out = state.history.out
    if is_being_replaced(out):
        return notes
    if not math.isnan(state.history.best_accuracy) and not (out / BEST).exists():
        state.history.best_accuracy = math.nan
        notes.append(f"no {BEST}, which is gone: from here on the best weights are kept anew")
    parsed = _parsed_metrics(out)
    kept = [(raw, line) for raw, line in parsed if line is None or line["step"] <= state.step]
    if bad := [str(number) for number, (_, line) in enumerate(kept, 1) if line is None]:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        notes.append(f"{METRICS} as it is: line{'s' * (len(bad) > 1)} {', '.join(bad[:5])}{more} cannot be read as "
                     "metrics; kept, but not used")
    files.write_atomically(out / METRICS, b"".join(raw + b"\n" for raw, _ in kept))
    metrics = [line for _, line in kept if line is not None]
    state.history.metrics[:] = metrics
    state.seconds = metrics[-1].get("seconds", 0.0) if metrics else 0.0
    return notes


def append_metrics(folder: Path, line: Mapping[str, Any]) -> None:
    """Add a line to metrics.jsonl.  Raises CheckpointError if the folder is gone, OSError otherwise."""
    text = files.json_text(line) + "\n"
    try:
        files.append(folder / METRICS, text)
    except FileNotFoundError as error:
        raise checkpoint.unwritten(folder / METRICS, len(text), error) from error


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that can be read.  Raises RunError if it is no file of text."""
    return [line for _, line in _parsed_metrics(folder) if line is not None]


def _parsed_metrics(folder: Path) -> list[tuple[bytes, dict[str, Any] | None]]:
    """Each line as it stands in the file and what it says, None for one that is no metrics.

    A last line that a sudden end cut short is left out.
    """
    path = folder / METRICS
    try:
        files.check_regular(path, LARGEST_METRICS)
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except (OSError, files.FileRefusedError) as error:
        raise RunError(f"the metrics cannot be read ({error}): restore the file, or move it away") from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RunError(f"{printable(path, None)} is UTF-16, expected UTF-8: save it as UTF-8, or move it away")
    *lines, last = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    parsed = [(raw, _metrics_of(raw)) for raw in lines if raw.strip()]
    return parsed if _metrics_of(last) is None else [*parsed, (last, _metrics_of(last))]


def _metrics_of(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    fits = isinstance(line, dict) and is_count(line.get("step")) and all(map(is_number, line.values()))
    return line if fits else None
