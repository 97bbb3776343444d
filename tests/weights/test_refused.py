"""Files that are damaged, dangerous or of another kind: one sentence each, little memory, and the model as it was."""

import io
import pickle
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from minimixer import nn
from minimixer.train import checkpoint
from minimixer.weights import WeightsError, config_of, files, load_official, load_timm, model_from, save_timm
from tests.support.mixers import SMALL, official_arrays, randomized, write_npz


@pytest.fixture
def arrays(rng):
    return official_arrays(SMALL, rng)


@pytest.fixture
def npz(tmp_path, arrays):
    return write_npz(tmp_path / "a.npz", arrays)


def says(path, *words, **options):
    """The one sentence with which the file is refused."""
    with pytest.raises(WeightsError) as caught:
        model_from(path, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    for word in words:
        assert word in sentence
    return sentence


def test_what_is_no_file_of_weights(tmp_path):
    says(tmp_path / "nowhere.npz", "there is no file")
    says(tmp_path, "cannot be read")
    (tmp_path / "empty.npz").touch()
    says(tmp_path / "empty.npz", "neither an .npz nor a .safetensors")
    (tmp_path / "page.npz").write_text("<!doctype html><title>Sign in</title>")
    says(tmp_path / "page.npz", "neither an .npz nor a .safetensors")
    np.save(tmp_path / "one.npy", np.zeros(3))
    says(tmp_path / "one.npy", "neither an .npz nor a .safetensors")


def test_an_npz_that_was_cut_off_or_changed(npz, tmp_path):
    whole = npz.read_bytes()
    cut = tmp_path / "cut.npz"
    for length in (5, 1000, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:length])
        says(cut, "is damaged", "download it again")

def test_damage_that_shows_when_the_model_is_half_read_leaves_it_as_it_was(tmp_path, rng):
    config = replace(SMALL, num_classes=30_000)
    path = write_npz(tmp_path / "a.npz", official_arrays(config, rng))
    changed = bytearray(path.read_bytes())
    changed[changed.index(b"head/bias.npy") - 200] ^= 1         # within head/kernel, far behind its header
    path.write_bytes(changed)
    model = randomized(config, rng)
    before = model.state_dict()
    with pytest.raises(WeightsError, match=r"is damaged \(head/kernel: Bad CRC-32"):
        load_official(model, path)
    for name, array in model.state_dict().items():
        assert (array == before[name]).all()


def test_safetensors_that_were_cut_off(tmp_path, rng):
    path = tmp_path / "a.safetensors"
    save_timm(randomized(SMALL, rng), path)
    whole = path.read_bytes()
    for length in (9, 200, len(whole) - 1):
        path.write_bytes(whole[:length])
        says(path, "is damaged", "download it again")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was read",)


def test_pickles_are_never_read(arrays, tmp_path):
    legacy, modern = tmp_path / "legacy.pth", tmp_path / "modern.pth"
    legacy.write_bytes(pickle.dumps(Bomb()))
    with zipfile.ZipFile(modern, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
        archive.writestr("archive/data/0", bytes(64))
    for path in (legacy, modern):
        says(path, "refused", "convert it to .safetensors with timm")
    arrays["head/bias"] = np.array([Bomb()] * 4, object)
    says(write_npz(tmp_path / "a.npz", arrays), "head/bias.npy holds pickled Python objects", "refused")


def claiming(path, arrays, name, shape):
    """An .npz in which the header of one array claims another shape."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w") as archive:
        for n, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array)
            archive.writestr(f"{n}.npy", header.getvalue() + bytes(64) if n == name else content.getvalue())
    return path


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20), (-4, -4), (-16,), (1 << 62, 4), (10**30, 0)])
def test_a_header_that_claims_what_the_file_does_not_hold_costs_no_memory(shape, arrays, tmp_path):
    path = claiming(tmp_path / "a.npz", arrays, "head/bias", shape)
    tracemalloc.start()
    says(path)
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


def test_an_archive_that_swells_is_not_unpacked(tmp_path, arrays, monkeypatch):
    arrays["head/bias"] = np.zeros(1 << 20, np.float32)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **arrays)
    assert "expected (K) = (4)" in says(path)               # 4 MB are read without fear
    monkeypatch.setattr(files, "ALWAYS_ALLOWED", 1 << 20)
    says(path, "would unpack to", "more than 20 times")


def test_compressed_archives_are_welcome(arrays, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    assert config_of(tmp_path / "a.npz") == SMALL


def test_names_and_headers_cannot_paint_the_terminal(arrays, tmp_path):
    arrays["\x1b[31m\n" + "x" * 3000] = np.zeros(1, np.float32)
    _, report = model_from(write_npz(tmp_path / "a.npz", arrays))
    (line,) = [line for line in str(report).splitlines() if line.startswith("unused")]
    assert line.startswith("unused: \\x1b[31m xxx")
    assert len(line) < 140
    del arrays["stem/kernel"]
    assert len(says(write_npz(tmp_path / "a.npz", arrays), "lacks stem/kernel")) < 500
    assert len(says(claiming(tmp_path / "a.npz", arrays, "head/bias", (1,) * 4000), "head/bias.npy")) < 300


def test_arrays_that_are_missing(npz, arrays, tmp_path):
    for name in ("MixerBlock_1/token_mixing/Dense_1/bias", "stem/kernel", "head/bias"):
        rest = {n: a for n, a in arrays.items() if n != name}
        says(write_npz(tmp_path / "b.npz", rest), f"it lacks {name}")
    rest = {n: a for n, a in arrays.items() if not n.startswith("MixerBlock_1/")}
    says(write_npz(tmp_path / "b.npz", rest), "it lacks MixerBlock_1/LayerNorm_0/scale", "and 9 more")


def test_files_of_other_models(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"conv1.weight": np.zeros((8, 3, 3, 3), np.float32)}, path)
    says(path, "is not an MLP-Mixer in the timm layout", "it lacks stem.proj.weight", "holds conv1.weight")
    write_npz(tmp_path / "b.npz", {"embedding/kernel": np.zeros(3)})
    says(tmp_path / "b.npz", "is not an MLP-Mixer in the official layout", "holds embedding/kernel")
    np.savez(tmp_path / "c.npz")
    says(tmp_path / "c.npz", "holds nothing")
    checkpoint.save(tmp_path / "best.safetensors", nn.MlpMixer(SMALL), None, {})
    says(tmp_path / "best.safetensors", "checkpoint of minimixer")


@pytest.mark.parametrize(("name", "shape", "words"), [
    ("MixerBlock_2/token_mixing/Dense_1/kernel", (5, 8), "(5, 8), expected (D_S, S) = (5, 9)"),
    ("MixerBlock_0/channel_mixing/Dense_0/kernel", (7,), "(7,), expected (C, D_C) = (6, 7)"),
    ("stem/kernel", (4, 2, 3, 6), "(4, 2, 3, 6), expected (P, P, I, C) = (4, 4, 3, 6)"),
    ("head/bias", (5,), "(5,), expected (K) = (4)"),
    ("stem/bias", (0,), "(0,), expected (C) = (6)"),
])
def test_shapes_that_contradict_each_other(name, shape, words, arrays, tmp_path):
    arrays[name] = np.zeros(shape, np.float32)
    says(write_npz(tmp_path / "b.npz", arrays), name, words)


def test_numbers_that_are_no_weights(arrays, tmp_path):
    arrays["head/bias"] = np.zeros(4, np.int32)
    says(write_npz(tmp_path / "b.npz", arrays), "head/bias holds i4, expected floating point")


def test_images_that_are_not_square(tmp_path, rng):
    arrays = official_arrays(SMALL, rng)
    for name, array in arrays.items():
        if "token_mixing" in name:
            axes = [slice(6) if n == 9 else slice(None) for n in array.shape]
            arrays[name] = array[tuple(axes)]
    says(write_npz(tmp_path / "b.npz", arrays), "S = (H / P)(W / P) = 6 patches", "square")


@pytest.mark.parametrize("size", [6, 8, 18, 13, 0, -12])
def test_image_sizes_that_no_growth_reaches(npz, size):
    says(npz, "S = (H / P)(W / P) = (12 / 4)(12 / 4) = 9", "choose an image_size of 12, 24, 36", image_size=size)


@pytest.mark.parametrize(("changes", "words"), [
    ({"image_size": 16}, r"S = \(H / P\)\(W / P\) = \(12 / 4\)\(12 / 4\) = 9 patches.*12, 24, 36"),
    ({"image_size": 8}, r"does not fit the model's images of 8 pixels"),
    ({"image_size": 24}, r"tokens_mlp_dim 5, the model 5: .* k = 2 times the file.s image size, it must be 20"),
    ({"patch_size": 2, "image_size": 6}, "patch_size 4, the model 2"),
    ({"tokens_mlp_dim": 6}, "tokens_mlp_dim 5, the model 6: .* it must be 5"),
    ({"num_blocks": 2}, "num_blocks 3, the model 2"),
    ({"channels_mlp_dim": 9}, "channels_mlp_dim 7, the model 9"),
    ({"hidden_dim": 5}, "hidden_dim 6, the model 5"),
    ({"in_channels": 1}, "in_channels 3, the model 1"),
])
def test_models_of_other_sizes(npz, changes, words, rng):
    with pytest.raises(WeightsError, match=words):
        load_official(randomized(replace(SMALL, **changes), rng), npz)


def test_the_other_layout(npz, tmp_path, rng):
    model = randomized(SMALL, rng)
    with pytest.raises(WeightsError, match=r"has the official layout: use weights\.load_official"):
        load_timm(model, npz)
    save_timm(model, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"has the timm layout: use weights\.load_timm"):
        load_official(model, tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_any_damage_is_a_sentence_or_goes_unnoticed_but_is_never_a_crash(name, npz, tmp_path, rng):
    path = tmp_path / name
    if name.endswith("safetensors"):
        save_timm(randomized(SMALL, rng), path)
    whole = path.read_bytes()
    sentences = []
    for _ in range(150):
        changed = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 4)):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        try:
            model_from(path)
        except WeightsError as error:
            sentences.append(str(error))
    assert len(sentences) > 10
    assert all(map(str.isprintable, sentences))
