"""Weights of any Module as plain .safetensors; prefixes that others put before all names."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minimixer as mm
from minimixer import nn
from minimixer.train import checkpoint
from minimixer.weights import WeightsError, load, model_from, save, save_official, save_timm


class Net(nn.Module):
    def __init__(self, seed=0, width=5):
        init = nn.lecun_normal(np.random.default_rng(seed))
        self.layers = [nn.Linear(3, width, init), nn.ReLU(), nn.Linear(width, 2, init)]
        self.scale = mm.Tensor(np.ones(2, np.float32), requires_grad=True)


@pytest.fixture
def net():
    return Net(1)


def as_bf16(arrays, path):
    """Write float32 arrays as bfloat16, which NumPy lacks: the upper halves of their bits."""
    header, content = {}, b""
    for name, array in arrays.items():
        half = (np.ascontiguousarray(array).view(np.uint32) >> 16).astype(np.uint16).tobytes()
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": [len(content),
                                                                                    len(content) + len(half)]}
        content += half
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)


def test_what_is_saved_is_loaded_and_is_plain(net, tmp_path):
    save(net, tmp_path / "a.safetensors")
    assert {name: array.tolist() for name, array in load_file(tmp_path / "a.safetensors").items()} == {
        name: array.tolist() for name, array in net.state_dict().items()}
    other = Net(2)
    report = load(other, str(tmp_path / "a.safetensors"))
    assert not report.notes
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)
    save(net, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("prefix", [
    "model.", "module.", "_orig_mod.", "module._orig_mod.", "params/", "my_net.encoder."])
def test_a_common_prefix_is_taken_off_and_said(prefix, net, tmp_path):
    save_file({prefix + name: array for name, array in net.state_dict().items()}, tmp_path / "a.safetensors")
    other = Net(2)
    report = load(other, tmp_path / "a.safetensors")
    assert report.notes == (f"the names in the file begin with {prefix!r}, which was taken off",)
    np.testing.assert_array_equal(other.layers[0].weight.data, net.layers[0].weight.data)


def test_a_checkpoint_gives_its_weights_and_leaves_out_the_rest(net, tmp_path):
    optimizer = mm.optim.AdamW(net.parameters(), 0.1)
    optimizer.step([np.ones_like(p.data) for p in net.parameters()])
    checkpoint.save(tmp_path / "last.safetensors", net, optimizer, {})
    other = Net(2)
    notes = load(other, tmp_path / "last.safetensors").notes
    assert notes[0].startswith(f"{2 * len(net.state_dict())} arrays of the optimizer")
    np.testing.assert_array_equal(other.scale.data, net.scale.data)


@pytest.mark.parametrize(("change", "message"), [
    (lambda a: a.pop("scale"), "does not fit this Net: it lacks scale$"),
    (lambda a: a.update({"scales": a.pop("scale")}), "the model has no scales; for scale, 'scales' may be meant"),
    (lambda a: a.update(extra=np.zeros(1, np.float32)), "the model has no extra$"),
    (lambda a: a.update({"layers.0.weight": a["layers.0.weight"].T.copy()}),
     r"\(5, 3\), expected \(3, 5\); .* transposed"),
    (lambda a: a.update(scale=np.zeros(2)), "scale is of F64, the parameter of float32: .* without loss"),
    (lambda a: a.update(scale=np.zeros(2, np.int32)), "scale is of I32"),
    (lambda a: [a.update({"x" + name: a.pop(name)}) for name in list(a)], "no name fits, so it is the file of another"),
])
def test_what_does_not_fit_is_one_sentence_and_changes_nothing(change, message, net, tmp_path):
    arrays = net.state_dict()
    change(arrays)
    save_file(arrays, tmp_path / "a.safetensors")
    other = Net(2)
    before = other.state_dict()
    with pytest.raises(WeightsError, match=message) as caught:
        load(other, tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)
    assert all((array == before[name]).all() for name, array in other.state_dict().items())


def test_halves_are_widened_without_loss(net, tmp_path):
    for tensor in net.parameters():
        tensor.data = (tensor.data.view(np.uint32) & 0xFFFF0000).view(np.float32)
    as_bf16(net.state_dict(), tmp_path / "a.safetensors")
    other = Net(2)
    assert load(other, tmp_path / "a.safetensors").notes == ("5 arrays of half precision were widened",)
    np.testing.assert_array_equal(other.layers[2].weight.data, net.layers[2].weight.data)


def test_two_models_in_one_file_are_not_guessed_between(net, tmp_path):
    save_file({f"{who}.{name}": array for who in ("student", "teacher") for name, array in net.state_dict().items()},
              tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"several models, behind 'student\.' and 'teacher\.'"):
        load(Net(), tmp_path / "a.safetensors")


def test_what_has_no_parameters_is_not_saved(tmp_path):
    with pytest.raises(WeightsError, match="ReLU has no parameters"):
        save(nn.ReLU(), tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="there is no file"):
        load(Net(), tmp_path / "none.safetensors")


@pytest.mark.parametrize("prefix", ["model.", "_orig_mod.", "module._orig_mod."])
def test_an_import_takes_off_the_prefix_of_timm_names(prefix, tmp_path):
    model = nn.mixer("pico", 3, gelu="erf")
    save_timm(model, tmp_path / "plain.safetensors")
    arrays = {prefix + name: array for name, array in load_file(tmp_path / "plain.safetensors").items()}
    save_file(arrays, tmp_path / "a.safetensors")
    found, report = model_from(tmp_path / "a.safetensors")
    assert repr(prefix) in str(report)
    np.testing.assert_array_equal(found.stem.weight.data, model.stem.weight.data)


def test_the_layout_follows_from_the_names_not_from_the_kind_of_file(tmp_path):
    model = nn.mixer("pico", 3)
    save_official(model, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        arrays = {f"params/{name}": file[name] for name in file.files}
    save_file(arrays, tmp_path / "official.safetensors")
    found, report = model_from(tmp_path / "official.safetensors")
    assert (report.layout, found.config.gelu) == ("official", "tanh")
    np.testing.assert_array_equal(found.head.weight.data, model.head.weight.data)
    save_timm(model, tmp_path / "timm.safetensors")
    np.savez(tmp_path / "timm.npz", **load_file(tmp_path / "timm.safetensors"))
    assert model_from(tmp_path / "timm.npz")[1].layout == "timm"


def test_an_import_of_plain_names_says_how_they_are_loaded(tmp_path):
    save(nn.mixer("pico"), tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"minimixer's own names.*mm.weights.load\(model, path\)"):
        model_from(tmp_path / "a.safetensors")


def test_bfloat16_and_a_head_of_21843_classes_are_imported(tmp_path):
    model = nn.mixer("pico", 3, num_classes=21_843, num_blocks=1, gelu="erf")
    save_timm(model, tmp_path / "a.safetensors")
    as_bf16(load_file(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    found = model_from(tmp_path / "b.safetensors")[0]
    assert found.config.num_classes == 21_843
    np.testing.assert_allclose(found.stem.weight.data, model.stem.weight.data, rtol=2**-7)


@pytest.mark.parametrize(("name", "write"), [("a.npz", save_official), ("a.safetensors", save_timm)])
def test_class_names_and_pixel_scale_go_with_an_export(name, write, tmp_path):
    names, model = ["cat", "dög", '"x"\n'], nn.mixer("pico", num_classes=3)
    write(model, tmp_path / name, class_names=names, mean=[0.1, 0.2, 0.3], std=[1, 2, 3])
    about = model_from(tmp_path / name)[1].about
    assert about == {"class_names": names, "mean": [0.1, 0.2, 0.3], "std": [1.0, 2.0, 3.0]}
    write(model, tmp_path / name, class_names=["0", "1", "2"], mean=[0.5] * 3, std=[0.5] * 3)
    assert model_from(tmp_path / name)[1].about == {}


def test_too_many_class_names_for_an_npz_are_said(tmp_path):
    report = save_official(nn.mixer("pico"), tmp_path / "a.npz", class_names=["x" * 70_000])
    assert "no room for so many class names" in str(report)
    assert model_from(tmp_path / "a.npz")[1].about == {}
