"""A folder of photographs of one's own, from training to prediction: by commands alone, and in Python alone."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer.commands.train import parse
from minimixer.train import PRESETS, Callback, load_run
from tests.support.commands import evaluate, export, inspect, predict, ship, train
from tests.support.photos import CLASSES, make_photos

pytestmark = pytest.mark.slow           # it trains on 96 photographs


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The folder where decoded photographs are kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIMIXER_CACHE", str(folder := tmp_path_factory.mktemp("cache")))
        yield folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory, cache):
    """The folder, with a file that is no image and one that is damaged."""
    folder = make_photos(tmp_path_factory.mktemp("mine") / "photos", 32)
    (folder / "circles" / "notes.txt").write_text("rainy day")
    (folder / "squares" / "damaged.jpg").write_bytes(b"\xff\xd8\xff and no more")
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A run on it, by the command, with validation; a small Mixer, which learns these shapes in seconds."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert train(["--data", photos, "--model", "pico", "--image-size", "32", "--epochs", "50", "--validation", "0.2",
                  "--batch-size", "16", "--lr", "0.004", "--ema", "0.9", "--no-flip", "--randaugment", "0",
                  "--crop-padding", "2", "--workers", "1", "--out", out]) == 0
    return out


def test_one_command_trains_and_says_which_images_a_number_is_of(run, photos):
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["test_accuracy"] >= 0.7                  # chance is a third
    assert sum("test_accuracy" in line for line in metrics) == 1
    assert sum("validation_accuracy" in line for line in metrics) == 50
    assert "validation accuracy" in (run / "report.md").read_text()
    told = json.loads((run / "config.json").read_text())["dataset"]
    assert told["source"] == str(photos)
    assert told["class_names"] == list(CLASSES)


def test_eval_repeats_the_test_of_the_run(run, photos, tmp_path, capsys):
    assert evaluate([run, "--json"]) == 0
    said, notes = capsys.readouterr()
    result, last = json.loads(said), json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert (result["accuracy"], result["part"]) == (last["test_accuracy"], "test")
    assert [row["class"] for row in result["classes"]] == list(CLASSES)
    assert "changed" not in notes
    for part, count in (("validation", 15), ("train", 62), ("all", 96)):
        assert evaluate([run, "--part", part]) == 0
        assert f"on {count} " in capsys.readouterr().out.splitlines()[0]
    others = make_photos(tmp_path / "others", 5, seed=1)
    shutil.rmtree(others / "squares")                           # a part of the classes is enough
    assert evaluate([run, "--data", others, "--part", "all", "--json"]) == 0
    rows = {row["class"]: row["images"] for row in json.loads(capsys.readouterr().out)["classes"]}
    assert rows == {"circles": 5, "squares": 0, "stripes": 5}
    (others / "circles").rename(others / "rings")
    assert evaluate([run, "--data", others]) == 2
    assert "in 3 classes (circles, ...)" in capsys.readouterr().err


def test_predict_reads_a_folder_and_names_what_it_cannot_read(run, photos, capsys):
    assert predict([run, photos / "squares", photos / "stripes" / "0.png", "--json", "--top", "1"]) == 3
    out, err = capsys.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert len(answers) == 34
    assert [answer["image"] for answer in answers if "error" in answer] == [str(photos / "squares" / "damaged.jpg")]
    names = [answer["predictions"][0]["class"] for answer in answers if "predictions" in answer]
    assert set(names) <= set(CLASSES)
    assert names.count("squares") >= 24
    assert "damaged.jpg is a damaged image" in err
    assert predict([run, photos / "circles"]) == 0
    assert "1 file in " in (err := capsys.readouterr().err)
    assert "notes.txt" in err


def test_a_folder_may_be_the_first_word_and_an_empty_one_is_said(photos, tmp_path, capsys):
    assert predict([photos / "stripes", "--json"]) == 0         # by the model that comes with minimixer
    assert len(capsys.readouterr().out.splitlines()) == 32
    (tmp_path / "runs" / "one").mkdir(parents=True)
    for name in ("config.json", "curves.png"):                  # a folder of runs is none of images
        (tmp_path / "runs" / "one" / name).touch()
    assert predict([tmp_path / "runs", photos / "stripes" / "0.png"]) == 1
    assert "is not a run folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert predict([photos / "stripes" / "0.png", tmp_path / "empty"]) == 3
    assert "is a folder without images" in capsys.readouterr().err


def test_class_names_go_through_inspect_export_import_and_ship(run, photos, tmp_path, capsys):
    from tests.support.commands import run as command
    assert inspect([run]) == 0
    assert "classes: circles, squares, stripes" in capsys.readouterr().out
    assert inspect([run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["class_names"] == list(CLASSES)
    picture = photos / "squares" / "0.png"
    assert predict([run, picture, "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)["predictions"]
    for name in ("a.npz", "a.safetensors"):
        assert export([run, tmp_path / name]) == 0
        assert command("import", [tmp_path / name, "--out", tmp_path / f"run-{name}"]) == 0
        capsys.readouterr()
        assert predict([tmp_path / f"run-{name}", picture, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["predictions"]
        assert [row["class"] for row in found] == [row["class"] for row in expected]
        for ours, theirs in zip(expected, found, strict=True):
            assert theirs["probability"] == pytest.approx(ours["probability"], abs=0.02)
    assert ship([run, "--out", tmp_path / "shipped", "--workers", "1"]) == 0
    shipped = tmp_path / "shipped" / "photos-pico.safetensors"
    assert load_run(shipped).class_names == CLASSES
    card = shipped.with_suffix(".md").read_text()
    assert "2000s" not in card
    assert "the best of 50 tests on validation images" in card


def test_fine_tuning_from_the_included_model_reads_photographs_at_its_size(photos, tmp_path):
    assert train(["--data", photos, "--init-from", "cifar10-micro", "--epochs", "1", "--workers", "1", "--out",
                  tmp_path / "run"]) == 0
    trained = load_run(tmp_path / "run")
    assert trained.sizes.image_size == 32
    assert trained.metadata["side"] == 32
    assert trained.class_names == CLASSES


def test_the_same_in_python_with_a_model_of_ones_own(photos, tmp_path):
    class Small(mm.nn.Module):
        def __init__(self):
            self.conv, self.head = mm.nn.Conv2d(3, 8, 5, 2), mm.nn.Linear(8, 3)

        def forward(self, images):                                              # (B, 24, 24, 3)
            features = mm.functional.relu(self.conv(images))                    # (B, 12, 12, 8)
            return self.head(features.mean(axis=(1, 2)))                        # (B, 3)

    data = mm.data.load(photos, image_size=24, quiet=True)
    config = replace(PRESETS["photos"], epochs=3, workers=1, out=tmp_path / "run")
    history = mm.train.fit(config, reporter=Callback(), dataset=data, model=Small())
    trained = load_run(history.out, model=Small())
    assert mm.train.evaluate(trained, data)["accuracy"] == history.best_accuracy
    probabilities = trained.predict(data.test_images)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_a_path_without_a_preset_is_trained_by_the_preset_for_photographs(photos):
    config, _ = parse(["--data", str(photos)])
    assert config == replace(PRESETS["photos"], data=str(photos))
    assert parse(["digits", "--data", str(photos), "--patch-size", "4"])[0].epochs == PRESETS["digits"].epochs
