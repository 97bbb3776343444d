"""Names, shapes, round trips, half precision, growth and new heads."""

import re
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minimixer as mm
from minimixer import nn
from minimixer.weights import (
    WeightsError,
    config_of,
    grow,
    load_official,
    load_timm,
    model_from,
    part_order,
    save_official,
    save_timm,
)
from tests.support.mixers import SMALL, official_arrays, randomized, write_npz

SAVE_AND_LOAD = {"official": (save_official, load_official, "a.npz"), "timm": (save_timm, load_timm, "a.safetensors")}


def logits(model, images):
    return model(mm.Tensor(images)).data


def test_an_official_file_gives_its_sizes_and_every_array_its_place(tmp_path, rng):
    arrays = official_arrays(SMALL, rng)
    path = write_npz(tmp_path / "a.npz", arrays)
    assert config_of(path) == SMALL
    model, report = model_from(path)
    state = model.state_dict()
    assert (state["stem.weight"] == arrays["stem/kernel"].reshape(48, 6)).all()
    assert (state["blocks.2.token_mixing.fc1.weight"] == arrays["MixerBlock_2/token_mixing/Dense_0/kernel"]).all()
    assert (state["blocks.1.channel_mixing.fc2.bias"] == arrays["MixerBlock_1/channel_mixing/Dense_1/bias"]).all()
    assert (state["blocks.0.token_norm.weight"] == arrays["MixerBlock_0/LayerNorm_0/scale"]).all()
    assert (state["blocks.0.channel_norm.bias"] == arrays["MixerBlock_0/LayerNorm_1/bias"]).all()
    assert (state["head.weight"] == arrays["head/kernel"]).all()
    assert {m.theirs for m in report.mapped} == set(arrays)
    assert {m.ours for m in report.mapped} == set(state)
    assert (report.missing, report.unused, report.notes) == ((), (), ())


@pytest.mark.parametrize("layout", SAVE_AND_LOAD)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_goes_out_comes_in_to_the_bit(layout, dtype, tmp_path, rng, device):
    save, load, name = SAVE_AND_LOAD[layout]
    config = replace(SMALL, gelu={"official": "tanh", "timm": "erf"}[layout])
    model = randomized(config, rng, dtype).to(device)
    assert save(model, tmp_path / name).notes == ()
    twin = randomized(config, rng, dtype).to(device)
    report = load(twin, tmp_path / name)
    assert report.notes == ()
    for (parameter, ours), theirs in zip(model.state_dict().items(), twin.state_dict().values(), strict=True):
        assert ours.dtype == theirs.dtype == dtype
        assert ours.tobytes() == theirs.tobytes(), parameter
    save(twin, tmp_path / ("again-" + name))
    assert (tmp_path / name).read_bytes() == (tmp_path / ("again-" + name)).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, "again-" + name]


def test_the_saved_official_file_has_the_official_names_and_shapes(tmp_path, rng):
    save_official(randomized(SMALL, rng), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as npz:
        assert {name: npz[name].shape for name in npz.files} == {
            name: array.shape for name, array in official_arrays(SMALL, rng).items()}


def test_gelu_follows_the_source(tmp_path, rng):
    tanh = randomized(SMALL, rng)
    note = "uses the tanh form of GELU, the timm code the erf form"
    assert note in str(save_timm(tanh, tmp_path / "a.safetensors"))
    assert config_of(tmp_path / "a.safetensors").gelu == "erf"
    report = load_timm(tanh, tmp_path / "a.safetensors")
    assert tanh.config.gelu == "erf"
    assert {m.form for m in tanh.modules() if isinstance(m, nn.GELU)} == {"erf"}
    assert "GELU now uses the erf form" in report.notes[0]
    built, _ = model_from(tmp_path / "a.safetensors")
    images = rng.standard_normal((2, 12, 12, 3)).astype(np.float32)
    assert (logits(built, images) == logits(tanh, images)).all()
    tanh.config = SMALL
    for m in tanh.modules():
        if isinstance(m, nn.GELU):
            m.form = "tanh"
    assert (logits(built, images) != logits(tanh, images)).any()


@pytest.mark.parametrize("layout", SAVE_AND_LOAD)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_becomes_float32(layout, half, tmp_path, rng):
    save, _, name = SAVE_AND_LOAD[layout]
    model = randomized(SMALL, rng)
    for p in model.parameters():        # numbers that both half types hold exactly: 6 bits of mantissa
        p.data = np.round(p.data * 16).astype(np.float32) / 16
    path = tmp_path / name
    save(model, path)
    if layout == "official":
        with np.load(path) as npz:
            arrays = {n: npz[n].astype(np.float16) if half == "float16" else
                      (npz[n].view(np.uint32) >> 16).astype(np.uint16).view("V2") for n in npz.files}
        write_npz(path, arrays)
    else:
        ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes, which comes with JAX, is not installed")
        dtype = np.float16 if half == "float16" else ml_dtypes.bfloat16
        save_file({n: a.astype(dtype) for n, a in load_file(path).items()}, path)
    read, _ = model_from(path)
    for (parameter, ours), theirs in zip(model.state_dict().items(), read.state_dict().values(), strict=True):
        assert theirs.dtype == np.float32
        assert (ours == theirs).all(), parameter


@pytest.mark.parametrize("layout", SAVE_AND_LOAD)
@pytest.mark.parametrize("k", [2, 3])
def test_a_grown_model_answers_with_the_mean_of_what_the_old_one_answers_to_the_parts(layout, k, tmp_path, rng):
    # Every layer but token mixing treats each patch by itself, and the grown token mixing treats each part by itself;
    # the head is linear, so after the mean over all patches: logits(image) = mean of logits(part) over K x K parts.
    save, _, name = SAVE_AND_LOAD[layout]
    save(randomized(SMALL, rng), tmp_path / name)
    small, _ = model_from(tmp_path / name)
    grown, report = model_from(tmp_path / name, image_size=12 * k)
    assert grown.config == replace(small.config, image_size=12 * k, tokens_mlp_dim=5 * k * k)
    assert f"k^2 = {k * k}" in report.notes[0]
    for model in (small, grown):
        for p in model.parameters():
            p.data = p.data.astype(np.float64)

    images = rng.standard_normal((2, 12 * k, 12 * k, 3))
    parts = [images[:, 12 * i:12 * (i + 1), 12 * j:12 * (j + 1)] for i in range(k) for j in range(k)]
    assert np.abs(logits(grown, images) - np.mean([logits(small, part) for part in parts], 0)).max() < 1e-12

    tiles = np.tile(parts[0], (1, k, k, 1))                     # one image, k x k times
    assert np.abs(logits(grown, tiles) - logits(small, parts[0])).max() < 1e-12
    # The control: parts taken as runs of the reading order, not as squares, would not pass.
    for block in grown.blocks:
        wrong = part_order(3, k)
        block.token_mixing.fc1.weight.data = block.token_mixing.fc1.weight.data[wrong]
        block.token_mixing.fc2.weight.data = block.token_mixing.fc2.weight.data[:, wrong]
        block.token_mixing.fc2.bias.data = block.token_mixing.fc2.bias.data[wrong]
    assert np.abs(logits(grown, tiles) - logits(small, parts[0])).max() > 1e-3


def test_the_parts_are_squares_of_the_image():
    assert part_order(2, 2).reshape(4, 4).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_growth_repeats_the_matrix_on_the_diagonal(rng):
    w = rng.standard_normal((4, 3))
    grown = grow(w, ("S", "D_S"), 2, 2)                         # (16, 12), rows in reading order
    by_parts = grown[part_order(2, 2)]                          # (16, 12), rows part by part
    for p in range(4):
        for q in range(4):
            assert (by_parts[4 * p:4 * p + 4, 3 * q:3 * q + 3] == (w if p == q else 0)).all()
    assert np.count_nonzero(grown) == 4 * w.size
    assert (grow(w.T, ("D_S", "S"), 2, 2) == grown.T).all()
    assert (grow(w[0], ("D_S",), 2, 2) == np.tile(w[0], 4)).all()
    assert grow(np.arange(4), ("S",), 2, 2).reshape(4, 4).tolist() == [[0, 1, 0, 1], [2, 3, 2, 3]] * 2


def test_a_model_of_the_grown_sizes_loads_the_small_file(tmp_path, rng):
    path = write_npz(tmp_path / "a.npz", official_arrays(SMALL, rng))
    expected, _ = model_from(path, image_size=24)
    model = randomized(replace(SMALL, image_size=24, tokens_mlp_dim=20), rng)
    report = load_official(model, path)
    assert report.notes
    for ours, theirs in zip(model.state_dict().values(), expected.state_dict().values(), strict=True):
        assert (ours == theirs).all()


def test_another_number_of_classes_starts_with_a_head_of_zeros(tmp_path, rng):
    arrays = official_arrays(SMALL, rng)
    path = write_npz(tmp_path / "a.npz", arrays)
    model, report = model_from(path, num_classes=10)
    assert model.head.weight.shape == (6, 10)
    assert not model.head.weight.data.any()
    assert not model.head.bias.data.any()
    assert (model.stem.bias.data == arrays["stem/bias"]).all()
    assert report.unused == ("head/kernel", "head/bias")
    assert "10 classes starts with zeros" in report.notes[0]
    assert model_from(path, num_classes=4)[0].head.bias.data.any()          # the file's own number keeps its head

    trained = randomized(replace(SMALL, num_classes=10), rng)
    with pytest.raises(WeightsError, match=r"a head for 4 classes, the model has 10 classes: pass new_head=True"):
        load_official(trained, path)
    assert trained.head.bias.data.any()
    load_official(trained, path, new_head=True)
    assert not trained.head.weight.data.any()


def test_a_file_without_a_head_needs_a_number_of_classes(tmp_path, rng):
    arrays = {name: a for name, a in official_arrays(SMALL, rng).items() if not name.startswith("head")}
    path = write_npz(tmp_path / "a.npz", arrays)
    with pytest.raises(WeightsError, match="has no head: pass num_classes"):
        model_from(path)
    model, report = model_from(path, num_classes=7)
    assert model.head.weight.shape == (6, 7)
    assert report.missing == ("head/kernel", "head/bias")
    with pytest.raises(WeightsError, match="has no head, the model has 4 classes"):
        load_official(randomized(SMALL, rng), path)


def test_the_report_names_every_array(tmp_path, rng):
    arrays = official_arrays(SMALL, rng) | {"opt/step": np.array(3), "MixerBlock_0/extra": np.zeros(2, np.float32),
                                            "MixerBlock_2/extra": np.zeros(2, np.float32)}
    _, report = model_from(write_npz(tmp_path / "a.npz", arrays), num_classes=9)
    text = str(report)
    lines = [re.split(r"\s{2,}", line) for line in text.splitlines()]
    assert "a.npz, official layout: 40 arrays mapped, 0 missing, 5 unused" in text
    assert ["stem/kernel", "(4, 4, 3, 6)", "stem.weight", "(48, 6)"] in lines
    assert ["MixerBlock_{0..2}/token_mixing/Dense_0/kernel", "(9, 5)", "blocks.{0..2}.token_mixing.fc1.weight"] in lines
    assert ["unused: head/kernel"] in lines
    assert ["unused: MixerBlock_0, 2/extra"] in lines
    assert ["unused: opt/step"] in lines
    assert len(report.unused) == 5
