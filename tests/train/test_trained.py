import json
import shutil

import numpy as np
import pytest

import minimixer as mm
from minimixer.data import load_digits
from minimixer.train import checkpoint, load_run
from minimixer.train.checkpoint import CheckpointError


def test_a_run_folder_gives_its_best_model(trained_run):
    trained = load_run(trained_run)
    assert trained.path == trained_run / "best.safetensors"
    assert trained.class_names == tuple("0123456789")
    assert trained.metadata["step"] in (22, 44, 66)
    assert not any(module.training for module in trained.model.modules())
    assert "72,714 parameters, 10 classes, step" in repr(trained)
    saved, _ = checkpoint.read(trained.path)
    for name, array in trained.model.state_dict().items():
        assert np.array_equal(array, saved[f"model.{name}"])


def test_a_file_and_a_folder_without_a_best_model_do_too(trained_run, tmp_path):
    shutil.copy(trained_run / "last.safetensors", tmp_path)
    for path in (tmp_path, str(tmp_path), tmp_path / "last.safetensors"):
        assert load_run(path).path == tmp_path / "last.safetensors"
    assert load_run(tmp_path).metadata["step"] == 66


def test_it_answers_as_the_run_was_tested(trained_run):
    trained, digits = mm.train.load_run(trained_run), load_digits()
    p = trained.predict(digits.test_images)
    assert p.shape == (360, 10)
    assert p.dtype == np.float32
    assert np.allclose(p.sum(1), 1, atol=1e-5)
    metrics = [json.loads(line) for line in (trained_run / "metrics.jsonl").read_text().splitlines()]
    accuracy = {m["step"]: m["test_accuracy"] for m in metrics if "test_accuracy" in m}
    assert (p.argmax(1) == digits.test_labels).mean() == accuracy[trained.metadata["step"]] == max(accuracy.values())
    assert accuracy[trained.metadata["step"]] > 0.5             # and that is far from chance
    assert np.array_equal(trained.predict(digits.test_images, workers=3), p)
    assert trained.predict(digits.test_images[:0]).shape == (0, 10)


def test_it_answers_the_same_on_every_device(trained_run, device):
    images = load_digits().test_images[:50]
    there = load_run(trained_run, device)
    assert there.model.stem.weight.device == device
    assert np.allclose(there.predict(images), load_run(trained_run).predict(images), atol=1e-4)


def test_images_that_do_not_fit_get_a_sentence(trained_run):
    trained = load_run(trained_run)
    with pytest.raises(ValueError, match="images are of float32, expected uint8"):
        trained.predict(np.zeros((1, 8, 8, 1), np.float32))
    with pytest.raises(ValueError, match=r"\(1, 9, 9, 1\), expected \(B, 8, 8, 1\)"):
        trained.predict(np.zeros((1, 9, 9, 1), np.uint8))


def rewrite(source, target, change):
    """A copy of a checkpoint whose metadata `change` has edited."""
    trained = load_run(source)
    metadata = dict(trained.metadata)
    change(metadata)
    checkpoint.save(target, trained.model, None, metadata)
    return target


def delete(name):
    return lambda metadata: metadata.pop(name)


def put(name, value):
    return lambda metadata: metadata.update({name: value})


@pytest.mark.parametrize("change", [
    delete("model"), delete("class_names"), put("class_names", ["one"]), put("mean", [0.1, 0.2]), put("std", ["x"]),
    put("model", {"image_size": 8, "magic": 1}), put("model", {"image_size": "8"}), put("model", 7),
    put("model", {"image_size": 8, "patch_size": 3}), put("model", {"hidden_dim": 10**12, "num_classes": 10}),
    lambda metadata: metadata["model"].update(hidden_dim=32)])
def test_a_checkpoint_that_does_not_describe_its_model_is_refused(change, trained_run, tmp_path):
    path = rewrite(trained_run / "best.safetensors", tmp_path / "odd.safetensors", change)
    with pytest.raises(CheckpointError, match="does not describe its own model"):
        load_run(path)


def test_what_is_no_run_gets_a_sentence(trained_run, tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no run .*digit: expected .*; there are .*digits$"):
        load_run(trained_run.parent / "digit")
    with pytest.raises(CheckpointError, match=r"is not a run folder: expected best\.safetensors or last"):
        load_run(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"has no checkpoint yet: .*--resume --out"):
        load_run(tmp_path)
    (tmp_path / "best.safetensors").write_text("nothing")
    with pytest.raises(CheckpointError, match="not a whole minimixer checkpoint"):
        load_run(tmp_path)
