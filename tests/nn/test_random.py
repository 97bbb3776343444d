"""Where Dropout and StochasticDepth take their numbers from."""

import threading

import numpy as np
import pytest

from minimixer import nn
from minimixer.tensor import Tensor


def test_draw_from_is_reproducible_and_ends():
    x, layer = Tensor(np.ones(100, np.float32)), nn.Dropout(0.5)
    results = []
    for _ in range(2):
        with nn.draw_from(np.random.default_rng(5)):
            results.append(layer(x).data)
    assert np.array_equal(*results)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.StochasticDepth(0.5)], ids=repr)
def test_where_a_batch_is_split_does_not_change_what_is_drawn(layer):
    x = np.ones((20, 3, 2), np.float32)

    def twice(images, *shard):
        with nn.draw_from(np.random.default_rng(5), *shard):
            return layer(Tensor(images)).data, layer(Tensor(images)).data

    whole = twice(x)
    assert not np.array_equal(*whole)
    parts = [twice(x[s], s, len(x)) for s in (slice(0, 7), slice(7, 8), slice(8, 20))]
    for i in range(2):
        assert np.array_equal(np.concatenate([part[i] for part in parts]), whole[i])


def masks(count):
    """What a Dropout keeps in so many calls in a row."""
    layer, x = nn.Dropout(0.5), Tensor(np.ones(50, np.float32))
    return np.concatenate([layer(x).data > 0 for _ in range(count)])


def test_the_default_stream_is_the_seeds_and_goes_on():
    nn.seed(7)
    expected = np.random.default_rng(7).random(100) >= 0.5
    assert np.array_equal(masks(2), expected)
    nn.seed(7)
    assert np.array_equal(masks(1), expected[:50])
    with nn.draw_from(np.random.default_rng(1)):
        masks(3)                                            # leaves the default stream where it was
        with nn.draw_from(np.random.default_rng(2)):
            masks(1)
    assert np.array_equal(masks(1), expected[50:])


def test_seeding_inside_a_block_changes_the_default_stream_only():
    with nn.draw_from(np.random.default_rng(3)):
        nn.seed(8)
        inside = masks(1)
    assert np.array_equal(inside, np.random.default_rng(3).random(50) >= 0.5)
    assert np.array_equal(masks(1), np.random.default_rng(8).random(50) >= 0.5)


def test_every_thread_starts_at_seed_zero():
    nn.seed(9)
    found = []
    thread = threading.Thread(target=lambda: found.append(masks(2)))
    thread.start()
    thread.join()
    assert np.array_equal(found[0], np.random.default_rng(0).random(100) >= 0.5)
    assert np.array_equal(masks(1), np.random.default_rng(9).random(50) >= 0.5)
