"""``minimixer inspect``: the steps of a size and of a run, as text and as JSON."""

import json

import pytest

from minimixer import nn
from tests.support.commands import inspect as main


def test_inspect_a_size_and_a_run(trained_run, capsys):
    assert main(["micro"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "micro: 1,132,170 parameters, 75.9 M multiply-adds per image"
    assert max(map(len, lines)) <= 80
    assert main([str(trained_run)]) == 0
    assert "72,714 parameters" in capsys.readouterr().out


def test_inspect_as_json_adds_up(trained_run, capsys):
    assert main(["B/32", "--image-size", "64", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["config"]["image_size"] == 64
    for what in ("parameters", "macs", "kept_bytes"):
        assert sum(step[what] for step in result["steps"]) == result[what]
    names = [step["name"] for step in result["steps"]]
    assert names[:3] == ["patches", "stem", "blocks.0.token_norm"]
    assert names.count("blocks.11.swapaxes") == 2
    assert names[-1] == "head"


@pytest.mark.parametrize(("arguments", "message"), [
    (["mirco"], "there is no size and no run 'mirco'; did you mean 'micro'?"),
    (["B/16", "--image-size", "250"], "image_size to a multiple of 16"),
    (["B/16", "--image-size", "0"], "image_size is 0, expected a positive number"),
    (["RUN", "--image-size", "16"], "weights for one number of patches only"),
])
def test_inspect_used_wrongly(arguments, message, trained_run, capsys):
    assert main([a.replace("RUN", str(trained_run)) for a in arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("name", "blocks"), [("vit-pico", 3), ("convnet-pico", 12)])
def test_inspect_shows_the_steps_of_every_model(name, blocks, capsys):
    assert main([name]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    assert main([name, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["parameters"] == nn.build(name).num_parameters()
    assert f"blocks.{blocks - 1}.add" in [step["name"] for step in result["steps"]]


def test_inspect_knows_the_model_that_comes_with_minimixer(capsys):
    assert main(["cifar10-micro"]) == 0
    assert "1,132,170 parameters" in capsys.readouterr().out
    assert main(["cifar10-mirco"]) == 2
    assert "did you mean 'cifar10-micro'?" in capsys.readouterr().err
