"""The page of a model: what is in it, what is refused, and that its files fit together."""

import base64
import html
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from minimixer import nn, plots
from minimixer.data import load_digits
from minimixer.errors import UsageError
from minimixer.play import is_page, page
from minimixer.play.contents import contents
from minimixer.play.examples import EASY, HARD, spread
from minimixer.play.page import FOLDER, SCRIPTS, policy, read, script
from minimixer.train import load_run
from tests.support.mixers import SMALL, randomized

DIGITS = nn.MixerConfig(image_size=8, patch_size=2, in_channels=1, hidden_dim=8, num_blocks=1, tokens_mlp_dim=4,
                        channels_mlp_dim=8, num_classes=10)
HOSTILE = ("</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"'&", "🦔", "x" * 200, "\u2028", "é",
           "<!--", "]]>", "\x00\x1b[31m")


def digits_of(model, names=tuple("0123456789")):
    return SimpleNamespace(model=model, class_names=names, mean=np.array([0.3]), std=np.array([0.37]),
                           metadata={"data": "digits", "side": 8})


def held(made):
    """What the page holds, as the browser will read it."""
    return json.loads(re.search(r'<script type="application/json" id="contents">(.*?)</script>', made.html, re.S)[1])


def test_the_page_holds_the_model_as_float16():
    model = randomized(SMALL, np.random.default_rng(0))
    content = held(page(model))
    numbers = np.frombuffer(base64.b64decode(content["weights"]), "<f2")
    assert [name for name, _ in content["arrays"]] == list(model.state_dict())
    arrays = [array.ravel() for array in model.state_dict().values()]
    np.testing.assert_array_equal(numbers, np.concatenate(arrays).astype("f2"))
    assert sum(np.prod(shape) for _, shape in content["arrays"]) == content["parameters"] == model.num_parameters()


@pytest.mark.slow
def test_the_pages_are_small():
    pico = nn.mixer("pico", image_size=8, patch_size=2, in_channels=1)
    assert len(page(digits_of(pico)).html.encode()) <= 400_000
    photos = (EASY + HARD) * 32 * 32 * 3
    assert len(page(load_run("cifar10-micro")).html.encode()) + photos * 4 / 3 <= 4_000_000


def test_twenty_images_of_all_classes_and_those_that_confuse_it():
    model = randomized(DIGITS, np.random.default_rng(1))
    content = contents(digits_of(model), "x")
    pixels = np.frombuffer(base64.b64decode(content["images"]), np.uint8).reshape(-1, 8, 8, 1)
    assert content["labels"][:20] == [label for label in range(10) for _ in range(2)]
    assert content["easy"] == 20
    assert len(pixels) == len(content["labels"]) == 32
    known = {image.tobytes(): label for image, label in zip(load_digits().test_images, load_digits().test_labels,
                                                            strict=True)}
    assert [known[image.tobytes()] for image in pixels] == content["labels"]


def test_of_many_classes_twenty_are_shown():
    assert len(set(spread(np.arange(100).repeat(3)))) == 20
    assert spread(np.array([1, 1, 0])) == [2, 0, 1]


def test_own_images_and_names(tmp_path):
    model = randomized(SMALL, np.random.default_rng(2))
    images = np.random.default_rng(0).integers(0, 256, (9, 12, 12, 3)).astype(np.uint8)
    content = held(plots.play(model, "mine", images=images, labels=np.arange(9) % 4, class_names=["a", "b", "c", "d"]))
    assert content["class_names"] == ["a", "b", "c", "d"]
    assert sorted(content["labels"]) == sorted([0, 1, 2, 3] * 2 + [0])
    assert content["origin"] == "a test image"
    assert held(page(model))["class_names"] == [f"class {i}" for i in range(4)]
    assert held(page(model))["images"] == ""


def test_drawings_of_our_own_stand_in_for_photographs():
    content = contents(load_run("cifar10-micro"), "micro")
    assert content["origin"] == "one of our drawings"
    assert content["labels"] == list(range(10))


@pytest.mark.parametrize("number", [np.nan, np.inf, 7e4])
def test_weights_that_float16_cannot_hold_are_refused(number):
    model = nn.MlpMixer(SMALL)
    model.head.bias.data = np.full(4, number, np.float32)
    with pytest.raises(UsageError, match="not finite, or too large for float16"):
        page(model)


def test_other_models_are_refused_with_a_sentence():
    for name in ("vit-pico", "convnet-pico"):
        with pytest.raises(UsageError, match="the page shows how a Mixer computes"):
            page(nn.build(name), "run-1")
    with pytest.raises(UsageError, match=r"S/16 has 18,528,264 parameters|a page can hold"):
        page(SimpleNamespace(model=_huge()), "H/14")


def test_images_that_nobody_can_draw_are_refused():
    with pytest.raises(UsageError, match="takes images of 4 channels, and a page can draw 1 or 3"):
        page(nn.MlpMixer(replace(SMALL, in_channels=4)), "x")


def _huge():
    model = nn.MlpMixer(SMALL)
    model.num_parameters = lambda: 432_350_952
    return model


@pytest.mark.parametrize(("wrong", "message"), [
    ({"images": np.zeros((2, 12, 12, 1), np.uint8)}, r"have shape \(2, 12, 12, 1\), expected \(N, 12, 12, 3\)"),
    ({"images": np.zeros((2, 12, 12, 3))}, "expected uint8"),
    ({"images": np.zeros((2, 12, 12, 3), np.uint8), "labels": np.array([0, 4])}, "class numbers from 0 to 3"),
    ({"class_names": ["a"]}, "1 class names were given for a model of 4 classes")])
def test_images_and_names_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        page(nn.MlpMixer(SMALL), "x", **wrong)


def test_a_scale_of_nothing_is_refused():
    trained = digits_of(nn.MlpMixer(DIGITS))
    trained.std = np.array([0.0])
    with pytest.raises(UsageError, match="no std of zero"):
        page(trained)


def test_names_of_others_cannot_leave_their_place():
    made = page(digits_of(nn.MlpMixer(DIGITS), HOSTILE), HOSTILE[0])
    assert held(made)["class_names"] == list(HOSTILE)
    assert made.html.count("<script") == made.html.count("</script>") == 2
    assert "<title>&lt;/script&gt;" in made.html
    assert made.html.count("onerror") == 1                      # as text in the JSON


def test_the_policy_allows_this_script_and_nothing_else():
    made = page(nn.MlpMixer(SMALL))
    assert "default-src 'none'" in policy()
    assert "unsafe" not in policy()
    assert f'content="{policy()}"' in made.html
    assert f'<script type="module">{script()}</script>' in made.html


def test_each_script_is_in_the_page_once_and_imports_only_from_those_before_it():
    assert sorted(f"{name}.js" for name in SCRIPTS) == sorted(path.name for path in FOLDER.glob("*.js"))
    exported = {}
    for name in SCRIPTS:
        text = read(f"{name}.js")
        for names, file in re.findall(r'import \{([^}]*)\} from "\./(\w+)\.js";', text):
            assert {found.strip() for found in names.split(",") if found.strip()} <= exported[file], name
        exported[name] = set(re.findall(r"^export (?:async )?(?:const|function\*?|class) (\w+)", text, re.M))
    assert not re.search(r"^(import|export) ", script(), re.M)
    names = re.findall(r"^(?:async )?(?:const|let|function\*?|class) (\w+)", script(), re.M)
    assert len(names) == len(set(names)), "all files share one scope"


def test_a_notebook_shows_it_in_a_frame(tmp_path):
    made = plots.play(nn.MlpMixer(SMALL))
    inside = re.search(r'srcdoc="([^"]*)"', made._repr_html_())[1]
    assert html.unescape(inside) == made.html
    made.save(tmp_path / "page.html")
    assert is_page(tmp_path / "page.html")
    (tmp_path / "other.html").write_text("<!doctype html>")
    assert not is_page(tmp_path / "other.html")
