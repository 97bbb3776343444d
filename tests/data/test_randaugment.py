"""Every operation of RandAugment against Pillow, and the draw."""

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image, ImageEnhance, ImageOps

from minimixer import backend
from minimixer.data.randaugment import reference as ra

N = 48


@pytest.fixture(scope="module")
def photos():
    """Crops of a photograph, some noise, and images of one or two colors: (48, 32, 24, 3)."""
    with get_sample_data("grace_hopper.jpg") as file:
        photo = np.asarray(Image.open(file))                # (600, 512, 3)
    rng = np.random.default_rng(1)
    crops = []
    for _ in range(40):
        y, x = rng.integers(0, 200, 2)
        step = rng.integers(1, 10)
        crops.append(photo[y:y + 32 * step:step, x:x + 24 * step:step][:32, :24])
    special = [rng.integers(0, 256, (32, 24, 3), np.uint8) for _ in range(4)]
    special += [np.full((32, 24, 3), level, np.uint8) for level in (0, 77, 255)]
    special.append(np.where(rng.random((32, 24, 3)) < 0.5, 100, 101).astype(np.uint8))
    return np.stack([*crops, *special])


def spread(low, high):
    return np.random.default_rng(2).permutation(np.linspace(low, high, N))


FACTORS, ANGLES, SHEARS, SHIFTS = spread(0, 2.5), spread(-75, 75), spread(-0.6, 0.6), spread(-30, 30)
THRESHOLDS, BITS = np.rint(spread(0, 256)), np.rint(spread(1, 8)).astype(int)


def transformed(*matrix):
    return lambda p, i: p.transform(p.size, Image.Transform.AFFINE, [m[i] if np.ndim(m) else m for m in matrix],
                                    fillcolor=(ra.FILL,) * 3)


OPERATIONS = {          # ours on all images; Pillow's on image i
    "autocontrast": (ra.autocontrast, lambda p, i: ImageOps.autocontrast(p)),
    "equalize": (ra.equalize, lambda p, i: ImageOps.equalize(p)),
    "solarize": (lambda x: ra.solarize(x, THRESHOLDS), lambda p, i: ImageOps.solarize(p, int(THRESHOLDS[i]))),
    "posterize": (lambda x: ra.posterize(x, 256 - 2 ** (8 - BITS)), lambda p, i: ImageOps.posterize(p, int(BITS[i]))),
    "color": (lambda x: ra.color(x, FACTORS), lambda p, i: ImageEnhance.Color(p).enhance(FACTORS[i])),
    "contrast": (lambda x: ra.contrast(x, FACTORS), lambda p, i: ImageEnhance.Contrast(p).enhance(FACTORS[i])),
    "brightness": (lambda x: ra.brightness(x, FACTORS), lambda p, i: ImageEnhance.Brightness(p).enhance(FACTORS[i])),
    "sharpness": (lambda x: ra.sharpness(x, FACTORS), lambda p, i: ImageEnhance.Sharpness(p).enhance(FACTORS[i])),
    "rotate": (lambda x: ra.affine(x, ra.rotation(ANGLES, 32, 24)),
               lambda p, i: p.rotate(ANGLES[i], fillcolor=(ra.FILL,) * 3)),
    "shear_x": (lambda x: ra.affine(x, ra.shift(shear_x=SHEARS)), transformed(1, SHEARS, 0, 0, 1, 0)),
    "shear_y": (lambda x: ra.affine(x, ra.shift(shear_y=SHEARS)), transformed(1, 0, 0, SHEARS, 1, 0)),
    "translate_x": (lambda x: ra.affine(x, ra.shift(x=SHIFTS)), transformed(1, 0, SHIFTS, 0, 1, 0)),
    "translate_y": (lambda x: ra.affine(x, ra.shift(y=SHIFTS)), transformed(1, 0, 0, 0, 1, SHIFTS)),
}


def test_every_operation_is_compared():
    assert set(ra.OPERATIONS) == {"identity", *OPERATIONS}


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_computes_what_pillow_computes_to_the_last_bit(name, photos, device):
    ours, pillows = OPERATIONS[name]
    found = backend.to_numpy(ours(backend.to_device(photos, device)))
    expected = np.stack([np.asarray(pillows(Image.fromarray(photo), i)) for i, photo in enumerate(photos)])
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)
    assert not np.array_equal(found, photos)


@pytest.mark.parametrize("name", sorted(ra.COLORS))
def test_gray_images_of_one_channel_too(name, photos):
    gray = photos[..., :1]
    strength = np.linspace(-1, 1, N)
    ours = ra.COLORS[name](gray, strength)
    threes = ra.COLORS[name](np.repeat(gray, 3, axis=-1), strength)
    assert np.array_equal(ours, threes[..., 1:2])


def test_the_ends_of_the_ranges_are_those_of_autoaugment(photos):
    ends = np.repeat([1.0, -1.0], N // 2)
    factors = np.where(ends > 0, 1.9, 0.1)
    expected = {
        "solarize": 255 - photos, "posterize": photos & 0xF0, "color": ra.color(photos, factors),
        "contrast": ra.contrast(photos, factors), "brightness": ra.brightness(photos, factors),
        "sharpness": ra.sharpness(photos, factors), "rotate": ra.affine(photos, ra.rotation(30 * ends, 32, 24)),
        "shear_x": ra.affine(photos, ra.shift(shear_x=0.3 * ends)),
        "shear_y": ra.affine(photos, ra.shift(shear_y=0.3 * ends)),
        "translate_x": ra.affine(photos, ra.shift(x=24 * 150 / 331 * ends)),
        "translate_y": ra.affine(photos, ra.shift(y=32 * 150 / 331 * ends))}
    for name, images in expected.items():
        chosen = np.full(N, ra.OPERATIONS.index(name))
        assert np.array_equal(ra.change(photos, chosen, ends), images), name
        assert np.array_equal(ra.change(photos, chosen, 0 * ends), photos), name


@pytest.mark.parametrize("strength", [1.5, 3.0])
def test_there_are_changes_beyond_magnitude_ten(strength, photos):
    for i, name in enumerate(ra.OPERATIONS):
        for sign in (-1, 1):
            changed = ra.change(photos, np.full(N, i), np.full(N, sign * strength))
            assert changed.dtype == np.uint8, name
            assert changed.shape == photos.shape


def test_a_batch_of_many_operations_is_changed_as_each_would_be_alone(photos, device, rng):
    chosen, strength = rng.integers(len(ra.OPERATIONS), size=N), rng.choice([-0.7, 0.7], N)
    together = backend.to_numpy(ra.change(backend.to_device(photos, device), chosen, strength))
    alone = [ra.change(photos[i:i + 1], chosen[i:i + 1], strength[i:i + 1])[0] for i in range(N)]
    assert np.array_equal(together, np.stack(alone))


def test_the_draw_takes_every_operation_about_equally_often_and_in_both_directions(monkeypatch):
    drawn = []

    def remember(images, chosen, strength):
        drawn.append((chosen, strength))
        return images

    monkeypatch.setattr(ra, "change", remember)
    ra.randaugment(np.zeros((7000, 2, 2, 1), np.uint8), 3, 15, np.random.default_rng(0))
    assert len(drawn) == 3
    for chosen, strength in drawn:
        counts = np.bincount(chosen, minlength=len(ra.OPERATIONS))
        assert len(counts) == 14
        assert counts.min() > 420
        assert counts.max() < 580
        assert set(strength) == {-1.5, 1.5}
        assert abs((strength > 0).mean() - 0.5) < 0.03
