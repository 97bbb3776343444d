from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.nn.build import MODELS
from minimixer.parallel import ShardedModel, Workers, score
from minimixer.parallel.shards import LARGEST_BYTES, SHARD_BYTES, SMALLEST_SHARD, shards


@pytest.mark.parametrize("name", ["pico", "nano", "micro", "tiny", "vit-micro", "convnet-micro", "B/16", "H/14"])
@pytest.mark.parametrize("batch", [1, 7, 32, 100, 512])
def test_shards_cover_the_batch_evenly_and_fit(name, batch):
    config = MODELS[name]
    cuts = shards(batch, config)
    assert [i for cut in cuts for i in range(cut.start, cut.stop)] == list(range(batch))
    sizes = {cut.stop - cut.start for cut in cuts}
    assert max(sizes) - min(sizes) <= 1
    images, bytes_per_image = max(sizes), 4 * config.widest_array
    assert images == 1 or images * bytes_per_image <= (SHARD_BYTES["cpu"] if images > SMALLEST_SHARD else LARGEST_BYTES)


@pytest.mark.parametrize(("name", "images"),
                         [("micro", 16), ("tiny", 16), ("convnet-pico", 16), ("B/16", 6), ("L/16", 5)])
def test_a_shard_has_sixteen_images_unless_they_are_too_large(name, images):
    assert max(cut.stop - cut.start for cut in shards(64, MODELS[name])) == images


def sharded(workers, dtype=np.float32, **options):
    config = replace(nn.MIXERS["pico"], stochastic_depth=0.2, dropout=0.1, **options)
    model = nn.MlpMixer(config)
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data = (p.data + 0.05 * rng.standard_normal(p.shape)).astype(dtype)
    return ShardedModel(model, workers, np.zeros(3, dtype), np.ones(3, dtype), label_smoothing=0.1)


def test_the_gradient_of_a_batch_is_that_of_the_mean_loss(rng):
    images, labels = rng.integers(0, 256, (150, 32, 32, 3), np.uint8), rng.integers(0, 10, 150)
    with Workers(2) as workers:
        model = sharded(workers)
        model.model.config = replace(model.model.config)
        for block in model.model.blocks:
            block.drop_branch.rate = 0
            for mlp in (block.token_mixing, block.channel_mixing):
                mlp.dropout.rate = 0
        loss, correct, gradients = model.gradients(images, labels, 0)
        whole = model.model(mm.Tensor(images.astype(np.float32) / 255))
        expected = mm.functional.cross_entropy(whole, labels, 0.1)
        assert loss == pytest.approx(expected.item(), rel=1e-5)
        assert correct == (whole.data.argmax(1) == labels).sum()
        for ours, theirs in zip(gradients, mm.grad(expected, model.params), strict=True):
            assert np.allclose(ours, theirs, rtol=1e-3, atol=1e-5)
        assert np.allclose(model.predict(images), whole.data, atol=1e-5)
        test_loss, accuracy = score(model.predict(images), labels)
        assert accuracy == pytest.approx(float(correct) / 150)
        assert test_loss == pytest.approx(mm.functional.cross_entropy(whole.detach(), labels).item(), rel=1e-5)


@pytest.mark.slow
def test_weights_after_forty_steps_are_the_same_bits_for_one_two_and_three_workers(rng):
    images, labels = rng.integers(0, 256, (90, 32, 32, 3), np.uint8), rng.integers(0, 10, 90)
    results = []
    for count in (1, 2, 3):
        with Workers(count) as workers:
            model = sharded(workers)
            optimizer = mm.optim.AdamW(model.params)
            for step in range(40):
                _, _, gradients = model.gradients(images, labels, step)
                gradients, _ = mm.optim.clip_by_global_norm(gradients, 1.0)
                optimizer.step(gradients)
            results.append(model.model.state_dict())
    for other in results[1:]:
        assert all(np.array_equal(results[0][name], other[name]) for name in results[0])
