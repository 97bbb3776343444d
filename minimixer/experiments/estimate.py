"""How long an experiment would take, from a few steps of each of its models."""

from itertools import product
from typing import Any

from minimixer.experiments.lab import Lab, timed
from minimixer.experiments.learning import KINDS
from minimixer.experiments.rates import OPTIMIZERS, START
from minimixer.experiments.runs import Arm, Runs

TESTS = 1.5         # tests on all test images that a run's tests amount to: five on the first 2,000, one on all


def estimate(module: Any, lab: Lab, minutes: float) -> float:
    """Seconds that an experiment would take.

    Models that cost the same are timed once.  Nothing is searched or written: every family has the first learning rate
    of the search.

    Parameters
    ----------
    module : module
        Of the experiment.
    lab : Lab
    minutes : float
        What it took before; returned for an experiment that trains nothing.
    """
    if not hasattr(module, "training"):
        return 60 * minutes
    lab.rates.update({(kind, optimizer): START[optimizer] for kind, optimizer in product(KINDS, OPTIMIZERS)})
    known: dict[str, tuple[float, float]] = {}
    total = 0.0
    for arm, count in planned(module, lab):
        given = module.training(lab, arm, 0)
        model = given.model
        layers = "" if model is None else ", ".join(type(part).__name__ for part in vars(model).values())
        blocks = [] if model is None else [type(getattr(block, "token_mixing", block)).__name__
                                           for block in getattr(model, "blocks", [])]
        cost = repr((given.config.model, given.config.patch_size, given.config.optimizer, given.config.batch_size,
                     given.config.crop_padding, model and getattr(model, "config", None), layers, blocks,
                     len(given.dataset.test_images)))
        if cost not in known:
            found = timed(lab, given)
            known[cost] = found.seconds_per_step, found.seconds_per_test
            print(f"{arm.name}: {1e3 * found.seconds_per_step:.1f} ms a step, {found.seconds_per_test:.1f} s a test",
                  flush=True)
        per_step, per_test = known[cost]
        total += count * ((given.config.max_steps or 0) * per_step + TESTS * per_test)
    return total


def planned(module: Any, lab: Lab) -> list[tuple[Arm, float]]:
    """The arms to time, and how many runs each makes."""
    if hasattr(module, "planned"):
        return list(module.planned(lab))
    return [(arm, 1 if arm.once else lab.options.seeds) for arm in module.arms(lab, Runs([]))]
