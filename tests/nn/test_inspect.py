import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.nn.trace_table import short

GMACS = {"S/32": 1.002, "S/16": 3.777, "B/32": 3.238, "B/16": 12.602, "L/32": 11.253, "L/16": 44.548, "H/14": 120.99}
MMACS = {"pico": 5.4, "nano": 32.2, "micro": 75.9, "tiny": 170, "small": 303}


def of_all_blocks(traced, what, blocks):
    """A sum over a model of so many blocks, of whose trace there is one block only: large models take seconds."""
    return getattr(traced, what) + (blocks - 1) * sum(getattr(step, what) for step in traced.blocks[0])


@pytest.mark.parametrize("name", GMACS)
def test_parameters_and_macs_of_the_sizes_of_the_paper(name):
    config = nn.MIXERS[name]
    traced = nn.trace(nn.mixer(name, seed=None, num_blocks=1))
    assert of_all_blocks(traced, "macs", config.num_blocks) / 1e9 == pytest.approx(GMACS[name], abs=6e-3)
    assert of_all_blocks(traced, "parameters", config.num_blocks) == nn.mixer(name, seed=None).num_parameters()


@pytest.mark.parametrize("name", MMACS)
def test_parameters_and_macs_of_our_sizes(name):
    model = nn.mixer(name, seed=None)
    c, traced = model.config, nn.trace(model)
    per_block = 2 * c.hidden_dim * c.num_patches * (c.tokens_mlp_dim + c.channels_mlp_dim)
    stem = c.num_patches * c.patch_size**2 * c.in_channels * c.hidden_dim
    assert traced.macs == stem + c.num_blocks * per_block + c.hidden_dim * c.num_classes
    assert traced.macs / 1e6 == pytest.approx(MMACS[name], rel=0.01)
    assert traced.parameters == model.num_parameters()
    assert traced.weight_bytes == 4 * model.num_parameters()


def test_a_block_shows_the_transposes_with_what_its_axes_are():
    model = nn.mixer("micro")
    steps = nn.trace(model).blocks[0]
    assert [(step.name, step.axes, step.shape) for step in steps[:6]] == [
        ("token_norm", ("S", "C"), (64, 128)), ("swapaxes", ("C", "S"), (128, 64)),
        ("token_mixing.fc1", ("C", "D_S"), (128, 64)), ("token_mixing.gelu", ("C", "D_S"), (128, 64)),
        ("token_mixing.fc2", ("C", "S"), (128, 64)), ("swapaxes", ("S", "C"), (64, 128))]
    printed = [shape[1:] for _, shape, _ in model.blocks[0].summary_rows(64, 128)]
    assert printed == [step.shape for step in steps]            # what print(model) says, and what really ran


def test_layers_that_draw_are_seen_where_they_act():
    traced = nn.trace(nn.mixer("pico", dropout=0.1, stochastic_depth=0.2))
    names = [[step.name for step in block] for block in traced.blocks]
    assert "drop_branch" not in names[0]                        # its rate is 0
    assert all(block.count("drop_branch") == 2 for block in names[1:])
    assert names[0].count("token_mixing.dropout") == names[0].count("channel_mixing.dropout") == 2
    assert "dropout" not in " ".join(step.name for step in nn.trace(nn.mixer("pico")).steps)


@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_the_memory_that_is_kept_is_what_python_holds_after_the_forward_pass(kernels):
    model = nn.mixer("micro", stochastic_depth=0.1)
    images = mm.Tensor(np.zeros((1, 32, 32, 3), np.float32))

    def measure():
        kept = nn.trace(model).kept_bytes
        model(images)                                           # what is imported, or made once
        gc.collect()
        tracemalloc.start()
        logits = model(images)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert logits.node is not None
        return kept, held

    if kernels == "reference":
        with mm.reference_kernels():
            kept, held = measure()
    else:
        kept, held = measure()
    assert held == pytest.approx(kept, rel=0.02)


def test_a_trace_leaves_the_model_as_it_was():
    model = nn.mixer("pico", dropout=0.1).eval()
    model.blocks[1].train()
    before, modes = model.state_dict(), [module.training for module in model.modules()]
    nn.trace(model)
    assert modes == [module.training for module in model.modules()]
    assert all("forward" not in vars(module) for module in model.modules())
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_trace_works_on_every_device_and_needs_the_graph(device):
    model = nn.mixer("pico")
    on_host = nn.trace(model)
    there = nn.trace(model.to(device))
    assert [(s.name, s.shape, s.macs) for s in there.steps] == [(s.name, s.shape, s.macs) for s in on_host.steps]
    with mm.no_grad(), pytest.raises(RuntimeError, match=r"under no_grad\(\) there is none"):
        nn.trace(model)


def test_the_table_fits_a_terminal_and_adds_up():
    for name in ("micro", "B/16"):
        text = str(nn.trace(nn.mixer(name, seed=None)))
        assert max(map(len, text.splitlines())) <= 80
        assert text.splitlines()[-1].split()[1] == f"{nn.mixer(name, seed=None).num_parameters():,}"
    assert "swapaxes               (B, C=768, S=196)" in text
    assert "blocks.1 to blocks.11: the same, together" in text


def test_sizes_that_are_equal_keep_their_letters():
    config = replace(nn.MIXERS["pico"], tokens_mlp_dim=64, channels_mlp_dim=64)        # S = C = D_S = D_C = 64
    shapes = [step.axes for step in nn.trace(nn.MlpMixer(config)).blocks[0]]
    assert shapes[:3] == [("S", "C"), ("C", "S"), ("C", "D_S")]


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (512, "512"), (999.4, "999"), (999.6, "1 k"), (1280, "1.28 k"),
                                             (75_857_152, "75.9 M"), (12.6e9, "12.6 G"), (1.2e12, "1.2e+03 G")])
def test_short_numbers(number, text):
    assert short(number) == text


class Student(nn.Module):
    """A model without a config: two inputs, a dict, a list, attention by einsum, and two results."""

    def __init__(self):
        self.embed = nn.Embedding(7, 4)
        self.blocks = [nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4)) for _ in range(2)]
        self.heads = {"a": nn.Linear(4, 2), "b": nn.Linear(4, 3)}
        self.norm = nn.BatchNorm(4)

    def forward(self, ids, scale):
        x = self.embed(ids) * scale                             # (B, T, 4)
        for block in self.blocks:
            x = x + block(x)
        x = mm.functional.einsum("bqc,bkc,bkd->bqd", x, x, x) + mm.functional.einsum("bqc->bqc", x)
        return {"a": self.heads["a"](self.norm(x)), "b": [self.heads["b"](x)]}


def test_a_model_of_ones_own_is_traced_on_an_example():
    model = Student()
    before = model.state_dict()
    traced = nn.trace(model, np.array([[1, 2, 1]]), mm.Tensor(np.ones((1, 3, 4), np.float32)))
    assert [step.name for step in traced.first] == ["embed", "multiply"]
    assert [[step.name for step in block] for block in traced.blocks] == [["0", "1"], ["add", "0", "1"]]
    assert traced.last[0].name == "add"
    assert [step.shape for step in traced.last if step.name.startswith("heads")] == [(1, 3, 2), (1, 3, 3)]
    assert traced.parameters == model.num_parameters()
    assert traced.macs == 2 * 3 * 16 + 2 * 3 * 3 * 4 * 4 + 3 * 8 + 3 * 12
    assert traced.macs == nn.count_macs(model, np.array([[1, 2, 1]]), np.ones((1, 3, 4), np.float32))
    assert "(1, 3, 4)" in str(traced)
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    assert not any("forward" in vars(module) for module in model.modules())


def test_steps_add_up_in_any_model_and_what_is_shared_counts_once():
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.Tanh(), shared, nn.Flatten(), nn.Linear(12, 2))
    traced = nn.trace(model, np.ones((1, 4, 3), np.float32))
    assert [(step.name, step.parameters) for step in traced.steps] == [
        ("0", 12), ("1", 0), ("0", 0), ("3", 0), ("4", 26)]
    assert (traced.blocks, traced.last) == ([], [])
    assert traced.parameters == model.num_parameters() == 38
    assert nn.trace(nn.build("vit-pico")).macs == nn.count_macs(nn.build("vit-pico"))
    assert len(nn.trace(nn.build("convnet-pico")).blocks) == 12


def test_a_model_that_says_nothing_of_its_inputs_needs_an_example():
    with pytest.raises(TypeError, match=r"what does Sequential take\? Give an example, as in nn\.trace\(model, x\)"):
        nn.trace(nn.Sequential(nn.ReLU()))

    class Odd(nn.Module):
        def forward(self, x):
            return x.shape

    with pytest.raises(TypeError, match="Odd returned a tuple, expected a Tensor, or a tuple, list or dict of them"):
        nn.trace(Odd(), np.ones((1, 2), np.float32))
