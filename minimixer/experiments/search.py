"""The search for a learning rate on validation images, which are a tenth of the training images."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from minimixer.data import Dataset
from minimixer.data.notes import Notes
from minimixer.data.parts import cut
from minimixer.experiments.figures import finite
from minimixer.experiments.lab import Lab
from minimixer.experiments.learning import Curve, Training, learn
from minimixer.experiments.report import ACCURACY, accuracy_of, failures
from minimixer.experiments.runs import Arm, Runs, number

FACTOR = 2.0
WIDEST = 3                                  # rates on each side of the first, at most
LENGTH = 1.5                                # of a search, in times of its first three rates
SHARE = 0.1                                 # of the training images, for validation
MARK = {"part": "validation"}               # in the settings of arms that search for the rate of another
SHOWN = "rate: validation accuracy, %"      # heads the column of ``shown``


def accuracies(runs: Runs, of: Mapping[str, Any]) -> dict[float, float]:
    """Mean validation accuracy by learning rate, of the arms with these settings; -inf for a rate with a failed run.

    The lowest rate comes first.
    """
    found: dict[float, list[float]] = {}
    for line in runs:
        if of.items() <= line["settings"].items():
            value = number(line.get("result", {}).get("test_accuracy"))
            found.setdefault(float(line["settings"]["lr"]), []).append(-math.inf if value is None else value)
    return {lr: mean(values) for lr, values in sorted(found.items())}


def best(found: Mapping[float, float]) -> float:
    """The rate with the best accuracy; the lowest of several."""
    return max(found, key=lambda lr: (found[lr], -lr))


def to_try(found: Mapping[float, float], start: float) -> list[float]:
    """The next rates of a search, given the accuracies of those that were tried; none once it has ended."""
    first = [start / FACTOR, start, start * FACTOR]
    if missing := [lr for lr in first if lr not in found]:
        return missing
    lowest, *_, highest = sorted(found)
    limits = start / FACTOR**WIDEST, start * FACTOR**WIDEST
    if best(found) == lowest and lowest > limits[0]:
        return [lowest / FACTOR]
    return [highest * FACTOR] if best(found) == highest and highest < limits[1] else []


def next_rates(lab: Lab, found: Mapping[float, float], start: float) -> list[float]:
    """The same, but with --quick none once one has been tried."""
    return [] if lab.options.quick and found else to_try(found, start)


def validated(dataset: Dataset) -> Dataset:
    """The same images with a tenth of the training part in place of the test part."""
    kept, drawn = cut("validation", SHARE, 0, dataset.train_labels, dataset.class_names, Notes(dataset.name))
    images, labels = dataset.train_images, dataset.train_labels
    return replace(dataset, train_images=images[kept], train_labels=labels[kept], test_images=images[drawn],
                   test_labels=labels[drawn])


def images_of(lab: Lab) -> Dataset:
    """The images of a search, made once."""
    return lab.kept("validated", lambda: validated(lab.dataset))


def tried(lab: Lab, arm: Arm, training: Training) -> Curve:
    """Train the model of a search, and test it once."""
    config, images, model = training
    return learn(arm.name, config, lab.workers, images, model, tests=1, part="validation")[1]


# Searches inside of an experiment

def is_search(settings: Mapping[str, Any]) -> bool:
    """Whether an arm with these settings searches for the rate of another."""
    return MARK.items() <= settings.items()


def images_for(lab: Lab, settings: Mapping[str, Any]) -> Dataset:
    """The images of an arm: those of a search, or all."""
    return images_of(lab) if is_search(settings) else lab.dataset


def search_for(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What all arms have in common that search for the rate of an arm with these settings."""
    return {name: value for name, value in settings.items() if name != "lr"} | MARK


def searched(lab: Lab, runs: Runs, arms: Sequence[Arm], is_known: Callable[[Mapping[str, Any]], bool]) -> list[Arm]:
    """The arms that search around the rate of each arm; after them, once all searches have ended, these with the best.

    Parameters
    ----------
    lab : Lab
        With ``--lr`` nothing is searched.
    runs : Runs
    arms : sequence of Arm
        Each has a learning rate to begin with.
    is_known : callable
        Given the settings of an arm, whether it keeps that rate.
    """
    searches, chosen, have_ended = [], [], True
    for arm in arms:
        of, lr = search_for(arm.settings), arm.settings["lr"]
        if lab.options.lr is None and not is_known(arm.settings):
            found = accuracies(runs, of)
            rest = next_rates(lab, found, lr)
            searches += [Arm(f"{arm.name}, rate {rate:g}", of | {"lr": rate}, once=True) for rate in [*found, *rest]]
            have_ended, lr = have_ended and not rest, best(found) if found else lr
        chosen.append(arm._replace(settings={**arm.settings, "lr": lr}))
    return [*searches, *(chosen if have_ended else [])]


def planned_searches(arms: Sequence[Arm]) -> list[tuple[Arm, float]]:
    """The arms of searches that have not begun, and how many runs each stands for."""
    return [(arm, LENGTH) for arm in arms if is_search(arm.settings)]


def shown(found: Mapping[float, float]) -> str:
    """The accuracies of a search, in percent."""
    return ", ".join(f"{lr:g}: {'failed' if math.isinf(accuracy) else f'{100 * accuracy:.1f}'}"
                     for lr, accuracy in found.items())


def rows_with_rates(runs: Runs) -> tuple[Sequence[str], list[list[str]]]:
    """One row per arm: its rate, its accuracy, and what the search for its rate gave, if there was one."""
    settings = {line["arm"]: line["settings"] for line in runs if not is_search(line["settings"])}
    arms = [arm for arm in settings if finite(runs.values(arm)) or failures(runs, arm)]
    found = [accuracies(runs, search_for(settings[arm])) for arm in arms]
    return (["arm", "rate", *ACCURACY, SHOWN],
            [[arm, f"{settings[arm]['lr']:g}", *accuracy_of(runs, arm), shown(of)]
             for arm, of in zip(arms, found, strict=True)])
