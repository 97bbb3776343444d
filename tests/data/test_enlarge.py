import numpy as np
import pytest
from PIL import Image

from minimixer.backend import to_device, to_numpy
from minimixer.data.enlarge import enlarge


def by_pillow(image, side, filter):
    return np.stack([np.asarray(Image.fromarray(image[..., c]).resize((side, side), filter))
                     for c in range(image.shape[-1])], axis=-1)


@pytest.mark.parametrize(("n", "side", "channels"), [(8, 12, 1), (8, 9, 3), (32, 224, 3), (5, 40, 3)])
def test_it_is_pillows_bilinear_filter_to_one_level(n, side, channels, rng, device):
    images = rng.integers(0, 256, (3, n, n, channels), dtype=np.uint8)
    larger = to_numpy(enlarge(to_device(images, device), side))
    assert larger.shape == (3, side, side, channels)
    assert larger.dtype == np.uint8
    assert np.array_equal(larger, enlarge(images, side))            # every device makes the same image
    for image, large in zip(images, larger, strict=True):
        apart = np.abs(large.astype(int) - by_pillow(image, side, Image.Resampling.BILINEAR))
        assert apart.max() <= 1
        nearest = np.abs(large.astype(int) - by_pillow(image, side, Image.Resampling.NEAREST))
        assert nearest.max() > 20                                   # another filter is told apart


def test_plain_images_stay_plain_and_its_own_size_is_no_change(rng):
    for level in (0, 1, 127, 255):
        assert (enlarge(np.full((1, 4, 4, 3), level, np.uint8), 11) == level).all()
    images = rng.integers(0, 256, (2, 6, 6, 3), dtype=np.uint8)
    assert enlarge(images, 6) is images
    with pytest.raises(ValueError, match="images of 6 pixels cannot be enlarged to 5"):
        enlarge(images, 5)


@pytest.mark.parametrize("shape", [(1, 8, 16, 3), (1, 8, 4, 3)])
def test_images_that_are_not_square_are_refused(shape):
    with pytest.raises(ValueError, match=r"8 x (16|4) pixels cannot be enlarged: expected square images"):
        enlarge(np.zeros(shape, np.uint8), 16)
