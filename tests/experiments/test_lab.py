"""Arms and seeds take turns, and what has ended is not made again."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minimixer.data import load_digits
from minimixer.errors import DivergedError
from minimixer.experiments import corruptions, data_size, pareto, patch_size, robustness
from minimixer.experiments.corruptions import CORRUPTIONS, corrupt
from minimixer.experiments.estimate import estimate
from minimixer.experiments.journal import Journal
from minimixer.experiments.lab import Lab, measure
from minimixer.experiments.runs import Arm, Runs
from minimixer.experiments.table import EXPERIMENTS
from minimixer.nn import build, count_macs
from minimixer.parallel import Workers
from tests.support.commands import experiments as main

ARMS = [Arm("a", {"lr": 1}), Arm("b", {"lr": 2}), Arm("c", once=True)]


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "x.jsonl", "x", {})


def order(journal):
    return [(line["arm"], line["seed"]) for line in journal.lines]


def test_seed_0_of_every_arm_comes_first(journal):
    measure(journal, 2, lambda runs: ARMS, lambda arm, seed: {"value": seed})
    assert order(journal) == [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1)]
    measure(journal, 2, lambda runs: ARMS, lambda arm, seed: pytest.fail("it was made already"))
    measure(journal, 3, lambda runs: ARMS, lambda arm, seed: {"value": seed})
    assert order(journal)[5:] == [("a", 2), ("b", 2)]


def test_a_stop_loses_the_run_in_hand_alone(journal, tmp_path):
    def stopped(arm, seed):
        if (arm.name, seed) == ("b", 1):
            raise KeyboardInterrupt
        return {"value": seed}

    with pytest.raises(KeyboardInterrupt):
        measure(journal, 2, lambda runs: ARMS, stopped)
    again, made = Journal(tmp_path / "x.jsonl", "x", {}), []
    measure(again, 2, lambda runs: ARMS, lambda arm, seed: made.append((arm.name, seed)) or {})
    assert made == [("b", 1)]


def test_a_run_that_diverges_has_failed_and_the_others_go_on(journal, capsys):
    def run(arm, seed):
        if arm.name == "a":
            raise DivergedError("the loss is no longer finite at step 3: try a lower --lr")
        return {"value": 1.0}

    measure(journal, 1, lambda runs: ARMS, run)
    assert journal.lines[0]["failed"] == "the loss is no longer finite at step 3"
    assert journal.runs.values("a", "value") == {0: None}
    assert journal.runs.values("b", "value") == {0: 1.0}
    assert "a, seed 0: the loss is no longer finite" in capsys.readouterr().out


def test_an_arm_may_depend_on_what_others_gave(journal):
    measure(journal, 2, lambda runs: [*ARMS, *([Arm("d", {"of": runs.results("c")[0]["value"]})] if len(runs) > 2
                                                else [])], lambda arm, seed: {"value": 7})
    assert order(journal) == [("a", 0), ("b", 0), ("c", 0), ("d", 0), ("a", 1), ("b", 1), ("d", 1)]
    assert journal.runs.setting("d", "of") == 7


@pytest.mark.slow
def test_a_command_that_is_stopped_goes_on(tmp_path, monkeypatch, capsys):
    """Killed after each of the first runs, the command ends with the same lines as one that was not."""
    arguments = ["embedding-filters", "--quick", "--workers", "1", "--out"]
    assert main([*arguments, tmp_path / "whole"]) == 0
    add, left = Journal.add, [1]

    def add_and_stop(journal, line):
        add(journal, line)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "add", add_and_stop)
    for _ in range(4):
        left[0] = 1
        assert main([*arguments, tmp_path / "parts"]) == 130
    monkeypatch.undo()
    path = Path("embedding-filters-quick.jsonl")
    whole, parts = ([json.loads(line) for line in (tmp_path / folder / path).read_text().splitlines()]
                    for folder in ("whole", "parts"))
    assert len(whole) == len(parts) == 5
    for one, other in zip(whole[1:], parts[1:], strict=True):
        assert one["result"]["test_accuracy"] == other["result"]["test_accuracy"]
        assert (one["arm"], one["seed"], one["settings"]) == (other["arm"], other["seed"], other["settings"])


# patch size, pareto

def test_equal_time_is_equal_time(tmp_path):
    lab = SimpleNamespace(options=patch_size.Options(lr=0.1))
    seconds = {"2": 0.4, "4": 0.1, "8": 0.04, "16": 0.01}
    runs = Runs([{"arm": patch_size.TIMES, "seed": 0, "settings": {}, "seconds": 1, "result": seconds}])
    arms = patch_size.arms(lab, runs)
    timed = {arm.settings["patch_size"]: arm.settings["steps"] for arm in arms if arm.name.endswith("equal time")}
    assert {size: steps * seconds[str(size)] for size, steps in timed.items()} == pytest.approx(
        dict.fromkeys((2, 8, 16), 1500 * 0.1))
    assert len(patch_size.arms(lab, Runs([]))) == 5


@pytest.mark.parametrize("kind", ["pico", "vit-pico", "convnet-pico"])
def test_wider_models_cost_more(kind):
    model = build(kind, image_size=8)
    costs = [count_macs(pareto.scaled(model, width, 0)) for width in (0.5, 0.75, 1, 1.5, 2)]
    assert costs == sorted(costs)
    assert len(set(costs)) == (4 if kind == "convnet-pico" else 5)      # of 8 channels, 6 would be no multiple of 4
    assert costs[2] == count_macs(model)


def test_the_lead_at_equal_cost_is_between_the_models():
    def line(kind, width, macs, accuracy):
        return {"arm": f"{kind}, width {width}", "seed": 0, "settings": {"kind": kind, "width": width}, "seconds": 1,
                "result": {"macs": macs, "test_accuracy": [accuracy]}}

    def leads(lines):
        return [part.values for part in pareto.leads(Runs(lines), "ViT")]

    def near(*expected):
        return [pytest.approx({0: points}) for points in expected]

    lines = [line("Mixer", 1, 10, 0.5), line("Mixer", 2, 1000, 0.7), line("ViT", 1, 10, 0.4), line("ViT", 2, 1000, 0.6)]
    assert leads(lines) == near(10, 10, 10)
    lines[2:] = [line("ViT", 1, 100, 0.6), line("ViT", 2, 10_000, 0.6)]         # in common: 100 to 1,000
    assert leads(lines) == near(0, 5, 10)
    lines[2:] = [line("ViT", 1, 10, 0.6), line("ViT", 2, 1000, 0.6)]
    assert leads(lines) == near(-10, 0, 10), "the curves cross"
    assert leads(lines[:2]) == []


# corruptions

@pytest.fixture
def images(rng):
    smooth = np.cumsum(rng.integers(-20, 21, (6, 32, 32, 3)), axis=2)
    return (smooth - smooth.min() + 20).clip(0, 235).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_pure_and_grows(images, name):
    before = images.copy()
    worse = [corrupt(images, name, severity) for severity in corruptions.SEVERITIES]
    assert all(np.array_equal(corrupt(images, name, severity), image)
               for severity, image in zip(corruptions.SEVERITIES, worse, strict=True))
    assert np.array_equal(images, before)
    assert all(image.dtype == np.uint8 and image.shape == images.shape for image in worse)
    distances = [np.abs(image.astype(float) - images).mean() for image in worse]
    assert distances == sorted(distances)
    assert distances[0] > 0
    gray = images[..., :1]
    assert corrupt(gray, name, 3).shape == gray.shape


def test_there_are_fifteen_and_no_others(images):
    assert len(CORRUPTIONS) == 15
    with pytest.raises(ValueError, match="there is no corruption 'snow': expected one of Gaussian noise"):
        corrupt(images, "snow", 1)
    for severity in (0, 6):
        with pytest.raises(ValueError, match=f"the severity is {severity}: expected a whole number from 1 to 5"):
            corrupt(images, "fog", severity)


def test_corruptions_do_what_they_say(rng):
    flat = np.full((4, 32, 32, 3), 0.5, np.float32)
    for name in ("Gaussian blur", "defocus", "motion blur", "contrast", "grayness", "pixelate", "rotation"):
        assert np.allclose(CORRUPTIONS[name](flat, 5, rng), 0.5, atol=1e-6), name
    assert CORRUPTIONS["Gaussian noise"](flat, 2, rng).std() == pytest.approx(0.06, rel=0.05)
    assert CORRUPTIONS["shot noise"](flat, 5, rng).std() == pytest.approx((0.5 / 48) ** 0.5, rel=0.05)
    assert (CORRUPTIONS["impulse noise"](flat, 5, rng) != 0.5).all(-1).mean() == pytest.approx(0.1, rel=0.2)
    assert np.allclose(CORRUPTIONS["brightness"](flat, 3, rng), 0.8)
    assert np.allclose(CORRUPTIONS["darkness"](flat, 5, rng), 0.1)
    assert CORRUPTIONS["fog"](flat, 5, rng).mean() == pytest.approx(0.85, abs=0.02)
    dark = np.zeros((1, 20, 20, 1), np.float32)
    assert (CORRUPTIONS["occlusion"](dark, 3, rng) == 0.5).sum() == 36
    dot = dark.copy()
    dot[0, 10, 10] = 1
    for name in ("Gaussian blur", "defocus", "motion blur"):
        assert CORRUPTIONS[name](dot, 3, rng).sum() == pytest.approx(1, abs=1e-5), name
    assert np.ptp(np.nonzero(CORRUPTIONS["motion blur"](dot, 3, rng))[1]) == 0, "along one row"
    assert len(np.unique(CORRUPTIONS["pixelate"](rng.random((1, 20, 20, 1)), 4, rng))) == 100


@pytest.mark.slow
def test_a_model_that_sees_nothing_keeps_all_of_its_accuracy():
    digits = load_digits()
    few = replace(digits, test_images=digits.test_images[:32], test_labels=digits.test_labels[:32])
    model = build("pico", image_size=8, patch_size=2, in_channels=1)
    with Workers(1) as workers:
        found = robustness.tested(model, few, [1, 5], workers)
    assert set(found["corrupted"]) == set(CORRUPTIONS)
    assert all(len(several) == 2 for several in found["corrupted"].values())
    assert found["clean"] == (few.test_labels == 0).mean(), "an untrained head says class 0"
    assert found["kept"] == pytest.approx(100)


# time

def test_an_estimate_adds_up_steps_and_tests(monkeypatch):
    from minimixer.experiments import estimate as module
    times = SimpleNamespace(seconds_per_step=0.1, seconds_per_test=2.0)
    monkeypatch.setattr(module, "timed", lambda lab, training: times)
    with Workers(1) as workers:
        lab = Lab(data_size.Options(data="digits", steps=100, batch_size=8, seeds=3), workers)
        assert estimate(data_size, lab, 1) == pytest.approx(3 * 3 * 2 * 3 * (100 * 0.1 + 1.5 * 2.0))
    assert estimate(EXPERIMENTS["cnn-identity"].load(), lab, 0.1) == pytest.approx(6)
