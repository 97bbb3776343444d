import threading
from dataclasses import replace

import numpy as np
import pytest

from minimixer import backend, data
from minimixer.data import Augmentation, Batches, Dataset, Prefetch
from minimixer.data.batches import normalize
from minimixer.errors import UsageError


@pytest.fixture
def dataset(rng):
    def part(n):
        return rng.integers(0, 256, (n, 6, 6, 3), np.uint8), rng.integers(0, 3, n)
    return Dataset("toy", *part(10), *part(4), class_names=("a", "b", "c"))


def test_channel_statistics_are_those_of_the_pixels(dataset):
    mean, std = dataset.channel_statistics()
    pixels = dataset.train_images.reshape(-1, 3) / 255
    assert np.allclose(mean, pixels.mean(0), rtol=1e-6)
    assert np.allclose(std, pixels.std(0), rtol=1e-5)
    assert mean.dtype == std.dtype == np.float32
    normalized = data.normalize(dataset.train_images, mean, std)
    assert normalized.dtype == np.float32
    assert np.allclose(normalized.reshape(-1, 3).mean(0), 0, atol=1e-5)
    assert np.allclose(normalized.reshape(-1, 3).std(0), 1, atol=1e-5)


def rows(images):
    return [image.tobytes() for image in images]


def test_an_epoch_holds_every_image_once_and_the_next_one_has_another_order(dataset):
    batches = Batches(dataset, 5)
    assert len(batches) == 2
    epochs = [[*rows(batches[2 * e][0]), *rows(batches[2 * e + 1][0])] for e in range(3)]
    assert all(sorted(epoch) == sorted(rows(dataset.train_images)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    images, labels = batches[3]
    where = rows(dataset.train_images)
    assert [dataset.train_labels[where.index(row)] for row in rows(images)] == labels.tolist()


def test_a_step_is_the_same_whatever_was_asked_before(dataset):
    augmentation = Augmentation(crop_padding=2, flip=True)
    ahead, later = Batches(dataset, 4, 7, augmentation), Batches(dataset, 4, 7, augmentation)
    expected = [ahead[step] for step in range(6)]
    for step in (5, 0, 3):
        for one, other in zip(later[step], expected[step], strict=True):
            assert np.array_equal(one, other)
    assert not np.array_equal(Batches(dataset, 4, 8, augmentation)[0][0], expected[0][0])


def test_prefetched_batches_are_the_same_batches(dataset):
    batches = Batches(dataset, 4, 7, Augmentation(crop_padding=2, flip=True))
    with Prefetch(batches) as prefetch:
        for step in (0, 1, 2, 5, 4):
            for one, other in zip(prefetch[step], batches[step], strict=True):
                assert np.array_equal(one, other)
    assert not [t for t in threading.enumerate() if t.name.startswith("minimixer")]


def test_a_batch_larger_than_the_data_is_refused(dataset):
    with pytest.raises(ValueError, match=r"batch_size is 11, expected 1\.\.10.*toy"):
        Batches(dataset, 11)


def test_pixels_that_are_no_bytes_and_steps_before_the_first_are_refused(dataset):
    floats = replace(dataset, train_images=dataset.train_images / np.float32(255))
    with pytest.raises(UsageError, match="of float32, expected uint8, pixels"):
        Batches(floats, 4)
    with pytest.raises(ValueError, match="of float32, expected uint8"):
        normalize(floats.train_images, *dataset.channel_statistics())
    batches = Batches(dataset, 4)
    with pytest.raises(IndexError, match="step is -1: steps are counted from 0"):
        batches[-1]
    with pytest.raises(IndexError, match="epoch is -1: epochs are counted from 0"):
        batches.epoch(-1)


def test_a_loop_is_an_epoch_and_the_next_loop_is_the_next(dataset):
    batches = Batches(dataset, 3, seed=5)
    steps = [batches[step][1] for step in range(3 * len(batches))]
    for epoch in range(3):
        looped = [labels for _, labels in batches]
        assert np.array_equal(looped, steps[epoch * len(batches):(epoch + 1) * len(batches)])
    assert np.array_equal([labels for _, labels in batches.epoch(1)], steps[len(batches):2 * len(batches)])
    left = Batches(dataset, 3, seed=5)
    next(iter(left))
    assert np.array_equal(next(iter(left))[1], steps[len(batches)])     # a loop that was left is over



def test_pad_crop_moves_windows_over_a_black_border(rng, device):
    images = rng.integers(1, 256, (3, 4, 5, 3), np.uint8)
    offsets = np.array([[0, 0], [2, 2], [4, 3]])
    cropped = backend.to_numpy(data.pad_crop(backend.to_device(images, device), 2, backend.to_device(offsets, device)))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    for i, (r, c) in enumerate(offsets):
        assert np.array_equal(cropped[i], padded[i, r:r + 4, c:c + 5])
    assert np.array_equal(cropped[1], images[1])
    assert cropped.dtype == np.uint8


def test_flip_mirrors_only_the_chosen(rng, device):
    images = rng.integers(0, 256, (2, 4, 5, 3), np.uint8)
    chosen = backend.to_device(np.array([True, False]), device)
    flipped = backend.to_numpy(data.flip(backend.to_device(images, device), chosen))
    assert np.array_equal(flipped[0], images[0, :, ::-1])
    assert np.array_equal(flipped[1], images[1])


def test_augmentation_draws_every_shift_and_flips_half(rng):
    images = np.zeros((2000, 5, 5, 1), np.uint8)
    images[:, 2, 1] = 255
    changed = Augmentation(crop_padding=1, flip=True)(images, rng)
    places = {tuple(np.argwhere(image[..., 0])[0]) for image in changed}
    assert places == {(r, c) for r in (1, 2, 3) for c in (0, 1, 2, 2, 3, 4)}
    assert np.mean([np.argwhere(image[..., 0])[0][1] > 2 for image in changed]) == pytest.approx(1 / 3, abs=0.05)
    assert Augmentation()(images, rng) is images
