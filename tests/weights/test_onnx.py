"""Models as ONNX: onnxruntime, which shares no code with minimixer, gives the same logits."""

import json

import numpy as np
import pytest
from PIL import Image

from minimixer import nn
from minimixer.data import load_digits
from minimixer.errors import UsageError
from minimixer.parallel import Workers
from minimixer.parallel.step import ShardedModel
from minimixer.weights import WeightsError, onnx_export, save_onnx
from tests.support.commands import export, predict

try:
    import onnx
    import onnxruntime
except ImportError:
    onnx = onnxruntime = None

needs_onnx = pytest.mark.skipif(onnx is None, reason='onnx is not installed; pip install "minimixer[onnx]"')
MEAN, STD = np.array([0.4, 0.5, 0.6], np.float32), np.array([0.2, 0.3, 0.25], np.float32)


def noisy(name, rng, **changes):
    """A model in which every parameter matters: heads and biases begin as zeros."""
    model = nn.build(name, 0, **changes)
    for _, tensor in model.named_tensors():
        tensor.data = tensor.data + rng.normal(0, 0.05, tensor.shape).astype(np.float32)
    return model


def logits_of(model, images, mean=MEAN, std=STD):
    with Workers(1) as workers:
        return ShardedModel(model, workers, mean, std).predict(images)


@needs_onnx
@pytest.mark.parametrize(("name", "changes"), [
    ("pico", {"gelu": "tanh"}), ("pico", {"gelu": "erf"}), ("pico", {"image_size": 24, "patch_size": 8}),
    ("vit-pico", {}), ("vit-pico", {"gelu": "erf", "num_heads": 4}), ("convnet-pico", {}),
    ("convnet-pico", {"image_size": 20, "blocks_per_stage": 2})])
def test_logits_in_onnxruntime_are_ours(name, changes, rng, tmp_path):
    model = noisy(name, rng, **changes)
    size = model.config.image_size
    images = rng.integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    said = save_onnx(model, tmp_path / "a.onnx", mean=MEAN, std=STD, class_names=list("abcdefghij"))
    assert "opset 20" in said
    ours = logits_of(model, images)
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"images": images})[0]
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5 * max(1, np.abs(ours).max()))
    assert np.abs(ours).max() > 0.05
    assert json.loads(session.get_modelmeta().custom_metadata_map["class_names"]) == list("abcdefghij")
    assert "logits differ by" in onnx_export.check_onnx(tmp_path / "a.onnx", images, ours)


@needs_onnx
def test_other_logits_are_noticed(rng, tmp_path):
    model = noisy("pico", rng, in_channels=1, image_size=8, patch_size=2)
    save_onnx(model, tmp_path / "a.onnx", mean=MEAN[:1], std=STD[:1])
    images = rng.integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
    ours = logits_of(model, images, MEAN[:1], STD[:1])
    ours[1, 3] += 2e-5 * max(1, np.abs(ours).max())
    with pytest.raises(WeightsError, match="gives other logits in onnxruntime"):
        onnx_export.check_onnx(tmp_path / "a.onnx", images, ours)


@needs_onnx
def test_equal_models_give_equal_bytes(rng, tmp_path):
    model = noisy("pico", rng)
    for name in ("a.onnx", "b.onnx"):
        save_onnx(model, tmp_path / name, mean=MEAN, std=STD)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@needs_onnx
def test_a_model_of_ones_own_has_no_form_in_onnx(tmp_path):
    class Mine(nn.MlpMixer):
        pass

    with pytest.raises(WeightsError, match="a Mine cannot be written as ONNX"):
        save_onnx(Mine(nn.MIXERS["pico"]), tmp_path / "a.onnx", mean=MEAN, std=STD)
    assert not (tmp_path / "a.onnx").exists()


@needs_onnx
@pytest.mark.slow       # it trains for a second
def test_the_command_writes_checks_and_replaces_only_its_own(trained_run, tmp_path, capsys):
    path, digits = tmp_path / "m.onnx", load_digits()
    for _ in range(2):
        assert export([str(trained_run), str(path)]) == 0
        out = capsys.readouterr().out
        assert "uint8 (B, 8, 8, 1)" in out
        assert "checked in onnxruntime" in out
    Image.fromarray(digits.test_images[0, ..., 0]).save(tmp_path / "d.png")
    assert predict([str(trained_run), str(tmp_path / "d.png"), "--json", "--top", "1"]) == 0
    ours = json.loads(capsys.readouterr().out)["predictions"][0]["class"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
    assert names[session.run(None, {"images": digits.test_images[:1]})[0].argmax()] == ours
    path.write_bytes(b"mine")
    assert export([str(trained_run), str(path)]) == 1
    assert "did not write it, so it is kept" in capsys.readouterr().err


@pytest.mark.skipif(onnx is not None, reason="onnx is installed")
def test_without_the_package_it_says_what_to_install(tmp_path):
    with pytest.raises(UsageError, match=r'pip install "minimixer\[onnx\]"'):
        save_onnx(nn.mixer("pico"), tmp_path / "a.onnx", mean=MEAN, std=STD)
