"""Every experiment runs, writes, draws, and draws again; and what the claims rest on is exact."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from minimixer import nn
from minimixer.commands import experiments as commands
from minimixer.data import load_digits
from minimixer.experiments import ablated, cnn_identity, complexity, data_size, permutation, stored
from minimixer.experiments.frequency import mean_frequency, mosaic, opposite_pairs
from minimixer.experiments.learning import KINDS, compared, learn
from minimixer.experiments.report import judged, report
from minimixer.experiments.table import EXPERIMENTS
from minimixer.experiments.token_weights import OPPOSITE, describe
from minimixer.parallel import Workers
from minimixer.plots import figure
from minimixer.tensor import Tensor
from minimixer.train import PRESETS, fit
from minimixer.train.lock import FolderLock
from tests.support.commands import experiments as main


@pytest.fixture
def dataset():
    digits = load_digits()
    return replace(digits, test_images=digits.test_images[:64], test_labels=digits.test_labels[:64])


@pytest.fixture
def workers():
    with Workers(1) as workers:
        yield workers


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_runs_writes_and_draws_the_same_again(name, tmp_path, capsys):
    assert main([name, "--quick", "--workers", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    content = json.loads((tmp_path / f"{name}-quick.json").read_text())         # beside a full measurement
    module, runs = EXPERIMENTS[name].load(), stored.runs_of(content)
    assert content["experiment"] == name
    assert 0 < content["seconds"] < 300
    assert content["expected_minutes"] == EXPERIMENTS[name].minutes
    assert {line["seed"] for line in runs} == {0, 1}
    assert content["claims"] == judged(module.CLAIMS, runs)
    assert all(part["values"].keys() == {"0", "1"} for claim in content["claims"] for part in claim["parts"]
               if not claim["exact"])
    assert report(module, runs, content["claims"]) in printed
    plot = tmp_path / f"{name}-quick.png"
    first = plot.read_bytes()
    with Image.open(plot) as image:
        assert len(np.unique(np.asarray(image.convert("L")))) > 20, "there is something to see"
    plot.unlink()
    assert main([name, "--quick", "--redraw", "--out", str(tmp_path)]) == 0
    assert plot.read_bytes() == first
    assert report(module, runs, content["claims"]) in capsys.readouterr().out


def test_every_module_that_measures_is_listed(capsys):
    assert main([]) == main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in EXPERIMENTS)


@pytest.mark.parametrize(("arguments", "message"), [
    (["permutations"], "there is no experiment 'permutations'; did you mean 'permutation'?"),
    (["ablation", "--steps", "0"], "--steps is 0: expected a whole number from 1"),
    (["ablation", "--redraw", "--out", "nowhere"], "run the experiment first, without --redraw"),
    (["data-size", "--percents", "0"], "expected numbers above 0, up to 100"),
    (["patch-size", "--data", "digits", "--patch-sizes", "4", "3"], "patches of 3 pixels do not tile"),
    (["embedding-filters", "--data", "digits", "--patch-sizes", "3"], "patches of 3 pixels do not tile"),
    (["data-size", "--data", "digits", "--percents", "1", "50"], "--percents names 1, which is 10 of the images"),
    (["token-weights", "--run", "no-such-run"], "there is no run no-such-run"),
    (["ablation", "--seeds", "0"], "--seeds is 0: expected a whole number from 1"),
    (["pareto", "--widths", "1"], "--widths names 1.0: expected two or more different values"),
    (["pareto", "--widths", "1", "99"], "expected factors from 0.1 to 16"),
    (["robustness", "--severities", "6"], "expected whole numbers from 1 to 5"),
    (["all", "--steps", "5"], "--steps has no effect on all experiments at once"),
    (["optimizers", "--lr", "1"], "--lr has no effect on this comparison"),
])
def test_wrong_usage_is_one_sentence(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) in (1, 2)
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize("rest", ['"found": {"groups": []}',
                                  '"options": {}, "runs": null, "claims": [], "described": "", "seconds": 1',
                                  '"options": {}, "runs": [], "claims": [], "described": "", "seconds": null'])
def test_files_of_older_versions_are_not_drawn_but_named(rest, tmp_path, capsys):
    (tmp_path / "ablation.json").write_text(f'{{"experiment": "ablation", {rest}}}')
    assert main(["ablation", "--redraw", "--out", str(tmp_path)]) == 2
    assert "holds no runs by arm and seed: an older version may have written it" in capsys.readouterr().err


def test_all_hands_each_experiment_what_it_has(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(commands, "run", lambda name, options: asked.setdefault(name, options) and 60.0)
    assert main(["all", "--seeds", "3", "--data", "digits", "--out", str(tmp_path), "--workers", "1"]) == 0
    assert list(asked) == list(EXPERIMENTS)
    assert {name: options.seeds for name, options in asked.items()} == {
        name: 1 if name == "learning-rates" else 3 for name in EXPERIMENTS}
    assert {options.out for options in asked.values()} == {tmp_path}
    assert {options.data for options in asked.values() if hasattr(options, "data")} == {"digits"}
    assert asked["complexity"].workers == 1
    assert asked["data-size"].percents == data_size.Options.percents


def test_two_commands_do_not_measure_into_one_folder(tmp_path, capsys):
    lock = FolderLock(tmp_path)
    try:
        assert main(["cnn-identity", "--quick", "--out", str(tmp_path)]) == 1
    finally:
        lock.release()
    assert "another run is writing into" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock"]


def test_missing_data_are_said_to_be_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["ablation", "--data-dir", str(tmp_path)]) == 3
    assert str(tmp_path) in capsys.readouterr().err


# permutation

@pytest.fixture
def rules():
    rng = np.random.default_rng(5)
    return rng.permutation(16), rng.permutation(4)


@pytest.mark.slow
def test_losses_agree_to_1e_9_when_weights_are_permuted_as_the_images(dataset, workers, rules):
    config = replace(PRESETS["digits"], epochs=1, workers=1, batch_size=16)
    shuffled = permutation.reordered(dataset, permutation.pixel_order(8, 2, *rules))
    found = permutation.exact(config, dataset, shuffled, rules, workers)
    assert len(found["losses"]["original"]) == 20
    assert max(found["differences"]["permuted"]) < 1e-9
    assert found["losses"]["original"][-1] < 2.25 < found["losses"]["original"][0], "it learns, so there is a curve"
    assert max(found["differences"]["unpermuted"]) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("left_out", ["stem.weight", "token_mixing.fc1.weight", "token_mixing.fc2.weight"])
def test_each_of_the_permutations_is_needed(dataset, workers, rules, left_out, monkeypatch):
    follow = permutation.follow

    def follow_but_one(model, patches, inside):
        kept = {name: p.data.copy() for name, p in model.named_parameters()}
        follow(model, patches, inside)
        for name, p in model.named_parameters():
            if name.endswith(left_out):
                p.data = kept[name]
        return model

    monkeypatch.setattr(permutation, "follow", follow_but_one)
    shuffled = permutation.reordered(dataset, permutation.pixel_order(8, 2, *rules))
    config = replace(PRESETS["digits"], epochs=1, workers=1, batch_size=16)
    found = permutation.exact(config, dataset, shuffled, rules, workers)
    assert max(found["differences"]["permuted"]) > 1e-6


def test_nothing_but_stem_and_token_mixing_is_permuted(rules):
    model = nn.mixer("pico", image_size=8, patch_size=2, in_channels=1)
    before = model.state_dict()
    changed = {name for name, after in permutation.follow(model, *rules).state_dict().items()
               if not np.array_equal(after, before[name])}
    assert changed == {"stem.weight", *(f"blocks.{i}.token_mixing.{fc}.weight" for i in range(4)
                                        for fc in ("fc1", "fc2"))}          # the biases begin at zero


def test_shuffled_images_hold_the_old_patches(rng, rules):
    images = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    patches, inside = rules
    shuffled = permutation.reorder(images, permutation.pixel_order(8, 2, patches, inside))
    cut, cut_shuffled = (permutation.Patches.forward(np, x, 2)[0].reshape(3, 16, 4, 3) for x in (images, shuffled))
    assert np.array_equal(cut_shuffled, cut[:, patches][:, :, inside])
    assert not np.array_equal(shuffled, images)


# ablation

def test_ablated_mixers_differ_as_they_say(rng):
    images = Tensor(rng.standard_normal((2, 32, 32, 3)).astype(np.float32))
    models = {name: change(nn.mixer("pico"), 0) for name, change in ablated.VARIANTS.items()}
    for model in models.values():
        model.head.weight.data = np.random.default_rng(1).standard_normal((64, 10)).astype(np.float32)
    logits = {name: model(images).data for name, model in models.items()}
    counts = {name: model.num_parameters() for name, model in models.items()}
    assert counts["Mixer"] == counts["no skips"] == nn.mixer("pico").num_parameters()
    assert counts["position added"] - counts["Mixer"] == 64 * 64
    assert counts["Mixer"] - counts["no token mixing"] == sum(
        p.size for name, p in nn.mixer("pico").named_parameters() if "token_" in name)
    assert counts["Mixer"] - counts["no LayerNorm"] == 2 * 64 * 9
    assert counts["mean for token mixing"] == counts["random token mixing"] == counts["no token mixing"] + 4 * 2 * 64
    assert counts["token mixing per channel"] - counts["mean for token mixing"] == 64 * (
        counts["Mixer"] - counts["mean for token mixing"])
    for name in list(ablated.VARIANTS)[1:]:
        assert np.abs(logits[name] - logits["Mixer"]).max() > 1e-3

    models["position added"].stem.position.data[:] = 0
    assert np.array_equal(models["position added"](images).data, logits["Mixer"])
    order = permutation.pixel_order(32, 4, rng.permutation(64), np.arange(16))
    shuffled = Tensor(permutation.reorder(images.data, order))
    for blind in ("no token mixing", "mean for token mixing"):
        assert np.allclose(models[blind](shuffled).data, logits[blind], atol=1e-4)
    assert not np.allclose(models["random token mixing"](shuffled).data, logits["random token mixing"], atol=1e-2)
    assert not np.allclose(models["Mixer"](shuffled).data, logits["Mixer"], atol=1e-2)


def test_without_skips_a_block_forgets_its_input(rng):
    block = nn.mixer("pico").blocks[0]
    for p in block.channel_mixing.parameters():
        p.data[:] = 0
    x = Tensor(rng.standard_normal((1, 64, 64)).astype(np.float32))
    assert np.all(ablated.WithoutSkips(block)(x).data == 0)
    assert np.array_equal(ablated.WithoutTokenMixing(block)(x).data, x.data)


def test_equal_mlps_per_channel_are_the_shared_one(rng):
    block = nn.mixer("pico").blocks[0]
    shared, own = block.token_mixing, ablated.MixingPerChannel(64, 64, 32, rng)
    for p in shared.parameters():
        p.data = rng.standard_normal(p.shape).astype(np.float32) / 8
    for weight, bias, linear in ((own.weight1, own.bias1, shared.fc1), (own.weight2, own.bias2, shared.fc2)):
        weight.data = np.stack([linear.weight.data] * 64)
        bias.data = np.stack([linear.bias.data[None]] * 64)
    y = Tensor(rng.standard_normal((3, 64, 64)).astype(np.float32))             # (B, C, S)
    assert np.allclose(own(y).data, shared(y).data, atol=1e-5)


def test_a_random_mix_stays_as_it_was_drawn(dataset, workers):
    config = replace(PRESETS["digits"], max_steps=2, workers=1)
    model = ablated.with_random_mixing(nn.mixer("pico", image_size=8, patch_size=2, in_channels=1), 7)
    before = [block.token_mixing.weight.data.copy() for block in model.blocks]
    learn("random", config, workers, dataset, model, tests=1)
    assert all(np.array_equal(block.token_mixing.weight.data, old)
               for block, old in zip(model.blocks, before, strict=True))
    assert not np.array_equal(before[0], before[1])


# data-size

def test_parts_are_balanced_nested_and_of_the_size_asked():
    digits = load_digits()
    small, large = (data_size.part(digits, percent, seed=3) for percent in (10, 30))
    assert len(data_size.part(digits, 100).train_images) == len(digits.train_images)
    assert np.abs(np.bincount(small.train_labels) - len(digits.train_images) / 100).max() <= 2
    assert {image.tobytes() for image in small.train_images} <= {image.tobytes() for image in large.train_images}
    assert small.test_images is digits.test_images
    assert not np.array_equal(small.train_images, data_size.part(digits, 10, seed=4).train_images)


# complexity

def test_multiply_adds_grow_as_the_formulas_say():
    for pixels, s in ((32, 64), (64, 256)):
        of_size = complexity.models("pico", pixels)
        mixer, growing, vit = (of_size[name] for name in (complexity.FIXED, complexity.GROWING, complexity.VIT))
        c, stem_and_head = 64, s * 48 * 64 + 64 * 10
        assert nn.count_macs(mixer) == stem_and_head + 4 * (2 * s * c * 32 + 2 * s * c * 128) == nn.trace(mixer).macs
        assert nn.count_macs(growing) == stem_and_head + 4 * (2 * s * c * (s // 2) + 2 * s * c * 128)
        assert nn.count_macs(vit) == stem_and_head + 3 * (4 * s * c * c + 2 * s * s * c + 2 * s * c * 72)


def test_multiply_adds_of_a_convnet_are_counted_too():
    model = nn.build("convnet-pico", width=8, blocks_per_stage=1)
    convolutions = 1024 * 27 * 8 + 2 * 1024 * 72 * 8 + 256 * (72 * 16 + 144 * 16 + 8 * 16) + 64 * (
        144 * 32 + 288 * 32 + 16 * 32)
    assert nn.count_macs(model) == convolutions + 32 * 10


# token-weights and embedding-filters

def test_opposites_are_found_and_frequencies_ordered():
    y, x = np.mgrid[0:8, 0:8] / 8
    waves = [np.sin(2 * np.pi * (k * x + m * y)) for k, m in ((1, 0), (0, 2), (3, 0))]
    maps = np.stack([waves[0], waves[2], -2 * waves[1], -waves[2], waves[1], -waves[0] + 0.3])
    assert np.allclose(8 * mean_frequency(maps), [1, 3, 2, 3, 2, 1])
    assert {frozenset(pair[:2]) for pair in opposite_pairs(maps)} == {frozenset(p) for p in ((0, 5), (1, 3), (2, 4))}
    found = describe(maps.reshape(6, 64).T)
    assert np.allclose(found["correlations"], -1)
    assert np.allclose(found["frequencies"], [1, 2, 3])
    assert np.allclose(found["maps"][0][0], waves[0], atol=1e-4)


def test_random_maps_are_no_opposites(rng):
    assert min(pair[2] for pair in opposite_pairs(rng.standard_normal((65, 8, 8)))) > OPPOSITE
    assert len(opposite_pairs(rng.standard_normal((65, 8, 8)))) == 32
    assert np.array_equal(mean_frequency(np.ones((2, 4, 4))), [0, 0])


def test_a_mosaic_shows_every_map_in_its_place():
    axes = figure().subplots()
    tiles = np.zeros((5, 4, 4, 3))
    tiles[3] = [1, -1, 0]
    mosaic(axes, tiles, columns=3)
    sheet = axes.get_images()[0].get_array()
    assert np.allclose(sheet[28 + 10, 10], [1, 0, 0.5])          # row 1, column 0; a tile and its gap take 28
    assert np.allclose(sheet[10, 10], 0.5)
    assert np.allclose(sheet[28 + 10, -10], 1), "the last place is empty"


@pytest.mark.slow
def test_a_runs_own_mixer_is_shown_and_a_vit_is_refused(tmp_path, capsys):
    config = replace(PRESETS["digits"], max_steps=2, workers=1)
    for model in ("pico", "vit-pico"):
        fit(replace(config, model=model, out=tmp_path / model))
    for name in ("token-weights", "embedding-filters"):
        assert main([name, "--run", str(tmp_path / "pico"), "--out", str(tmp_path)]) == 0
        assert main([name, "--run", str(tmp_path / "vit-pico"), "--out", str(tmp_path / "other")]) == 2
        assert "holds a VisionTransformer: expected a Mixer" in capsys.readouterr().err
        assert main([name, "--run", str(tmp_path / "vit-pico"), "--out", str(tmp_path)]) == 2
        assert "holds runs with other settings (--run was" in capsys.readouterr().err
    content = json.loads((tmp_path / "embedding-filters.json").read_text())
    assert [line["result"]["patch_size"] for line in content["runs"]] == [2]
    assert content["runs"][0]["result"]["source"] == "pico, step 2"


# what all that train share

def test_a_training_is_that_of_fit(dataset, workers, tmp_path, capsys):
    config = replace(PRESETS["digits"], max_steps=5, workers=1, log_every=5, out=tmp_path / "run")
    history = fit(config)
    digits = load_digits()
    _, curve = learn("the same", config, workers, digits, tests=1)
    assert curve["train_loss"] == [line["train_loss"] for line in history.metrics if "train_loss" in line]
    assert curve["test_accuracy"] == [history.best_accuracy]
    assert "the same, seed 0" in capsys.readouterr().out


@pytest.mark.parametrize("side", [8, 32])
def test_models_that_are_compared_have_as_many_parameters_and_cost_alike(dataset, side):
    digits = replace(dataset, train_images=np.zeros((10, side, side, 3), np.uint8))
    models = [compared(kind, replace(PRESETS["digits"], patch_size=side // 8), digits)[1] for kind in KINDS]
    counts, macs = ([measure(model) for model in models] for measure in (nn.Model.num_parameters, nn.count_macs))
    assert max(counts) < 1.2 * min(counts)
    assert [type(model).__name__ for model in models] == ["MlpMixer", "VisionTransformer", "ConvNet"]
    if side == 32:
        assert max(macs) < 2.5 * min(macs)


def test_the_filters_of_a_convolution_must_fit():
    with pytest.raises(ValueError, match="holds no filters of 2 x 2 pixels and 3 channels"):
        cnn_identity.convolution(nn.Linear(16, 4), 2, 3)
