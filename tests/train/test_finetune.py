"""``--init-from``: a run that starts with the weights of another."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.cli import main
from minimixer.data import Dataset, known, load_digits
from minimixer.data.enlarge import enlarge
from minimixer.parallel import ShardedModel, Workers
from minimixer.train import PRESETS, checkpoint, estimate, fit, load_run
from minimixer.train.initialize import initialize
from minimixer.train.source import read_source
from minimixer.weights import WeightsError, adapt, part_order

QUICK = replace(PRESETS["digits"], max_steps=12, workers=1, warmup_steps=0, crop_padding=0)


def digits_like(side, names=tuple("0123456789")):
    """The digits at another size."""
    digits = load_digits()
    train, test = (enlarge(images, side) for images in (digits.train_images[:256], digits.test_images[:64]))
    return Dataset("digits", train, digits.train_labels[:256], test, digits.test_labels[:64], names)


def start(config, dataset):
    """Model, mean, std, and what config.json will say of the source, of a run that starts from another."""
    with Workers(1) as workers:
        run = initialize(config, workers, source=read_source(config.init_from), dataset=dataset)
    return run.state.model, run.sharded.mean, run.sharded.std, run.source


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def weights(path):
    return load_run(path).model.state_dict()


def test_it_starts_where_the_source_ended(trained_run, tmp_path):
    source = load_run(trained_run)
    model, mean, std, said = start(replace(QUICK, init_from=trained_run), load_digits())
    assert same(model.state_dict(), source.model.state_dict())
    assert np.array_equal(mean, source.mean)
    assert np.array_equal(std, source.std)
    assert said == {"init_from": str(trained_run), "step": source.metadata["step"], "changes": []}
    run = fit(replace(QUICK, init_from=trained_run, lr=1e-9, out=tmp_path / "run")).out
    tuned, digits = load_run(run), load_digits()
    assert np.allclose(tuned.logits(digits.test_images), source.logits(digits.test_images), atol=1e-3)
    assert json.loads((run / "config.json").read_text())["source"] == said
    assert f"| started with | the weights of {trained_run} |" in (run / "report.md").read_text()


@pytest.mark.slow
def test_it_learns_faster_than_from_random_weights(trained_run, tmp_path):
    tuned = fit(replace(QUICK, init_from=trained_run, out=tmp_path / "tuned"))
    fresh = fit(replace(QUICK, out=tmp_path / "fresh"))
    assert tuned.best_accuracy > fresh.best_accuracy + 0.2


def test_the_scale_of_the_pixels_is_the_sources(tmp_path, rng):
    from tests.support.mixers import SMALL, official_arrays, write_npz
    write_npz(tmp_path / "a.npz", official_arrays(replace(SMALL, in_channels=1, image_size=8, patch_size=2,
                                                          tokens_mlp_dim=5, num_classes=10), rng))
    assert main(["import", str(tmp_path / "a.npz"), "--out", str(tmp_path / "imported")]) == 0
    run = fit(replace(QUICK, init_from=tmp_path / "imported", out=tmp_path / "run")).out
    tuned = load_run(run)
    assert tuned.mean.tolist() == tuned.std.tolist() == [0.5]
    assert tuned.metadata["model_name"] == "micro"              # a Mixer of no size that has a name
    assert tuned.class_names == tuple("0123456789")
    # Its numbered classes are those of the digits by name, so the head was kept.
    assert json.loads((run / "config.json").read_text())["source"]["changes"] == []


def test_other_classes_get_a_head_of_zeros(trained_run):
    model, *_, said = start(replace(QUICK, init_from=trained_run), digits_like(8, tuple("abcdefghij")))
    assert not model.head.weight.data.any()
    assert not model.head.bias.data.any()
    assert same({k: v for k, v in model.state_dict().items() if "head" not in k},
                {k: v for k, v in weights(trained_run).items() if "head" not in k})
    assert said["changes"] == ["the head for 10 classes starts with zeros, as in the paper's fine-tuning"]


def test_larger_images_grow_the_token_mixing(trained_run):
    model, mean, std, said = start(replace(QUICK, init_from=trained_run), digits_like(16))
    source = load_run(trained_run)
    assert model.config.image_size == 16
    assert model.config.tokens_mlp_dim == 4 * source.model.config.tokens_mlp_dim
    assert "have grown by k^2 = 4" in said["changes"][0]
    # What docs/weights.md says of growth: the logits are the mean over the four parts.
    images = load_digits().test_images[:4]
    whole = images.reshape(2, 2, 8, 8, 1).swapaxes(1, 2).reshape(1, 16, 16, 1)
    with Workers(1) as workers:
        logits = ShardedModel(model, workers, mean, std).predict(whole)
    assert np.allclose(logits[0], source.logits(images).mean(0), atol=1e-4)
    assert not np.allclose(logits[0], source.logits(images[:1])[0], atol=1e-2)
    assert part_order(4, 2)[1] == 1


@pytest.mark.slow
def test_smaller_images_are_enlarged_to_the_model(trained_run, tmp_path, monkeypatch):
    wide = fit(replace(QUICK, image_size=16, out=tmp_path / "wide")).out
    tuned = fit(replace(QUICK, init_from=wide, out=tmp_path / "tuned", max_steps=3)).out
    for run in (wide, tuned):
        trained = load_run(run)
        images = load_digits().test_images[:9]
        assert trained.model.config.image_size == 16
        assert np.array_equal(trained.logits(images), trained.logits(enlarge(images, 16)))
        with pytest.raises(ValueError, match=r"expected \(B, 16, 16, 1\)"):
            trained.logits(enlarge(images, 12))
        assert main(["eval", str(run)]) == 0
        metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        answers = trained.logits(load_digits().test_images).argmax(1)
        assert (answers == load_digits().test_labels).mean() == max(m.get("test_accuracy", 0) for m in metrics)


@pytest.mark.slow
def test_it_resumes_to_the_same_bytes_even_without_its_source(trained_run, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(trained_run, source)
    config = replace(QUICK, init_from=source, checkpoint_every=5)
    whole = fit(replace(config, out=tmp_path / "whole")).out

    class Stop(mm.train.Callback):
        def step(self, progress, loss, correct):
            if progress.step == 6:
                progress.stop()

    part = fit(replace(config, out=tmp_path / "part"), [Stop()]).out
    said = json.loads((part / "config.json").read_text())["source"]
    shutil.rmtree(source)
    fit(replace(config, out=part, resume=True))
    assert json.loads((part / "config.json").read_text())["source"] == said
    assert same(checkpoint.read(whole / "last.safetensors")[0], checkpoint.read(part / "last.safetensors")[0])
    assert main(["train", "--resume", "--out", str(part), "--init-from", str(trained_run)]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("work", [fit, estimate])
def test_the_source_is_read_once(work, trained_run, tmp_path, monkeypatch):
    read, original = [], checkpoint.read
    monkeypatch.setattr(checkpoint, "read", lambda path: read.append(path) or original(path))
    run = replace(QUICK, init_from=trained_run, max_steps=1, out=tmp_path / "run")
    work(run)
    assert read == [trained_run / "best.safetensors"]
    if work is fit:             # resumed, it is its own source, and its state is read from the same file
        read.clear()
        work(replace(run, resume=True))
        assert read.count(tmp_path / "run" / "last.safetensors") == 2
        assert trained_run / "best.safetensors" not in read


def test_the_preset_is_the_papers_recipe():
    config = PRESETS["finetune"]
    assert (config.optimizer, config.lr, config.schedule, config.warmup_steps) == ("sgd", 0.03, "cosine", 500)
    assert (config.batch_size, config.clip_norm, config.weight_decay, config.max_steps) == (512, 1.0, 0.0, 10_000)
    assert config.epochs * (50_000 // config.batch_size) >= config.max_steps


@pytest.mark.slow
def test_the_model_that_comes_with_minimixer_is_a_source(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(64) % 5
    pictures = Dataset("cifar100", images, labels, images, labels, tuple("abcde"))
    monkeypatch.setattr(known, "load", lambda *_: pictures)
    run = fit(replace(PRESETS["finetune"], batch_size=32, max_steps=2, workers=1, out=tmp_path / "run")).out
    tuned = load_run(run)
    assert tuned.model.config == replace(nn.MIXERS["micro"], num_classes=5)
    assert np.array_equal(tuned.mean, load_run("cifar10-micro").mean)
    assert json.loads((run / "config.json").read_text())["config"]["init_from"] == "cifar10-micro"


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["--init-from", "nowhere"], 1, "--init-from: there is no run nowhere: expected a run folder"),
    (["--init-from", "a.npz"], 1, "convert official files and timm's with minimixer import first"),
    (["--init-from", "cifar10-micro"], 2, "its images have 3 channels, those of digits have 1"),
    (["--init-from", "RUN", "--image-size", "20"], 1, "choose an image_size of 8, 16, 24"),
    (["--init-from", "RUN", "--image-size", "4"], 2, "--image-size is 4: expected at least 8"),
    (["--image-size", "0"], 2, "--image-size is 0: expected a whole number from 1"),
])
def test_what_cannot_be_a_source_gets_a_sentence(arguments, code, words, trained_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", a=np.zeros(3))
    given = [str(trained_run) if a == "RUN" else a for a in arguments]
    assert main(["train", "digits", "--out", "out", *given]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_only_mixers_grow_and_only_what_has_dropout_drops():
    vit, convnet = nn.build("vit-pico"), nn.build("convnet-pico")
    same_size = {"image_size": 64, "num_classes": 10, "new_head": False}
    with pytest.raises(WeightsError, match="VisionTransformer for images of 32 pixels, not 64: only Mixers can grow"):
        adapt(vit, **same_size)
    larger, _ = adapt(convnet, **same_size)                     # its weights know no size
    assert same(larger.state_dict(), convnet.state_dict())
    with pytest.raises(TypeError, match="dropout"):
        adapt(convnet, dropout=0.1, **same_size)
