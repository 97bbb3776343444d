import json
from dataclasses import replace

import numpy as np
import pytest

from minimixer.data import DataError
from minimixer.data.sources.cifar import CIFAR10
from minimixer.errors import UsageError
from minimixer.train import PRESETS, DivergedError, TrainConfig, checkpoint, fit
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.run_folder import write_config
from tests.support.cifar_files import official, unpack
from tests.support.commands import train as main

QUICK = replace(PRESETS["digits"], max_steps=30, workers=1, log_every=7)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished short run, which the tests look at but leave alone."""
    return fit(replace(QUICK, out=tmp_path_factory.mktemp("run") / "quick"))


def test_a_run_leaves_the_folder_that_is_documented(run):
    assert sorted(p.name for p in run.out.iterdir()) == [
        ".lock", "best.safetensors", "config.json", "confusion.png", "curves.png", "last.safetensors",
        "metrics.jsonl", "mistakes.png", "report.md"]
    config = json.loads((run.out / "config.json").read_text())
    assert config["config"]["max_steps"] == 30
    assert config["model"]["patch_size"] == 2
    assert (run.out / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_metrics_hold_what_is_documented(run):
    lines = [json.loads(line) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    assert lines == run.metrics
    training = [m for m in lines if "train_loss" in m]
    tests = [m for m in lines if "test_loss" in m]
    assert [m["step"] for m in training] == [7, 14, 21, 22, 28, 30]
    assert all(set(m) == {"step", "epoch", "train_loss", "lr", "images_per_second", "seconds"} for m in training)
    assert [m["step"] for m in tests] == [22, 30]           # an epoch is 1437 // 64 = 22 steps
    assert all(0 <= m["test_accuracy"] <= 1 for m in tests)
    assert training[-1]["train_loss"] < training[0]["train_loss"]


def test_the_same_command_gives_the_same_bytes_with_any_number_of_workers(run, tmp_path):
    again = fit(replace(QUICK, out=tmp_path / "again", workers=3))
    for name in ("last.safetensors", "best.safetensors"):
        assert (again.out / name).read_bytes() == (run.out / name).read_bytes()
    other = fit(replace(QUICK, out=tmp_path / "other", seed=1))
    assert (other.out / "last.safetensors").read_bytes() != (run.out / "last.safetensors").read_bytes()


def test_cifar_trains_from_files_in_the_official_layout(tmp_path):
    unpack(tmp_path / "cifar-10-batches-bin", official(CIFAR10, count=20))
    history = fit(replace(PRESETS["cifar10"], data_dir=tmp_path, out=tmp_path / "run", batch_size=32, epochs=2,
                          model="pico", optimizer="sgd", stochastic_depth=0.1, dropout=0.1, workers=2))
    assert history.metrics[-1]["step"] == 6
    assert np.isfinite(history.metrics[-1]["test_loss"])


def test_missing_data_is_exit_code_3_with_the_ways_to_get_it(tmp_path, capsys):
    code = main(["cifar10", "--data-dir", str(tmp_path), "--out", str(tmp_path / "run")])
    message = capsys.readouterr().err
    assert code == 3
    assert "--download" in message
    assert "python -m minimixer.train digits" in message
    with pytest.raises(DataError):
        fit(TrainConfig(data="cifar100", data_dir=tmp_path, out=tmp_path / "run"))


def test_divergence_is_exit_code_4_with_advice(tmp_path, capsys):
    with np.errstate(all="ignore"):
        code = main(["digits", "--lr", "1e6", "--clip-norm", "0", "--workers", "1", "--optimizer", "sgd",
                     "--out", str(tmp_path / "run")])
    assert code == 4
    assert "try a lower --lr" in capsys.readouterr().err


@pytest.mark.parametrize(("wrong", "message"), [
    ({"optimizer": "adam"}, "--optimizer is 'adam': did you mean 'adamw'?"),
    ({"data": 5}, "--data is 5: expected a word"), ({"test_share": 1}, "--test-share has no effect with --data digits"),
    ({"schedule": "step"}, "--schedule is 'step'"), ({"epochs": 1.5}, "--epochs is 1.5: expected a whole number"),
    ({"max_steps": True}, "--max-steps is True: expected a whole number")])
def test_a_configuration_made_in_python_is_checked_too(wrong, message):
    with pytest.raises(UsageError) as caught:
        TrainConfig(**wrong)
    assert message in str(caught.value)


def test_a_configuration_takes_numbers_of_numpy():
    config = TrainConfig(seed=np.arange(3)[2], lr=np.float32(0.5))
    assert (type(config.seed), config.seed, type(config.lr)) == (int, 2, float)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")
@pytest.mark.parametrize("kernels", ["fast", "inplace", "reference"])
def test_a_run_that_diverges_in_its_last_step_is_not_saved(kernels, tmp_path):
    config = TrainConfig(optimizer="sgd", lr=1e38, warmup_steps=0, schedule="constant", kernels=kernels, workers=1,
                         out=tmp_path / "run")
    with pytest.raises(DivergedError, match="no longer finite at step 1"):
        fit(replace(config, max_steps=1))
    assert not list(tmp_path.glob("run/*.safetensors"))
    assert "NaN" not in (tmp_path / "run" / "metrics.jsonl").read_text()


@pytest.mark.parametrize(("arguments", "message"), [
    (["digitz"], "no preset 'digitz'; did you mean 'digits'?"),
    (["--patch-size", "0"], "--patch-size is 0: expected a whole number from 1"),
    (["--label-smoothing", "1.5"], r"--label-smoothing is 1.5: expected a number in [0, 1)"),
    (["--resume"], "--resume is True: expected --out"),
    (["--epocs", "3"], "--epochs"),
])
def test_wrong_usage_is_exit_code_2_and_says_what_is_right(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_patch_that_does_not_fit_says_which_numbers_do(tmp_path, capsys):
    assert main(["--patch-size", "3", "--out", str(tmp_path / "run")]) == 2
    assert "change patch_size to one of [1, 2, 4, 8]" in capsys.readouterr().err


def test_help_names_presets_and_flags(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for word in ("digits", "cifar10-micro", "cifar100", "--model", "--epochs", "--max-steps", "--batch-size", "--lr",
                 "--weight-decay", "--label-smoothing", "--seed", "--device", "--workers", "--data-dir", "--out",
                 "--patch-size", "--resume", "--checkpoint-every"):
        assert word in text


def test_a_checkpoint_of_another_run_is_refused(run, tmp_path):
    (tmp_path / "last.safetensors").write_bytes((run.out / "last.safetensors").read_bytes())
    last = tmp_path / "last.safetensors"

    def refused(words, **settings):
        write_config(tmp_path, replace(QUICK, out=tmp_path, **settings))
        with pytest.raises(CheckpointError, match=words):
            fit(replace(QUICK, out=tmp_path, resume=True, **settings))

    refused("was made with --patch-size 2, but config.json says 4", patch_size=4)
    refused("was made with --optimizer muon, but config.json says sgd", optimizer="sgd")
    arrays, metadata = checkpoint.read(last)        # of a version that did not say where it came from
    old = {name: value for name, value in metadata.items() if name not in ("settings", "begun")}
    checkpoint.write(last, arrays, old)
    refused(r"blocks\.0\.token_mixing", patch_size=4)
    refused(r"optim\.velocity.*--optimizer", optimizer="sgd")


@pytest.mark.parametrize("model", ["vit-pico", "convnet-pico"])
def test_other_models_train_with_mixed_images_and_are_loaded_again(model, tmp_path, capsys):
    from minimixer.train import load_run
    arguments = ["--model", model, "--max-steps", "3", "--cutmix", "1", "--randaugment", "1", "--workers", "2",
                 "--out", str(tmp_path / "run")]
    if model.startswith("convnet"):
        assert main([*arguments, "--dropout", "0.1"]) == 2
        assert "convnet-pico has no dropout" in capsys.readouterr().err
    assert main(arguments) == 0
    trained = load_run(tmp_path / "run")
    assert type(trained.model).__name__ == {"vit-pico": "VisionTransformer", "convnet-pico": "ConvNet"}[model]
    assert trained.predict(np.zeros((2, 8, 8, 1), np.uint8)).shape == (2, 10)
