"""The page in Chromium: the numbers are Python's, drawings are recognized, and everything on it works."""

import base64
import io
import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from minimixer import Tensor, nn, no_grad
from minimixer import functional as F
from minimixer.data import load_digits, normalize
from minimixer.data.enlarge import enlarge
from minimixer.play import page
from minimixer.play.contents import contents
from minimixer.play.page import assembled
from minimixer.train import PRESETS, fit, load_run
from tests.play.test_page import HOSTILE
from tests.support.firefox import find_firefox, firefox
from tests.support.mixers import randomized
from tests.support.site import browser, find_chromium
from tests.support.window import Window

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")]
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Wide(nn.MixerConfig):
    """Two rows of three patches: images of 8 x 12 pixels."""

    @property
    def num_patches(self):
        return 6


CONFIGS = {
    "pico": replace(nn.MIXERS["pico"], image_size=8, patch_size=2, in_channels=1),
    "micro": nn.MIXERS["micro"],
    "erf, 9 patches, D_S = 5, gray": nn.MixerConfig(
        image_size=12, patch_size=4, hidden_dim=6, num_blocks=2, in_channels=1, tokens_mlp_dim=5, channels_mlp_dim=7,
        num_classes=3, gelu="erf"),
    "2 x 3 patches, one channel, D_S = 5": Wide(
        image_size=8, patch_size=4, hidden_dim=7, num_blocks=2, in_channels=1, tokens_mlp_dim=5, channels_mlp_dim=9,
        num_classes=3)}


@pytest.fixture(scope="module")
def chromium():
    with browser(find_chromium()) as opened:
        yield opened


@pytest.fixture(scope="module")
def window(chromium):
    return Window(chromium)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The page of the default run."""
    out = tmp_path_factory.mktemp("digits")
    fit(replace(PRESETS["digits"], out=out / "run"))
    page(load_run(out / "run"), "digits").save(out / "page.html")
    return out / "page.html"


@pytest.fixture(scope="module")
def micro(tmp_path_factory):
    path = tmp_path_factory.mktemp("micro") / "page.html"
    page(load_run("cifar10-micro"), "cifar10-micro").save(path)
    return path


def model_of(name):
    if name == "micro":
        return load_run("cifar10-micro").model
    model = randomized(CONFIGS[name], np.random.default_rng(3))
    for p in model.parameters():
        p.data = p.data.astype(np.float16).astype(np.float32)       # as the page holds them
    return model


def page_of(name, path):
    """A page of a model with 50 images in it, and the images as the model takes them."""
    config = CONFIGS[name]
    height, width = (8, 12) if isinstance(config, Wide) else (config.image_size, config.image_size)
    images = RNG.integers(0, 256, (50, height, width, config.in_channels)).astype(np.uint8)
    mean, std = np.linspace(0.3, 0.6, config.in_channels), np.linspace(0.2, 0.3, config.in_channels)
    content = contents(SimpleNamespace(model=model_of(name), class_names=(), mean=mean, std=std, metadata={}), name)
    content["config"] |= {"height": height, "width": width}
    content |= {"images": base64.b64encode(images.tobytes()).decode(), "labels": None, "easy": 0}
    if height != width:                                             # a page of square images would not show them
        content["images"] = ""
    assembled(content).save(path)
    return images, normalize(images, mean.astype(np.float32), std.astype(np.float32))


ASK = """(() => {
  const { player } = playground, all = Uint8Array.from(atob(%s), c => c.charCodeAt(0)), size = all.length / 50;
  return JSON.stringify(Array.from({ length: 50 }, (_, i) =>
      Array.from(player.forward(all.subarray(i * size, (i + 1) * size)).logits)));
})()"""


def by_hand(model, x):
    """The forward pass from the model's own parts, for images that are not square."""
    with no_grad():
        y = model.stem(F.patches(Tensor(x), model.config.patch_size))
        for block in model.blocks:
            y = block(y)
        return model.head(model.norm(y).mean(axis=1)).data


def close(found, expected):
    np.testing.assert_allclose(np.array(json.loads(found)), expected, atol=1e-3, rtol=0)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_python(name, window, tmp_path):
    images, x = page_of(name, tmp_path / "page.html")
    window.open(tmp_path / "page.html")
    found = window.value(ASK % json.dumps(base64.b64encode(images.tobytes()).decode()))
    close(found, by_hand(model_of(name), x))
    wrong = np.array(json.loads(found)) * 1.01                      # the check sees one percent
    assert np.abs(wrong - by_hand(model_of(name), x)).max() > 1e-3


@pytest.mark.skipif(find_firefox() is None, reason="Firefox is not installed")
def test_logits_are_those_of_python_in_firefox_too(tmp_path):
    with firefox(find_firefox()) as window:
        for name in CONFIGS:
            images, x = page_of(name, tmp_path / "page.html")
            found = window.value(tmp_path / "page.html", ASK % json.dumps(base64.b64encode(images.tobytes()).decode()))
            close(found, by_hand(model_of(name), x))


@pytest.mark.parametrize("name", ["pico", "micro", "erf, 9 patches, D_S = 5, gray"])
def test_every_step_has_the_shape_of_python(name, window, tmp_path):
    page_of(name, tmp_path / "page.html")
    window.open(tmp_path / "page.html")
    found = window.value("""JSON.stringify((() => {
        const { player } = playground, { config } = player.contents, seen = [];
        player.model.forward(player.rows(new Uint8Array(config.image_size ** 2 * config.in_channels)),
                             (name, x) => (seen.push([name, x.rows, x.columns]), x));
        return seen })())""")
    traced = nn.trace(nn.MlpMixer(CONFIGS[name]))
    steps = [(step.name, step.shape) for step in traced.first]
    for i, block in enumerate(traced.blocks):
        steps += [(f"blocks.{i}.{step.name}", step.shape) for step in block]
    steps += [(step.name, step.shape) for step in traced.last]
    assert [(n, tuple(shape)) for n, *shape in json.loads(found)] == [
        (n, (1, *shape) if len(shape) == 1 else tuple(shape)) for n, shape in steps]


def test_images_are_enlarged_as_in_training(window, tmp_path):
    model = randomized(replace(CONFIGS["pico"], image_size=22, patch_size=11), RNG)
    trained = SimpleNamespace(model=model, class_names=(), mean=np.zeros(1), std=np.ones(1), metadata={"side": 8})
    page(trained).save(tmp_path / "page.html")
    window.open(tmp_path / "page.html")
    images = load_digits().test_images[:5]
    found = window.value(f"""JSON.stringify({json.dumps(images.reshape(5, -1).tolist())}.map(
        pixels => Array.from(playground.player.fit(Uint8Array.from(pixels)))))""")
    np.testing.assert_array_equal(np.array(json.loads(found)).reshape(5, 22, 22, 1), enlarge(images, 22))


def test_ten_drawn_digits_are_recognized_while_they_are_drawn(window, digits):
    window.open(digits)
    right, times = 0, []
    for digit in range(10):
        window.click("#clear")
        times.append(window.draw(digit))
        right += window.text("#best") == str(digit)
    assert right >= 8
    assert max(times) < 50
    assert window.faults() == []


def test_drawing_in_colors_is_answered_quickly(window, micro):
    window.open(micro)
    window.click("#colors button[title=sea]")
    window.click("#fill")
    window.click("#colors button[title=white]")
    assert window.draw(7) < 150
    assert window.faults() == []


def test_the_pixels_of_a_drawing_look_like_the_data(window, digits):
    window.open(digits)
    window.draw(3)
    pixels = np.array(window.value("Array.from(playground.pixels)")).reshape(8, 8)
    data = load_digits().train_images[..., 0]
    assert set(pixels.ravel().tolist()) <= set(np.unique(data).tolist())
    assert abs(pixels.mean() - data.mean()) < 10
    assert pixels[:, [0, 7]].mean() < 10                            # the margins of the scans
    assert pixels[[0, 7]].max() > 100


def test_a_place_far_from_the_middle_and_another_size_make_no_difference(window, digits):
    window.open(digits)
    rows = [window.value(f"""(() => {{ playground.pad.clear(); playground.pad.begin([{x}, {y}]);
        for (const [dx, dy] of [[0.3, 0], [0.6, 0], [0.5, 0.5], [0.4, 1]])
            playground.pad.extend([{x} + dx * {size}, {y} + dy * {size}]);
        playground.pad.lift(); return Array.from(playground.pad.pixels()) }})()""")
            for x, y, size in ((20, 20, 120), (150, 160, 120), (30, 10, 240))]
    assert rows[0] == rows[1] == rows[2]


def test_a_digit_is_drawn_with_keys_alone(window, digits):
    window.open(digits)
    window.value("document.querySelector('#pad').focus()")
    window.key(*["ArrowUp"] * 8, " ", *["ArrowDown"] * 18, " ")
    assert window.text("#best") == "1"
    window.key("Escape")
    assert window.text("#best") == "…"


def test_an_erased_patch_is_the_mean_and_what_matters_is_what_python_finds(window, digits):
    window.open(digits)
    window.click("#examples button:nth-child(7)")
    trained = load_run(digits.parent / "run")
    image = np.array(window.value("Array.from(playground.pixels)"), np.uint8).reshape(1, 8, 8, 1)
    x = normalize(np.repeat(image, 17, 0), trained.mean, trained.std)
    for s in range(16):
        row, column = 2 * (s // 4), 2 * (s % 4)
        x[s + 1, row:row + 2, column:column + 2] = 0
    with no_grad():
        p = F.softmax(trained.model(Tensor(x))).data
    best = p[0].argmax()
    window.click("#patches .grid button:nth-child(6)")
    assert abs(window.value(f"playground.probabilities[{best}]") - p[6, best]) < 5e-3
    window.click("#restore")
    window.key("m")
    window.wait("document.querySelector('#patches .helps')")
    assert window.value("document.querySelector('#matters').ariaPressed") == "true"
    found = window.value("(() => { const it = playground.player.importance(playground.pixels); let last; "
                         "for (const values of it) last = values; return Array.from(last) })()")
    np.testing.assert_allclose(found, p[0, best] - p[1:, best], atol=5e-3)


def test_patches_and_weights_shuffled_together_change_nothing(window, digits):
    window.open(digits)
    window.click("#examples button:nth-child(7)")
    before = np.array(window.value("Array.from(playground.logits)"))
    window.key("s")
    assert np.abs(np.array(window.value("Array.from(playground.logits)")) - before).max() > 0.1
    window.key("w")
    np.testing.assert_allclose(window.value("Array.from(playground.logits)"), before, atol=1e-4)
    assert "the same answer as before" in window.text("#news")
    window.key("r")
    np.testing.assert_array_equal(window.value("Array.from(playground.logits)"), before)


def test_one_click_finds_an_image_that_confuses_it(window, digits, micro):
    for path in (digits, micro):
        window.open(path)
        window.click("#confuse")
        first, second = sorted(window.value("playground.probabilities"))[:-3:-1]
        assert first - second < 0.1
        assert " or " in window.text("#news")


@pytest.mark.parametrize("dark_paper", [True, False])
def test_a_photo_of_a_digit_is_read_on_any_paper(dark_paper, window, digits, tmp_path):
    from PIL import Image, ImageDraw
    paper, ink = ("#202428", "#e8e8e0") if dark_paper else ("#f4f0e6", "#223060")
    photo = Image.new("RGB", (900, 1200), paper)
    ImageDraw.Draw(photo).line([(380, 420), (620, 420), (480, 780)], ink, 30, "curve")
    photo.save(tmp_path / "seven.jpg")
    window.open(digits)
    window.choose_file(tmp_path / "seven.jpg")
    assert window.text("#best") == "7"


def test_a_photo_is_cropped_and_shrunk_as_predict_does_it(window, micro, tmp_path):
    from PIL import Image

    from minimixer.data.images import read_image
    smooth = np.kron(RNG.integers(0, 256, (6, 8, 3)), np.ones((100, 100, 1))).astype(np.uint8)
    Image.fromarray(smooth).resize((800, 600), Image.Resampling.BICUBIC).save(tmp_path / "photo.png")
    window.open(micro)
    window.choose_file(tmp_path / "photo.png")
    found = np.array(window.value("Array.from(playground.pixels)")).reshape(32, 32, 3)
    assert np.abs(found - read_image(tmp_path / "photo.png", 32, 3)).mean() < 4
    (tmp_path / "no.txt").write_text("no picture")
    window.choose_file(tmp_path / "no.txt")
    assert "no.txt is not a picture" in window.text("#news")


@pytest.mark.parametrize("way", ["new DragEvent('drop', { dataTransfer: held, bubbles: true })",
                                 "new ClipboardEvent('paste', { clipboardData: held, bubbles: true })"])
def test_a_photo_may_be_dropped_and_pasted(way, window, micro):
    from PIL import Image
    file = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 90)).save(file, "PNG")
    window.open(micro)
    before = window.value("playground.answers")
    window.value(f"""(() => {{ const held = new DataTransfer(), png = Uint8Array.from({list(file.getvalue())});
        held.items.add(new File([png], "red.png", {{ type: "image/png" }}));
        document.body.dispatchEvent({way}) }})()""")
    window.wait(f"playground.answers > {before}")
    assert window.value("Array.from(playground.pixels.slice(0, 3))") == [200, 30, 90]
    assert window.faults() == []


def test_the_camera_is_answered_until_a_picture_is_kept(micro):
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with browser(find_chromium(), *flags) as opened:
        window = Window(opened)
        window.open(micro)
        window.click("#camera")
        window.wait("playground.answers > 3")
        assert window.text("#camera") == "Keep this"
        window.click("#camera")
        kept = window.value("Array.from(playground.pad.pixels())")
        assert len(set(kept)) > 3
        assert window.value("document.querySelector('#video').srcObject") is None
        assert window.faults() == []


def test_a_walk_through_all_steps(window, micro):
    window.open(micro)
    names = []
    for _ in range(20):
        names.append(window.text("#step-name"))
        window.click("#next")
    assert names[:3] == ["Patches", "Stem", "Block 1 of 8: token mixing"]
    assert names[-2:] == ["Mean", "Head"]
    window.click("#back")
    window.click("#back")
    assert window.text("#step-name") == "Block 8 of 8: channel mixing"
    assert window.value("[...document.querySelectorAll('#stage canvas')].map(c => c.ariaLabel)") == [
        f"{name} S × C = 64 × 128" for name in ("before", "mixed", "after")]
    tables = "playground.results['blocks.7.%s'][%d].data[77]"
    before, mixed, after = (window.value(tables % key) for key in (("add", 0), ("channel_mixing.fc2", 0), ("add", 1)))
    assert abs(before + mixed - after) < 1e-5
    window.click("#back")
    assert window.value("document.querySelectorAll('#units canvas').length") == 64
    assert window.faults() == []


def test_hostile_class_names_are_shown_and_not_run(window, tmp_path):
    model = randomized(CONFIGS["pico"], RNG)
    trained = SimpleNamespace(model=model, class_names=HOSTILE, mean=np.zeros(1), std=np.ones(1), metadata={"side": 8})
    data = load_digits()
    page(trained, HOSTILE[0], data.test_images[:30], data.test_labels[:30]).save(tmp_path / "page.html")
    for width in (1280, 390):
        window.open(tmp_path / "page.html", width)                  # no alert would let it load
        window.click("#examples button")
        assert window.value("[...document.querySelectorAll('#bars .name')].map(e => e.textContent)") == list(HOSTILE)
        assert window.text("#best") in HOSTILE
        assert window.value("document.querySelectorAll('img').length") == 0
        assert window.value("document.documentElement.scrollWidth") <= width
        window.click("#confuse")
        assert window.faults() == []


def test_what_is_on_the_page_has_names_and_motion_can_be_reduced(window, chromium, digits):
    chromium.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    window.open(digits)
    nodes = chromium.ask("Accessibility.getFullAXTree")["nodes"]
    unnamed = [node["role"]["value"] for node in nodes if not node.get("ignored") and not node["name"]["value"]
               and node["role"]["value"] in ("button", "slider", "image", "listbox", "option", "group", "application")]
    assert unnamed == []
    assert window.value("getComputedStyle(document.querySelector('#bars i')).transitionDuration") == "0s"
    window.click("#examples button")
    window.wait("document.querySelector('#spoken').textContent.startsWith('It says ')")
    chromium.ask("Emulation.setEmulatedMedia", features=[])


def test_a_frame_in_a_notebook_runs_it_too(window, digits, tmp_path):
    trained = load_run(digits.parent / "run")
    (tmp_path / "notebook.html").write_text(f"<!doctype html><body>{page(trained)._repr_html_()}")
    assert window.browser.open((tmp_path / "notebook.html").as_uri(), 1280) == []
    window.wait("document.querySelector('iframe').contentWindow.playground?.answers > 0")
    assert window.faults() == []
