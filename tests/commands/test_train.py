from dataclasses import replace
from pathlib import Path

import pytest

from minimixer.commands.train import parse
from minimixer.errors import UsageError
from minimixer.train import PRESETS
from minimixer.train.run_folder import write_config
from tests.support.commands import train as main


def test_a_toml_file_gives_settings_and_flags_override_it(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('preset = "cifar10"\nlr = 0.01\nbatch-size = 64\nflip = false\nmodel = "micro"\n')
    config, only_estimate = parse(["--config", str(path), "--lr", "0.03", "--estimate"])
    assert config == replace(PRESETS["cifar10"], lr=0.03, batch_size=64, flip=False, model="micro")
    assert only_estimate
    assert parse(["digits", "--config", str(path)])[0].data == "digits"         # a preset that is named goes first


@pytest.mark.parametrize(("text", "message"), [
    ("epocs = 3", r"no setting 'epocs'; did you mean 'epochs'"),
    ('preset = "cifar"', r"no preset 'cifar'; did you mean 'cifar10'"),
    ("lr = [1, 2]", r"lr is a list: expected one value"),
    ("[recipe]\nlr = 1", r"no setting 'recipe'"),
    ("lr = ", r"cannot be read as TOML"),
    ("preset = 3", r"no preset '3'"),
])
def test_a_toml_file_that_cannot_be_used_says_why(text, message, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        parse(["--config", str(path)])


def test_a_value_of_the_wrong_kind_is_refused_as_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "run.toml"
    path.write_text('epochs = "many"\n')
    assert main(["--config", str(path)]) == 2
    assert "--epochs" in capsys.readouterr().err
    assert main(["--config", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_run_goes_on_with_its_own_settings_wherever_it_is_named(tmp_path):
    saved = replace(PRESETS["digits"], lr=0.001, crop_padding=1, out=tmp_path / "run")
    (tmp_path / "run").mkdir()
    write_config(tmp_path / "run", saved)
    path = tmp_path / "run.toml"
    path.write_text(f"out = '{tmp_path / 'run'}'\n")
    assert parse(["--config", str(path), "--resume"])[0] == replace(saved, resume=True)
    path.write_text(f"out = '{tmp_path / 'run'}'\nresume = true\n")
    assert parse(["--config", str(path)])[0] == replace(saved, resume=True)


def test_a_toml_file_is_utf_8_wherever_it_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbf" + "out = 'Läufe'\n".encode())
    assert parse(["--config", str(path)])[0].out == Path("Läufe")


def test_an_estimate_of_a_run_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["--estimate", "--resume", "--out", str(tmp_path / "gone")]) == 1
    assert "there is no run to resume in" in capsys.readouterr().err


def test_a_flag_without_its_value_is_explained(capsys):
    assert main(["--out"]) == 2
    assert "Missing value for argument '--out'" in capsys.readouterr().err


def test_an_estimate_is_printed_and_nothing_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--estimate"]) == 0
    assert capsys.readouterr().out.startswith("about ")
    assert list(tmp_path.iterdir()) == []


def test_the_help_groups_the_flags_and_fits_80_columns(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for title in ("data options", "model options", "recipe options", "machine options", "output options"):
        assert title in text
    assert max(map(len, text.splitlines())) <= 80
