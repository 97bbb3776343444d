"""Files that are given for weights and are something else, or claim what they do not hold: named as what they are."""

import io
import json
import os
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from minimixer import nn
from minimixer.cli import main
from minimixer.train import checkpoint, load_run
from minimixer.train.checkpoint import CheckpointError
from minimixer.weights import WeightsError, model_from, save_official, save_timm
from tests.support.mixers import SMALL, official_arrays, randomized


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in members.items():
            packed.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return file.getvalue()


OTHERS = {
    "mixer.h5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, such as Keras's .h5", ".safetensors"),
    "mixer.keras": (archive(config_dot_json="{}", model_dot_weights_dot_h5="x"), "a .keras file", ".safetensors"),
    "old.pth": (pickle.dumps({}), "a pickle", "refused"),
    "new.pt": (archive(archive__data_dot_pkl="x"), "a PyTorch file", "refused"),
    "mixer.zip": (archive(mixer__read_dot_me="x"), "a zip archive of 1 files, such as mixer/read.me", "unpack it"),
    "lfs.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer",
                        "git lfs pull"),
    "model.safetensors.index.json": (b'{"metadata": {"total_size": 1}, "weight_map": {}}', "the index of a model",
                                     "join its shards"),
    "config.json": (b'\xef\xbb\xbf{"a": 1}', "a JSON file", "give the file of the weights"),
    "mixer.onnx": (b"\x08\x07\x12\x07pytorch", "an ONNX model, as it looks", ".safetensors"),
    "saved_model.pb": (b"\x08\x01\x12\x99\x01", "a TensorFlow SavedModel", ".safetensors"),
    "page.npz": (b"\n<!DOCTYPE html><title>Sign in</title>", "an HTML page", "download the file itself"),
    "mixer.npz.gz": (b"\x1f\x8b\x08" + bytes(20), "a gzip archive", "unpack it"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_a_file_is_by_its_first_bytes(name, tmp_path, capsys):
    content, what, advice = OTHERS[name]
    path = tmp_path / name
    path.write_bytes(content)
    for command in (["import", str(path), "--out", str(tmp_path / "run")], ["inspect", str(path)]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert what in said
        assert advice in said
        assert str(path) in said
        assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_shard_is_no_model(tmp_path):
    save_timm(nn.mixer("pico"), tmp_path / "model-00001-of-00003.safetensors")
    for read in (model_from, load_run):
        with pytest.raises((WeightsError, CheckpointError), match=r"one shard of 3 of a model.*join all shards"):
            read(tmp_path / "model-00001-of-00003.safetensors")
    save_timm(nn.mixer("pico"), tmp_path / "model-00001-of-00001.safetensors")
    model_from(tmp_path / "model-00001-of-00001.safetensors")


@pytest.mark.parametrize("name", ["my weights.npz", "my weights.safetensors"])
def test_weights_of_others_are_imported_first(name, tmp_path):
    (save_official if name.endswith("npz") else save_timm)(nn.mixer("pico"), tmp_path / name)
    with pytest.raises(CheckpointError, match=rf"`minimixer import '.*{name}' --out RUN`"):
        load_run(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(WeightsError, match="a device or a named pipe"):
        model_from(tmp_path / "pipe.npz")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_weights_that_are_not_finite_are_refused_unless_asked_for(number, name, tmp_path, rng, capsys):
    model = randomized(SMALL, rng, np.float64)
    model.blocks[1].token_norm.bias.data[3] = number
    (save_official if name.endswith("npz") else save_timm)(model, tmp_path / name)
    out = str(tmp_path / "run")
    assert main(["import", str(tmp_path / name), "--out", out]) == 1
    said = capsys.readouterr().err
    assert "1 of the 6 numbers in " in said
    assert "are NaN or infinite" in said
    assert not (tmp_path / "run").exists()
    assert main(["import", str(tmp_path / name), "--out", out, "--allow-nonfinite"]) == 0
    assert not np.isfinite(load_run(out).model.blocks[1].token_norm.bias.data[3])


def test_a_name_that_is_there_twice_is_refused(tmp_path, rng):
    arrays = official_arrays(SMALL, rng)
    np.savez(tmp_path / "a.npz", **arrays)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as packed, pytest.warns(UserWarning, match="Duplicate name"):
        packed.writestr("head/bias.npy", packed.read("head/bias.npy"))
    with pytest.raises(WeightsError, match="head/bias is there twice"):
        model_from(tmp_path / "a.npz")
    save_timm(nn.MlpMixer(SMALL), tmp_path / "a.safetensors")
    checkpoint.save(tmp_path / "b.safetensors", nn.MlpMixer(SMALL), None, {"step": 1})
    for name, array, read in (("a", "head.bias", model_from), ("b", "model.head.bias", checkpoint.read)):
        content = (tmp_path / f"{name}.safetensors").read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8:8 + length])
        text = json.dumps(header)[:-1] + f", {json.dumps(array)}: {json.dumps(header[array])}" + "}"
        path = tmp_path / f"{name}2.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text.encode() + content[8 + length:])
        with pytest.raises((WeightsError, CheckpointError), match=f"{array} is there twice"):
            read(path)


@pytest.mark.parametrize("header", ["{'descr': '<f4', 'fortran_order': False, 'shape': (1,", "(" * 900, "'''", "\x00",
                                    "{1: 2L", "[" * 60_000])
def test_a_header_that_no_parser_takes_is_one_sentence(header, tmp_path, rng):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
        text = header.encode() + b"\n"
        packed.writestr("head/bias.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(WeightsError, match=r"a\.npz is damaged \(head/bias\.npy: .*download it again"):
        model_from(tmp_path / "a.npz")
    text = b'{"a":' * 50_000
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(WeightsError, match="is damaged"):
        model_from(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="is not a whole minimixer checkpoint"):
        load_run(tmp_path / "a.safetensors")


ABOUT = {"class_names": list("0123456789"), "mean": [0.5] * 3, "std": [0.5] * 3, "step": 1}


@pytest.mark.parametrize(("name", "claims"), [
    ("pico", {"hidden_dim": 1 << 28}), ("pico", {"num_blocks": 1 << 40}), ("pico", {"image_size": 1 << 40}),
    ("pico", {"image_size": 10**12 + 1, "patch_size": 10**6}), ("pico", {"channels_mlp_dim": 1 << 30}),
    ("pico", {"patch_size": 0}), ("pico", {"hidden_dim": "64"}), ("pico", {"num_classes": 1 << 30}),
    ("pico", {"in_channels": 1 << 30}), ("vit-pico", {"mlp_dim": 1 << 30}), ("vit-pico", {"num_blocks": 10**9}),
    ("convnet-pico", {"width": 1 << 28}), ("convnet-pico", {"blocks_per_stage": 10**9})])
def test_sizes_that_a_checkpoint_only_claims_cost_no_memory(name, claims, tmp_path):
    from dataclasses import asdict
    model = nn.build(name, None)
    path = tmp_path / "best.safetensors"
    checkpoint.save(path, model, None, {**ABOUT, "model_name": name, "model": asdict(model.config)})
    load_run(path)
    checkpoint.save(path, model, None, {**ABOUT, "model_name": name, "model": {**asdict(model.config), **claims}})
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="does not describe its own model"):
        load_run(path)
    assert tracemalloc.get_traced_memory()[1] < 3e6 + 4 * path.stat().st_size
    tracemalloc.stop()


def test_a_marked_export_still_holds_what_other_programs_read(tmp_path):
    model = nn.mixer("pico")
    save_official(model, tmp_path / "a.npz")
    save_timm(model, tmp_path / "a.safetensors")
    with np.load(tmp_path / "a.npz") as found:
        assert np.array_equal(found["head/kernel"], model.head.weight.data)
    found = load_file(tmp_path / "a.safetensors")
    assert np.array_equal(found["norm.weight"], model.norm.weight.data)
    save_file(found, tmp_path / "b.safetensors")
    assert model_from(tmp_path / "b.safetensors")[0].config == model_from(tmp_path / "a.safetensors")[0].config
