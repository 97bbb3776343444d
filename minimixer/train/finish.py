"""What a complete run does last: the one look at the test images, and its report."""

from signal import SIGINT

import numpy as np

from minimixer.errors import MinimixerError, RunError, explain
from minimixer.parallel.step import score
from minimixer.text import printable
from minimixer.train import report
from minimixer.train.callbacks import Progress, Signaled
from minimixer.train.initialize import Run
from minimixer.train.progress import resume_command


def test_best(run: Run) -> tuple[float, float, np.ndarray]:
    """Mean loss in nats, accuracy in 0..1 and logits (N, classes) on the test images, with the best weights.

    By the first process alone.
    """
    logits = report.logits_of_best(run)
    return *score(logits, run.dataset.test_labels), logits


def write_report(run: Run, progress: Progress, best_logits: np.ndarray | None) -> int:
    """Write the report of a complete run; return the signal that cut it short, 0 for none.  Raises RunError."""
    try:
        progress.at_once = True
        if not progress.signal:
            report.write(run, best_logits)
        return progress.signal
    except (Signaled, KeyboardInterrupt):       # the latter where signals are not received, as in a thread
        return progress.signal or SIGINT
    except MinimixerError:
        raise
    except Exception as error:              # a plotting library that is misconfigured raises anything
        why = explain(error) if isinstance(error, OSError) else f"{type(error).__name__}: {printable(error)}"
        raise RunError(f"the run is complete, but its report could not be written ({why}); then write it with: "
                       f"{resume_command(run.state.history.out)}") from error
    finally:
        progress.at_once = False
