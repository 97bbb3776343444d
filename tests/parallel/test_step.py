from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import nn
from minimixer.parallel import ShardedModel, Workers, score
from minimixer.parallel.shards import SHARD_BYTES, shards


@pytest.mark.parametrize("name", ["pico", "nano", "micro", "tiny"])
@pytest.mark.parametrize("batch", [1, 7, 32, 100, 512])
def test_shards_cover_the_batch_evenly_and_fit(name, batch):
    config = nn.MIXERS[name]
    cuts = shards(batch, config)
    assert [i for cut in cuts for i in range(cut.start, cut.stop)] == list(range(batch))
    sizes = {cut.stop - cut.start for cut in cuts}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) * 4 * config.num_patches * config.channels_mlp_dim <= SHARD_BYTES["cpu"]


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
