"""timm's own models, with random weights, through safetensors: logits, gradients, and the way back."""

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.weights import load_timm, model_from, save_timm

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
try:
    import torchvision  # noqa: F401
except ImportError:
    pass                                # then timm cannot be imported either
except RuntimeError:                    # a torchvision for CUDA beside a PyTorch without: it looks up two ops that
    for op in ("nms", "qnms"):          # are not there, and that no Mixer uses
        torch.library.define(f"torchvision::{op}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
timm = pytest.importorskip("timm", reason="timm is not installed")
safetensors_torch = pytest.importorskip("safetensors.torch")


def saved(theirs, path, seed=0):
    """Give timm's model random weights, all of them away from zero and one, and save them as its users do."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in theirs.parameters():
            p += 0.02 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    safetensors_torch.save_file(theirs.state_dict(), path)
    return theirs.eval()


def assert_the_way_back_is_exact(ours, theirs, path):
    save_timm(ours, path)
    back = safetensors_torch.load_file(path)
    assert set(back) == set(theirs.state_dict())
    for name, tensor in theirs.state_dict().items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor), name
    theirs.load_state_dict(back)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s16", "b32", "l16"])
def test_logits_of_the_papers_sizes(name, tmp_path, rng):
    theirs = saved(timm.create_model(f"mixer_{name}_224"), tmp_path / "theirs.safetensors")
    ours, report = model_from(tmp_path / "theirs.safetensors")
    variant = nn.MIXERS[f"{name[0].upper()}/{name[1:]}"]
    assert ours.config == mm.nn.MixerConfig(**{**vars(variant), "gelu": "erf"})
    assert (report.missing, report.unused, report.notes) == ((), (), ())
    images = rng.standard_normal((1, 224, 224, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    with mm.no_grad():
        logits = ours(mm.Tensor(images)).data
    assert np.abs(expected).max() > 0.1
    assert np.abs(logits - expected).max() < 2e-4 * np.abs(expected).max()
    assert_the_way_back_is_exact(ours, theirs, tmp_path / "back.safetensors")
    for path in tmp_path.iterdir():         # hundreds of megabytes
        path.unlink()


@pytest.fixture
def small(tmp_path):
    """A small timm Mixer and ours with its weights, both in float64."""
    theirs = timm.models.mlp_mixer.MlpMixer(num_classes=7, img_size=16, patch_size=4, num_blocks=3, embed_dim=24,
                                            mlp_ratio=(0.5, 3.0)).double()
    saved(theirs, tmp_path / "a.safetensors")
    ours, _ = model_from(tmp_path / "a.safetensors")
    for p in ours.parameters():
        p.data = p.data.astype(np.float64)
    load_timm(ours, tmp_path / "a.safetensors")         # once more, now without rounding
    return theirs, ours


def test_logits_and_gradients_agree_in_float64(small, tmp_path, rng):
    theirs, ours = small
    images, labels = rng.standard_normal((5, 16, 16, 3)), rng.integers(0, 7, 5)
    logits = ours(mm.Tensor(images))
    gradients = mm.grad(mm.functional.cross_entropy(logits, labels), ours.parameters())
    expected = theirs(torch.tensor(images).permute(0, 3, 1, 2))
    torch.nn.functional.cross_entropy(expected, torch.tensor(labels)).backward()
    assert np.abs(logits.data - expected.detach().numpy()).max() < 1e-11

    # Gradients take the same names as weights: written by us into timm's layout, they are timm's.
    for p, gradient in zip(ours.parameters(), gradients, strict=True):
        p.data = gradient
    save_timm(ours, tmp_path / "gradients.safetensors")
    ours_as_theirs = safetensors_torch.load_file(tmp_path / "gradients.safetensors")
    for name, p in theirs.named_parameters():
        assert (ours_as_theirs[name] - p.grad).abs().max() < 1e-11 * max(1, p.grad.abs().max()), name


def test_the_tanh_form_would_be_noticed(small, tmp_path, rng):
    theirs, ours = small
    images = rng.standard_normal((2, 16, 16, 3))
    with torch.no_grad():
        expected = theirs(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    for module in ours.modules():
        if isinstance(module, nn.GELU):
            module.form = "tanh"
    assert np.abs(ours(mm.Tensor(images)).data - expected).max() > 1e-6


def test_the_way_back_is_exact_for_a_small_one(small, tmp_path):
    theirs, ours = small
    assert_the_way_back_is_exact(ours, theirs, tmp_path / "back.safetensors")
