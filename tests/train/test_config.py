import dataclasses
import json
import warnings
from dataclasses import replace

import pytest

from minimixer.commands.train import parse
from minimixer.data import Augmentation
from minimixer.data.augment import Augment
from minimixer.errors import UsageError
from minimixer.train import PRESETS, TrainConfig, fit
from minimixer.train.config import without_old_flags, without_old_names
from minimixer.train.run_folder import read_config
from tests.support.commands import train as main

QUICK = replace(PRESETS["digits"], max_steps=1, workers=1)


def test_the_fields_of_the_augmentation_are_listed_once():
    names = [field.name for field in dataclasses.fields(Augment)]
    assert [field.name for field in dataclasses.fields(Augmentation)] == names
    assert issubclass(TrainConfig, Augment)
    config = TrainConfig(crop_padding=2, cutmix=1.0, mixing=0.5)
    assert type(config.augmentation()) is Augmentation
    assert all(getattr(config.augmentation(), name) == getattr(config, name) for name in names)
    with pytest.raises(UsageError, match=r"--magnitude is 31: expected a number in 0\.\.30"):
        TrainConfig(magnitude=31)


@pytest.mark.parametrize(("compiled", "kernels"), [(True, "fast"), (False, "inplace")])
def test_the_old_name_of_kernels_works_with_a_warning(compiled, kernels):
    with pytest.warns(DeprecationWarning, match='write kernels="fast" for True, kernels="inplace" for False') as told:
        config = TrainConfig(compiled=compiled)
    assert told[0].filename == __file__
    assert config == TrainConfig(kernels=kernels)
    with pytest.warns(DeprecationWarning, match="compiled is now kernels"):
        assert replace(TrainConfig(kernels="reference"), compiled=compiled).kernels == kernels
    assert "compiled" not in dataclasses.asdict(config)
    assert replace(config, lr=0.5).kernels == kernels           # without a warning


def test_old_flags_and_settings_get_their_present_names():
    assert without_old_flags(["digits", "--no-compiled", "--lr"]) == ["digits", "--kernels", "inplace", "--lr"]
    assert without_old_flags(["--compiled"]) == ["--kernels", "fast"]
    assert without_old_names({"compiled": False, "lr": 1}) == {"kernels": "inplace", "lr": 1}
    assert without_old_names({"compiled": True, "kernels": "reference"}) == {"kernels": "reference"}


@pytest.mark.parametrize(("flag", "kernels"), [("--compiled", "fast"), ("--no-compiled", "inplace")])
def test_the_command_takes_the_old_flags_and_says_the_new_ones(flag, kernels, capsys):
    config, _ = parse(["digits", flag, "--lr", "0.5"])
    assert (config.kernels, config.lr) == (kernels, 0.5)
    assert "--no-compiled is --kernels inplace" in capsys.readouterr().err
    assert parse(["digits", "--kernels", "reference"])[0].kernels == "reference"
    assert capsys.readouterr().err == ""


def test_the_command_takes_the_old_setting_of_a_toml_file(tmp_path):
    (tmp_path / "a.toml").write_text("compiled = false\n")
    assert parse(["--config", str(tmp_path / "a.toml")])[0].kernels == "inplace"


@pytest.mark.slow
@pytest.mark.parametrize(("compiled", "kernels"), [(True, "fast"), (False, "inplace")])
def test_an_old_run_is_read_in_silence_and_resumes(compiled, kernels, tmp_path):
    out = fit(replace(QUICK, out=tmp_path / "run", kernels=kernels)).out
    content = json.loads((out / "config.json").read_text())
    assert content["config"].pop("kernels") == kernels
    content["config"]["compiled"] = compiled
    (out / "config.json").write_text(json.dumps(content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_config(out).kernels == kernels
        assert main(["--resume", "--out", str(out), "--max-steps", "2"]) == 0
    assert json.loads((out / "config.json").read_text())["config"]["kernels"] == kernels
    assert json.loads((out / "config.json").read_text())["environment"]["compiled"] in (compiled, False)


def test_a_wrong_form_is_refused_with_the_right_ones():
    with pytest.raises(UsageError, match="--kernels is 'quick': expected one of fast, inplace, reference"):
        TrainConfig(kernels="quick")


def test_a_change_of_rounding_is_reported_when_a_run_goes_on(tmp_path, capsys):
    out = fit(replace(QUICK, out=tmp_path / "run")).out
    assert main(["--resume", "--out", str(out), "--kernels", "reference", "--max-steps", "2"]) == 0
    assert "Resumed with --kernels reference instead of fast" in capsys.readouterr().out
