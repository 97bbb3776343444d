"""One test body for every device: what a run does from its data to its weights."""

from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, nn, optim
from minimixer.data import Augmentation, Batches, Dataset, normalize
from minimixer.parallel import ShardedModel, Workers, score
from minimixer.tensor import Tensor
from tests.support import standin

CONFIG = replace(nn.MIXERS["pico"], image_size=8, hidden_dim=12, num_blocks=2, tokens_mlp_dim=6, channels_mlp_dim=20,
                 dropout=0.1, stochastic_depth=0.2)


@pytest.fixture
def dataset():
    rng = np.random.default_rng(1)
    return Dataset("toy", rng.integers(0, 256, (90, 8, 8, 3), np.uint8), rng.integers(0, 10, 90),
                   rng.integers(0, 256, (10, 8, 8, 3), np.uint8), rng.integers(0, 10, 10),
                   class_names=tuple("abcdefghij"))


class Run:
    """The training loop less its files."""

    def __init__(self, dataset, device, workers, optimizer=optim.AdamW, dtype=np.float32):
        self.batches = Batches(dataset, 40, 3, Augmentation(crop_padding=1, flip=True), device)
        self.model = nn.MlpMixer(CONFIG)
        # With a head of zeros all logits tie, and AdamW moves weights by lr whose gradients are nothing but rounding.
        self.model.head.weight.data += np.random.default_rng(0).standard_normal((12, 10)).astype(np.float32)
        for p in self.model.parameters():
            p.data = p.data.astype(dtype)
        self.model.to(device)
        mean, std = (backend.to_device(a, device) for a in dataset.channel_statistics())
        self.sharded = ShardedModel(self.model, workers, mean, std, label_smoothing=0.1)
        self.optimizer = optimizer(self.model.parameters(), 3e-3)
        self.schedule = optim.Schedule("cosine", 3e-3, 30, warmup_steps=5)

    def step(self, number):
        loss, correct, gradients = self.sharded.gradients(*self.batches[number], number)
        factor, _ = optim.clip_factor(gradients, 1.0)
        self.optimizer.lr = self.schedule(number)
        self.optimizer.step(gradients, factor)
        return loss, correct


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_a_run_on_a_device_sees_the_images_of_the_cpu_and_gets_its_weights(dataset, device, dtype, tolerance):
    with Workers(1) as workers:
        here, there = (Run(dataset, on, workers, dtype=dtype) for on in ("cpu", device))
        for number in range(30):
            for ours, theirs in zip(here.batches[number], there.batches[number], strict=True):
                assert np.array_equal(ours, backend.to_numpy(theirs))
            (loss, correct), (loss_there, correct_there) = here.step(number), there.step(number)
            assert float(loss_there) == pytest.approx(float(loss), rel=tolerance)
            assert abs(int(correct_there) - int(correct)) <= 1
        state = there.model.state_dict()
        for name, array in here.model.state_dict().items():
            assert isinstance(state[name], np.ndarray)
            assert np.abs(state[name] - array).max() < tolerance, name
        (loss, accuracy), (loss_there, accuracy_there) = (
            score(run.sharded.predict(backend.to_device(dataset.test_images, on)),
                  backend.to_device(dataset.test_labels, on))
            for run, on in ((here, "cpu"), (there, device)))
        assert loss_there == pytest.approx(loss, rel=tolerance)
        assert accuracy_there == pytest.approx(accuracy, abs=0.101)         # one of ten images


@pytest.mark.parametrize("optimizer", [optim.AdamW, optim.SGD])
def test_the_host_waits_for_nothing_in_a_training_step(dataset, optimizer):
    with Workers(1) as workers:
        run = Run(dataset, "standin", workers, optimizer)
        with standin.watch() as waits:
            loss, correct = run.step(0)
            loss, correct = run.step(1)
            by_copy, norm = optim.clip_by_global_norm([p.data for p in run.model.parameters()], 1.0)
        assert waits == []
        with standin.watch() as waits:          # the check sees what it is there for
            float(loss), int(correct), float(norm), by_copy[0].tolist()
        assert waits == ["__float__", "__int__", "__float__", ".tolist()"]


def test_a_model_goes_to_a_device_and_its_state_comes_back(device):
    model = nn.MlpMixer(CONFIG, seed=5)
    before = model.state_dict()
    images = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)
    expected = model.eval()(Tensor(images)).data
    assert model.to(device) is model
    assert {p.device for p in model.parameters()} == {device}
    logits = model(Tensor(images).to(device))
    assert logits.device == device
    assert np.allclose(logits.numpy(), expected, atol=1e-5)
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    other = nn.MlpMixer(CONFIG, seed=6).to(device)
    other.load_state_dict(before)
    assert {p.device for p in other.parameters()} == {device}
    assert all(np.array_equal(array, before[name]) for name, array in other.state_dict().items())
    assert {p.device for p in model.to("cpu").parameters()} == {"cpu"}


@pytest.mark.parametrize("make", [
    lambda params: optim.SGD(params, 0.1), lambda params: optim.SGD(params, 0.1, nesterov=True, weight_decay=0.1),
    lambda params: optim.AdamW(params, 0.1), lambda params: optim.AdamW(params, 0.1, weight_decay=0.3, eps=1e-3)])
@pytest.mark.parametrize("clipped", [False, True])
def test_optimizers_make_the_steps_of_the_cpu(make, clipped, device, rng):
    start = [rng.standard_normal(shape) for shape in ((3, 4), (4,), (2, 5))]
    runs = {}
    for on in ("cpu", device):
        params = [Tensor(backend.to_device(a.copy(), on), requires_grad=True) for a in start]
        optimizer = make(params)
        gradients = np.random.default_rng(7)
        for _ in range(5):
            given = [backend.to_device(gradients.standard_normal(a.shape), on) for a in start]
            optimizer.step(given, optim.clip_factor(given, 0.5)[0] if clipped else None)
        runs[on] = [p.numpy() for p in params]
        assert {backend.device_of(a).name for arrays in optimizer.state.values() for a in arrays} == {on}
    for ours, theirs in zip(runs["cpu"], runs[device], strict=True):
        assert np.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_clipping_on_the_way_is_clipping_before(device, rng):
    start = rng.standard_normal((6, 7)).astype(np.float32)
    gradients = [backend.to_device(rng.standard_normal((6, 7)).astype(np.float32), device)]
    results = []
    for on_the_way in (True, False):
        params = [Tensor(backend.to_device(start.copy(), device), requires_grad=True)]
        if on_the_way:
            optim.AdamW(params).step(gradients, optim.clip_factor(gradients, 0.5)[0])
        else:
            optim.AdamW(params).step(optim.clip_by_global_norm(gradients, 0.5)[0])
        results.append(params[0].numpy())
    assert np.allclose(*results, rtol=1e-6, atol=0)
    if device != "gpu":                 # there a compiler may contract a product and a sum
        assert np.array_equal(*results)


def test_normalized_pixels_are_those_of_the_cpu(device, rng):
    images, mean, std = rng.integers(0, 256, (2, 3, 3, 3), np.uint8), np.full(3, 0.5, "f"), np.full(3, 0.2, "f")
    there = normalize(*(backend.to_device(a, device) for a in (images, mean, std)))
    assert there.dtype == np.float32
    assert np.allclose(backend.to_numpy(there), normalize(images, mean, std), atol=1e-6)


def test_backward_leaves_gradients_on_the_device(device):
    x = Tensor([1.0, 2.0]).to(device)
    x = Tensor(x.data, requires_grad=True)
    (x * x + x).sum().backward()
    x.sum().backward()
    assert backend.device_of(x.grad).name == device
    assert backend.to_numpy(x.grad).tolist() == [4, 6]
    assert mm.functional.softmax(x).sum().item() == pytest.approx(1)
