"""RandAugment in one kernel: the bits of the operations as they are written."""

import numpy as np
import pytest

from minimixer import backend
from minimixer.data import Augmentation
from minimixer.data.randaugment import cuda as data_cuda
from minimixer.data.randaugment import reference as ra
from tests.support import standin
from tests.support.emulator import RANDAUGMENT, code, needs_compiler

EVERY = np.arange(5 * len(ra.OPERATIONS)) % len(ra.OPERATIONS)       # each on pictures of five kinds
STRENGTHS = (-1.4, -1.0, -0.3, 0.0, 0.01, 0.5, 1.0, 1.4)


def pictures(rng, n, height, width, channels):
    """Noise, and smooth, dark, flat and two-colored images."""
    shape = n, height, width, channels
    noise = rng.integers(0, 256, shape, np.uint8)
    smooth = np.clip(np.cumsum(rng.integers(-9, 10, shape), 2) + 128, 0, 255).astype(np.uint8)
    kinds = [noise, smooth, smooth // 5 + 30, np.broadcast_to(noise[:, :1, :1], shape), np.where(noise < 99, 100, 101)]
    return np.stack([kinds[i % len(kinds)][i] for i in range(n)]).astype(np.uint8)


@needs_compiler
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("shape", [(13, 17, 3), (32, 32, 3), (9, 20, 1), (1, 1, 3), (2, 3, 1)])
def test_every_operation_has_the_bits_of_the_one_that_is_written(shape, backwards, emulate, rng):
    runner = emulate(backwards)
    for strength in STRENGTHS:
        images = pictures(rng, len(EVERY), *shape)
        given = np.full(len(EVERY), strength)
        expected = ra.change(images, EVERY, given)
        found = data_cuda.change(standin.DeviceArray(images), EVERY, given)
        for i, ours, reference in zip(EVERY, backend.to_numpy(found), expected, strict=True):
            assert np.array_equal(ours, reference), (ra.OPERATIONS[i], strength)
    assert runner.launched == ["randaugment"] * len(STRENGTHS)


@pytest.mark.gpu
@pytest.mark.skipif(backend.gpu_problem() is not None, reason=str(backend.gpu_problem()))
@pytest.mark.parametrize("shape", [(32, 32, 3), (9, 20, 1), (224, 224, 3)])
def test_every_operation_has_these_bits_on_a_gpu(shape, rng):
    for strength in STRENGTHS:
        images, given = pictures(rng, len(EVERY), *shape), np.full(len(EVERY), strength)
        found = data_cuda.change(backend.to_device(images, "gpu"), EVERY, given)
        assert np.array_equal(backend.to_numpy(found), ra.change(images, EVERY, given))


@needs_compiler
def test_a_whole_augmentation_is_that_of_the_cpu_and_waits_for_nothing(emulate, rng):
    runner = emulate()
    augmentation = Augmentation(crop_padding=2, flip=True, randaugment=2, magnitude=9, erasing=0.2)
    images = pictures(rng, 60, 12, 12, 3)
    expected = augmentation(images, np.random.default_rng(5))
    with standin.watch() as waits:
        found = augmentation(standin.DeviceArray(images), np.random.default_rng(5))
    assert waits == []
    assert np.array_equal(backend.to_numpy(found), expected)
    assert runner.launched == ["randaugment"] * 2


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (2, 4, 4, 4), (2, 4, 4, 2)])
def test_what_the_kernel_does_not_know_is_left_to_what_is_written(shape, rng):
    images = rng.integers(0, 256, shape, np.uint8)
    chosen = np.full(len(images), ra.OPERATIONS.index("solarize"))
    found = data_cuda.change(standin.DeviceArray(images), chosen, np.ones(len(images)))
    assert np.array_equal(backend.to_numpy(found), 255 - images)


@needs_compiler
@pytest.mark.parametrize(("right", "wrong"), [
    ("+ 13) / 26", ") / 26"), ("column < width &&", "column <= width &&"), ("level < change[1]", "level <= change[1]"),
    ("(share / 2 + below)", "below"), ("+ pixels) /", ") /"), ("y == height - 1", "y == height"),
    ("    __syncthreads();\n    if (operation == AUTOCONTRAST)\n        for (int i = first; i < channels",
     "    if (operation == AUTOCONTRAST)\n        for (int i = first; i < channels")])
def test_a_mistake_in_the_kernel_is_found(right, wrong, emulate, rng):
    source = code(RANDAUGMENT)
    assert right in source
    emulate(changed=source.replace(right, wrong))
    images = pictures(rng, len(EVERY), 24, 33, 3)
    equal = []
    for strength in (1.0, 0.5, -0.3):
        given = np.full(len(EVERY), strength)
        found = data_cuda.change(standin.DeviceArray(images), EVERY, given)
        equal.append(np.array_equal(backend.to_numpy(found), ra.change(images, EVERY, given)))
    assert not all(equal)


def test_the_kernel_numbers_the_operations_as_python_does():
    words = RANDAUGMENT.read_text().split("enum {")[1].split("}")[0].split(",")
    assert [word.strip().lower() for word in words] == [*ra.OPERATIONS[:data_cuda.AFFINE], "affine"]
    assert set(ra.OPERATIONS[data_cuda.AFFINE:]) == set(ra.GEOMETRIES)
    assert f"FILL = {ra.FILL};" in RANDAUGMENT.read_text()
