import re

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn, tensor
from minimixer.tensor import Tensor

TINY = nn.MixerConfig(image_size=8, patch_size=4, hidden_dim=6, num_blocks=3, tokens_mlp_dim=5, channels_mlp_dim=7,
                      num_classes=3)


def randomized(model, rng, dtype=np.float64):
    """Weights of `dtype`, all of them away from the zeros and ones that they start at."""
    for p in model.parameters():
        p.data = (p.data + 0.3 * rng.standard_normal(p.shape)).astype(dtype)
    return model


def with_parameters(model, fn):
    """`fn(*inputs)` as a function of inputs and parameters: for gradcheck, whose Tensors take their places."""
    names = [name for name, _ in model.named_parameters()]

    def of_parameters(*values):
        inputs, parameters = values[:-len(names) or None], values[len(values) - len(names):]
        for name, value in zip(names, parameters, strict=True):
            *path, last = name.split(".")
            module = model
            for step in path:
                module = module[int(step)] if step.isdigit() else getattr(module, step)
            setattr(module, last, value)
        return fn(*inputs)

    return of_parameters


@pytest.mark.parametrize(("name", "parameters"), [
    ("S/32", 19_104_624), ("S/16", 18_528_264), ("B/32", 60_293_428), ("B/16", 59_880_472), ("L/32", 206_939_264),
    ("L/16", 208_196_168), ("H/14", 432_350_952), ("pico", 88_010), ("nano", 490_954), ("micro", 1_132_170),
    ("tiny", 2_484_426), ("small", 4_360_970)])
def test_parameter_counts_are_those_of_the_paper_and_the_official_code(name, parameters):
    assert nn.mixer(name, seed=None).num_parameters() == parameters


@pytest.mark.parametrize("gelu", ["tanh", "erf"])
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
def test_three_blocks_with_their_loss_pass_gradcheck(gelu, layout, rng, device):
    model = randomized(nn.MlpMixer(mm.nn.MixerConfig(**{**vars(TINY), "gelu": gelu})), rng).to(device)
    images = rng.standard_normal((2, 8, 8, 3))
    if layout == "transposed":
        images = np.ascontiguousarray(images.swapaxes(1, 2)).swapaxes(1, 2)
    labels = mm.backend.to_device(np.array([2, 0]), device)

    def loss(images):
        return mm.functional.cross_entropy(model(images), labels, label_smoothing=0.1)

    report = mm.gradcheck(loss, images, max_entries=50, device=device)
    assert report.ok, f"\n{report}"
    fixed = Tensor(mm.backend.to_device(images, device))
    report = mm.gradcheck(with_parameters(model, lambda: loss(fixed)), *[p.data for p in model.parameters()],
                          max_entries=12, device=device)
    assert report.ok, f"\n{report}"


def test_the_same_check_fails_on_a_gradient_that_is_one_percent_off(rng, monkeypatch):
    from minimixer.ops.layernorm import LayerNorm
    model = randomized(nn.MlpMixer(TINY), rng)
    images = Tensor(rng.standard_normal((2, 8, 8, 3)))
    names = [name for name, _ in model.named_parameters()]
    right = LayerNorm.backward
    monkeypatch.setattr(LayerNorm, "backward", staticmethod(
        lambda *arguments: tuple(g * f for g, f in zip(right(*arguments), (1, 1.01, 1), strict=True))))
    with mm.reference_kernels():
        report = mm.gradcheck(with_parameters(model, lambda: model(images).sum()),
                              *[p.data for p in model.parameters()], max_entries=6)
    wrong = [name for name, row in zip(names, report.inputs, strict=True) if not row.ok]
    assert wrong == [name for name in names if "norm.weight" in name]


LAYERS = {
    "Linear": (lambda: nn.Linear(4, 5), (2, 3, 4)),
    "LayerNorm": (lambda: nn.LayerNorm(4), (2, 3, 4)),
    "GELU": (lambda: nn.GELU(), (2, 3, 4)),
    "GELU erf": (lambda: nn.GELU("erf"), (2, 3, 4)),
    "ReLU": (lambda: nn.ReLU(), (2, 3, 4)),
    "Dropout": (lambda: nn.Dropout(0.5), (2, 3, 4)),
    "StochasticDepth": (lambda: nn.StochasticDepth(0.5), (4, 3, 4)),
    "MlpBlock": (lambda: nn.MlpBlock(4, 5, dropout=0.3), (2, 3, 4)),
    "MixerBlock": (lambda: nn.MixerBlock(TINY, drop_branch=0.3), (3, 4, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
def test_every_layer_passes_gradcheck(name, layout, rng, device):
    make, shape = LAYERS[name]
    layer = randomized(make(), rng)
    x = rng.standard_normal(shape)
    if layout == "transposed":
        x = np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2)

    def forward(x):
        with nn.draw_from(np.random.default_rng(3)):        # the same mask every time
            return layer(x)

    parameters = [p.data for p in layer.parameters()]
    report = mm.gradcheck(with_parameters(layer, forward), x, *parameters, device=device)
    assert report.ok, f"\n{report}"


def test_the_initial_weights_are_truncated_lecun_normal_with_a_zero_head():
    model = nn.mixer("nano")
    for name, p in model.named_parameters():
        if name.startswith("head") or name.endswith("bias"):
            assert not p.data.any(), name
        elif "norm" in name:
            assert (p.data == 1).all(), name
        else:
            std = 1 / np.sqrt(p.shape[0])
            assert np.abs(p.data).max() <= 2 * std / 0.8796 + 1e-6, name
            assert p.data.std() == pytest.approx(std, rel=0.05), name
    same, other = nn.mixer("nano"), nn.mixer("nano", seed=1)
    assert np.array_equal(model.stem.weight.data, same.stem.weight.data)
    assert not np.array_equal(model.stem.weight.data, other.stem.weight.data)


def test_state_names():
    assert list(nn.MlpMixer(TINY).state_dict())[:12] == [
        "stem.weight", "stem.bias", "blocks.0.token_norm.weight", "blocks.0.token_norm.bias",
        "blocks.0.token_mixing.fc1.weight", "blocks.0.token_mixing.fc1.bias", "blocks.0.token_mixing.fc2.weight",
        "blocks.0.token_mixing.fc2.bias", "blocks.0.channel_norm.weight", "blocks.0.channel_norm.bias",
        "blocks.0.channel_mixing.fc1.weight", "blocks.0.channel_mixing.fc1.bias"]
    assert list(nn.MlpMixer(TINY).state_dict())[-4:] == ["norm.weight", "norm.bias", "head.weight", "head.bias"]


def test_stochastic_depth_grows_linearly_and_works_on_each_branch():
    config = nn.MixerConfig(**{**vars(TINY), "stochastic_depth": 0.2})
    assert [block.drop_branch.rate for block in nn.MlpMixer(config).blocks] == [0, 0.1, 0.2]


def test_eval_switches_dropout_and_stochastic_depth_off(rng):
    model = nn.MlpMixer(nn.MixerConfig(**{**vars(TINY), "stochastic_depth": 0.5, "dropout": 0.5}))
    plain = nn.MlpMixer(TINY)
    randomized(model, np.random.default_rng(1))
    randomized(plain, np.random.default_rng(1))
    images = Tensor(rng.standard_normal((4, 8, 8, 3)))
    assert not np.allclose(model(images).data, plain(images).data)
    assert np.array_equal(model.eval()(images).data, plain(images).data)


def shapes_that_occur(block, x):
    """The shapes that Linear, SwapAxes, LayerNorm, GELU and Add really return, in order."""
    seen = []
    original = tensor.apply

    def spy(op, *operands, **options):
        y = original(op, *operands, **options)
        seen.append((op.__name__, y.shape))
        return y

    from minimixer import functional
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensor, "apply", spy)
        patch.setattr(functional.layers, "apply", spy)
        block(x)
    return seen


def test_print_shows_every_step_that_is_computed_with_its_true_shape():
    model = nn.MlpMixer(TINY)
    names = {"Linear": "Linear", "LayerNorm": "LayerNorm", "swapaxes(1, 2)": "SwapAxes", "GELU tanh": "GELU",
             "x = x + y": "Add"}
    printed = []
    for step, shape, _ in model.blocks[0].summary_rows(TINY.num_patches, TINY.hidden_dim):
        op = next(op for words, op in names.items() if words in step)
        printed.append((op, (2, *shape[1:])))
    assert printed == shapes_that_occur(model.blocks[0], Tensor(np.zeros((2, 4, 6), np.float32)))


def test_print_counts_the_parameters():
    text = str(nn.mixer("micro"))
    assert "1,132,170 parameters" in text
    assert "blocks.0 to blocks.7, each:" in text
    each, rest = 0, 0
    for line in text.splitlines()[3:]:
        count = re.search(r"([\d,]+)$", line)
        if count and line.startswith("  "):
            each += int(count[1].replace(",", ""))
        elif count and "(B," in line and not line.rstrip().endswith(")"):
            rest += int(count[1].replace(",", ""))
    assert 8 * each + rest == 1_132_170
    assert "blocks.2" in str(nn.mixer("nano", stochastic_depth=0.1))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: nn.MixerConfig(image_size=32, patch_size=5), r"5 pixels do not tile .* 32: change patch_size to .* \[1"),
    (lambda: nn.MixerConfig(hidden_dim=0), "hidden_dim is 0, expected a positive number"),
    (lambda: nn.mixer("pico", width=3), "a Mixer has no width: its fields are image_size"),
    (lambda: nn.mixer("pico", gelu="relu"), "form is 'relu', expected 'tanh' or 'erf'"),
    (lambda: nn.MixerConfig(hidden_dim=-1, dropout=0, stochastic_depth=0), "hidden_dim is -1, expected"),
    (lambda: nn.mixer("XL/7"), "no Mixer is called 'XL/7': expected one of S/32"),
    (lambda: nn.mixer("nano")(Tensor(np.zeros((1, 28, 28, 3)))),
     r"\(1, 28, 28, 3\), expected \(B, 32, 32, 3\).*S = \(32 / 4\)\^2 = 64 patches.*resize"),
    (lambda: nn.Dropout(1.0), "rate is 1.0, expected the fraction to drop"),
])
def test_sizes_that_do_not_fit_get_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
