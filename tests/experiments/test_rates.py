"""A search for a learning rate ends inside its range, never sees the test images, and comes before what needs it."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from minimixer.data import load_digits
from minimixer.experiments import data_size, pareto, patch_size, rates, search
from minimixer.experiments.journal import Journal
from minimixer.experiments.lab import Lab
from minimixer.experiments.runs import Runs
from minimixer.parallel import Workers


def searched(accuracy_of, start=0.01):
    """The rates that a search tries, in order."""
    found, tried = {}, []
    while rest := search.to_try(dict(sorted(found.items())), start):
        for lr in rest:
            tried.append(round(lr / start, 4))
            found[lr] = accuracy_of(lr / start)
    return tried, round(search.best(found) / start, 4)


@pytest.mark.parametrize(("peak", "tried", "best"), [
    (1, [0.5, 1, 2], 1), (2, [0.5, 1, 2, 4], 2), (4, [0.5, 1, 2, 4, 8], 4), (0.25, [0.5, 1, 2, 0.25, 0.125], 0.25),
    (100, [0.5, 1, 2, 4, 8], 8), (0.001, [0.5, 1, 2, 0.25, 0.125], 0.125)])
def test_a_search_ends_inside_or_at_its_limit(peak, tried, best):
    assert searched(lambda factor: -abs(np.log(factor / peak))) == (tried, best)


def test_of_equal_rates_the_lowest_is_best_and_a_failed_one_is_worst():
    assert search.best({0.1: 0.5, 0.2: 0.5, 0.05: 0.4}) == 0.1
    runs = Runs([{"arm": f"lr {lr}", "seed": 0, "settings": {"kind": "ViT", "optimizer": "muon", "lr": lr},
                  "seconds": 1, **outcome}
                 for lr, outcome in ((0.2, {"result": {"test_accuracy": [0.3]}}), (0.1, {"failed": "no number"}))])
    assert search.accuracies(runs, {"kind": "ViT", "optimizer": "muon"}) == {0.1: -np.inf, 0.2: 0.3}


def test_a_search_never_sees_the_test_images():
    digits = load_digits()
    images = search.validated(digits)
    train = {image.tobytes() for image in digits.train_images}
    assert {image.tobytes() for image in [*images.train_images, *images.test_images]} <= train
    assert len(images.train_images) + len(images.test_images) == len(digits.train_images)
    assert 0.09 < len(images.test_images) / len(digits.train_images) < 0.11


@dataclass(frozen=True, kw_only=True)
class FewSteps(rates.Options):
    steps: int = 4
    batch_size: int = 32


@pytest.mark.slow
def test_rates_are_searched_once_stored_and_as_the_user_began(tmp_path, capsys):
    options = data_size.Options(data="digits", out=tmp_path, workers=1)
    few = FewSteps(data="digits", out=tmp_path, workers=1, kinds=("Mixer",), optimizers=("muon",))
    Journal(tmp_path / "learning-rates.jsonl", "learning-rates", Lab(few, None).settings())     # the user's own search
    with Workers(1) as workers:
        found = rates.tuned(Lab(options, workers), "Mixer")
        assert "of the validation images" in capsys.readouterr().out
        assert rates.tuned(Lab(options, workers), "Mixer") == found
    assert "of the validation images" not in capsys.readouterr().out, "the second lab reads the file"
    lines = [json.loads(line) for line in (tmp_path / "learning-rates.jsonl").read_text().splitlines()[1:]]
    assert len(lines) >= 3
    accuracy = {line["settings"]["lr"]: line["result"]["test_accuracy"][-1] for line in lines}
    assert accuracy[found] == max(accuracy.values())


def test_a_given_rate_is_taken_as_it_is():
    lab = SimpleNamespace(options=data_size.Options(lr=0.5), rates={})
    assert rates.tuned(lab, "ViT") == 0.5


# searches inside of other experiments

def lab_of(module, rate=0.02, **options):
    """A lab that knows every family's rate."""
    given = module.Options(**options)
    return SimpleNamespace(options=given, rates={(kind, given.optimizer): rate for kind in ("Mixer", "ViT", "ConvNet")})


def with_results(runs, arms, accuracy_of):
    """The runs, and one of seed 0 for each of the arms that has none."""
    new = [{"arm": arm.name, "seed": 0, "settings": arm.settings, "seconds": 1,
            "result": {"test_accuracy": [accuracy_of(arm.settings)], "macs": 1}}
           for arm in arms if runs.find(arm.name, 0) is None]
    return Runs([*runs, *new])


def peak_at(rate):
    return lambda settings: 1 / (1 + abs(np.log(settings["lr"] / rate)))


def test_other_sizes_are_searched_first_and_take_the_best_rate():
    lab, runs = lab_of(pareto, widths=(0.5, 1)), Runs([])
    first = pareto.arms(lab, runs)
    assert {arm.settings["width"] for arm in first} == {0.5}, "width 1 has the family's rate"
    assert len(first) == 3 * 3
    assert all(arm.once and search.is_search(arm.settings) for arm in first)
    runs = with_results(runs, first, peak_at(0.04))
    assert {arm.settings["lr"] for arm in pareto.arms(lab, runs) if runs.find(arm.name, 0) is None} == {0.08}
    runs = with_results(runs, pareto.arms(lab, runs), peak_at(0.04))
    last = [arm for arm in pareto.arms(lab, runs) if not search.is_search(arm.settings)]
    assert {(arm.settings["width"], arm.settings["lr"]) for arm in last} == {(0.5, 0.04), (1, 0.02)}
    assert not any(arm.once for arm in last)
    assert len(last) == 6


def test_patch_sizes_are_searched_too_and_keep_their_rate_at_equal_time():
    lab = lab_of(patch_size, patch_sizes=(4, 8))
    runs = Runs([{"arm": patch_size.TIMES, "seed": 0, "settings": {}, "seconds": 1, "result": {"4": 0.2, "8": 0.1}}])
    for _ in range(3):
        runs = with_results(runs, patch_size.arms(lab, runs), peak_at(0.01))
    arms = patch_size.arms(lab, runs)
    assert {arm.name: arm.settings["lr"] for arm in arms[1:] if not search.is_search(arm.settings)} == {
        "P = 4": 0.02, "P = 8": 0.01, "P = 8, equal time": 0.01}
    others = patch_size.arms(lab_of(patch_size, patch_sizes=(8, 16)), Runs([]))[1:]
    assert {arm.settings["patch_size"] for arm in others} == {8, 16}, "the rate is known for patches of 4 pixels"
    assert all(search.is_search(arm.settings) for arm in others)


@pytest.mark.parametrize(("module", "options"), [(pareto, {"widths": (0.5, 1)}), (patch_size, {"patch_sizes": (4, 8)})])
def test_with_a_given_rate_nothing_is_searched(module, options):
    arms = module.arms(lab_of(module, lr=0.3, **options), Runs([]))
    assert {arm.settings["lr"] for arm in arms} == {0.3}
    assert not any(search.is_search(arm.settings) for arm in arms)


def test_a_search_takes_no_part_in_the_claims_and_is_shown():
    lab, runs = lab_of(pareto, widths=(0.5, 1)), Runs([])
    for _ in range(3):
        runs = with_results(runs, pareto.arms(lab, runs), peak_at(0.02))
    without = Runs([line for line in runs if not search.is_search(line["settings"])])
    assert len(without) < len(runs)
    assert pareto.leads(runs, "ViT") == pareto.leads(without, "ViT")
    _, rows = pareto.rows(runs)
    assert [row[0] for row in rows] == without.arms
    assert rows[0] == ["Mixer, width 0.5", "0.02", "100.0", "", "100.0", "0.01: 59.1, 0.02: 100.0, 0.04: 59.1"]
    assert rows[-1][-1] == "", "width 1 was not searched"
    failed = [{name: value for name, value in line.items() if name != "result"} | {"failed": "no number"}
              if line["settings"]["lr"] == 0.04 else line for line in runs]
    assert pareto.rows(Runs(failed))[1][0][-1] == "0.01: 59.1, 0.02: 100.0, 0.04: failed"
