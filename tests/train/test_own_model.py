"""``fit(config, model=...)``: a student's own Module is trained, saved, resumed, or refused with the reason."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer import functional as F
from minimixer import nn
from minimixer.errors import UsageError
from minimixer.train import PRESETS, Callback, evaluate, fit, load_run
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.own_model import examine
from tests.support.commands import evaluate as evaluate_command
from tests.support.commands import predict as predict_command
from tests.support.commands import train as train_command

pytestmark = pytest.mark.usefixtures("no_pictures")
QUICK = replace(PRESETS["digits"], max_steps=50, workers=1, log_every=10)


class Quiet(Callback):
    pass


class Net(nn.Module):
    """Two Linear layers with Dropout between them; images (B, 8, 8, 1) -> logits (B, 10)."""

    def __init__(self, seed=0, hidden=24):
        init = nn.lecun_normal(np.random.default_rng(seed))
        self.fc1, self.fc2 = nn.Linear(64, hidden, init), nn.Linear(hidden, 10, init)
        self.dropout = nn.Dropout(0.2)

    def hidden(self, images):
        return self.fc1(images.reshape(images.shape[0], 64))

    def forward(self, images):
        return self.fc2(self.dropout(F.relu(self.hidden(images))))


class OverTheBatch(Net):
    def hidden(self, images):
        h = super().hidden(images)
        return h - h.mean(axis=0, keepdims=True)


class Running(Net):
    def __init__(self):
        super().__init__()
        self.mean = np.zeros(24, np.float32)

    def hidden(self, images):
        h = super().hidden(images)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * h.data.mean(0)
        return h - mm.Tensor(self.mean)


class Counting(Net):
    calls = 0

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return super().forward(images)


class Noisy(Net):
    def hidden(self, images):
        h = super().hidden(images)
        return h * mm.Tensor(np.random.default_rng().random(h.shape, np.float32))


class Flat(Net):
    def forward(self, images):
        return self.fc2(self.fc1(images.reshape(-1)))


class Arrays(Net):
    def forward(self, images):
        return super().forward(images).data


class TooFew(Net):
    def forward(self, images):
        return super().forward(images)[:, :7]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a Net, which the tests look at but leave alone."""
    return fit(replace(QUICK, out=tmp_path_factory.mktemp("own") / "run"), reporter=Quiet(), model=Net())


def test_it_learns_and_the_folder_says_what_it_is(run):
    assert run.best_accuracy > 0.65
    config = json.loads((run.out / "config.json").read_text())
    assert config["own_model"]["class"] == "Net"
    assert config["model"] == {"image_size": 8, "in_channels": 1, "num_classes": 10, "widest_array": 64}
    assert "# Net on digits" in (run.out / "report.md").read_text()


def test_the_model_that_was_given_has_the_last_weights_and_a_loaded_one_the_best(run, tmp_path):
    model = Net()
    again = fit(replace(QUICK, out=tmp_path / "again", workers=3), reporter=Quiet(), model=model)
    for name in ("last.safetensors", "best.safetensors"):       # any number of threads gives the same bytes
        assert (again.out / name).read_bytes() == (run.out / name).read_bytes()
    trained, digits = load_run(run.out, model=Net(seed=7)), mm.data.load("digits")
    assert evaluate(trained, digits)["accuracy"] == run.best_accuracy
    np.testing.assert_array_equal(trained.logits(digits.test_images[:9]),
                                  load_run(again.out, model=Net(seed=8)).logits(digits.test_images[:9]))
    assert model.dropout.rate == 0.2
    mm.weights.load(other := Net(seed=3), again.out / "last.safetensors")
    np.testing.assert_array_equal(other.fc1.weight.data, model.fc1.weight.data)


@pytest.mark.parametrize("step", [0, 1, 30])
def test_it_resumes_to_the_same_bytes_even_from_before_its_first_test(step, run, tmp_path):
    class Stop(Callback):
        def start(self, progress):
            if not step:
                progress.receive(15)

        def step(self, progress, loss, correct):
            if progress.step == step:
                progress.receive(15)

    config = replace(QUICK, out=tmp_path / "run")
    assert fit(config, [Stop()], Quiet(), model=Net()).interrupted == 15
    resumed = fit(replace(config, resume=True, workers=2), reporter=Quiet(), model=Net(seed=9))
    for name in ("last.safetensors", "best.safetensors"):
        assert (resumed.out / name).read_bytes() == (run.out / name).read_bytes()


@pytest.mark.parametrize(("model", "message"), [
    (None, "trains a Net, a Module of your own.*pass it again: fit\\(config, model=...\\)"),
    (lambda: Net(hidden=25), "is a Net with other layers or parameters than the Net"),
    (OverTheBatch, "is a OverTheBatch with other layers")])
def test_another_model_does_not_go_on_with_a_run(model, message, run):
    before = {path.name: path.read_bytes() for path in run.out.iterdir()}
    with pytest.raises(UsageError, match=message):
        fit(replace(QUICK, out=run.out, resume=True), reporter=Quiet(), model=model and model())
    assert {path.name: path.read_bytes() for path in run.out.iterdir()} == before


def test_a_run_of_a_named_model_takes_no_model(trained_run):
    with pytest.raises(UsageError, match="trains the model that its configuration names: resume it without model="):
        fit(replace(QUICK, out=trained_run, resume=True), reporter=Quiet(), model=Net())
    with pytest.raises(CheckpointError, match="which it describes itself: load it without model="):
        load_run(trained_run, model=Net())


def test_commands_say_that_only_python_can_build_it(run, tmp_path, capsys):
    assert evaluate_command([run.out]) == 1
    assert "a Module that only your own code can build: in Python, pass one" in capsys.readouterr().err
    (tmp_path / "x.png").touch()
    assert predict_command([run.out, tmp_path / "x.png"]) == 1
    assert "mm.train.load_run(" in capsys.readouterr().err
    assert train_command(["--resume", "--out", run.out]) == 2
    assert "go on in Python, and pass it again" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="other layers or parameters; build it as it was"):
        load_run(run.out, model=Net(hidden=3))


@pytest.mark.parametrize(("model", "message"), [
    (OverTheBatch, "for an image depends on the other images of the batch, as with BatchNorm"),
    (Running, "the forward pass of Running changes mean: shards"),
    (Counting, "the forward pass of Counting changes calls"),
    (Noisy, "Noisy computes something else each time"),
    (Flat, r"Flat cannot take images of shape \(4, 8, 8, 1\), \(B, H, W, channels\): linear: x has shape"),
    (Arrays, "Arrays returns a ndarray"),
    (TooFew, r"to \(4, 7\): expected logits of shape \(4, 10\)"),
    (nn.ReLU, "ReLU has no parameters to train"),
    (lambda: "net", "model is a str: expected a Module"),
    (lambda: nn.mixer("pico", image_size=8, patch_size=2),
     "build it with image_size=8, in_channels=1, num_classes=10")])
def test_what_cannot_be_trained_in_shards_is_refused_before_anything_is_written(model, message, tmp_path):
    with pytest.raises(UsageError, match=message) as caught:
        fit(replace(QUICK, out=tmp_path / "run"), reporter=Quiet(), model=model())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", [Net, Running, Counting])
def test_the_look_at_a_model_leaves_it_as_it_was(kind):
    model = kind().eval()
    before = {**model.state_dict(), "state": np.array(getattr(model, "mean", model.__dict__.get("calls", 0)))}
    try:
        sizes = examine(model, 8, 1, 10)
        assert sizes.widest_array == 64
    except UsageError:
        assert kind is not Net
    after = {**model.state_dict(), "state": np.array(getattr(model, "mean", model.__dict__.get("calls", 0)))}
    assert all((after[name] == before[name]).all() for name in before)
    assert not model.training
    assert not model.dropout.training
    assert all(p.grad is None for p in model.parameters())


def test_a_wide_convolution_is_measured_by_what_it_keeps():
    class Windows(nn.Module):
        def __init__(self):
            self.conv, self.head = nn.Conv2d(1, 2, 3), nn.Linear(2, 10)

        def forward(self, images):
            return self.head(self.conv(images).mean(axis=(1, 2)))

    assert examine(Windows(), 8, 1, 10).widest_array == 8 * 8 * 9       # the windows, not the 2 channels


@pytest.mark.parametrize(("changes", "message"), [
    ({"patch_size": 4}, "--patch-size has no effect with model="), ({"dropout": 0.3}, "--dropout has no effect"),
    ({"model": "tiny"}, "--model has no effect with model= .it is trained as it is.")])
def test_settings_without_effect_are_refused(changes, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        fit(replace(QUICK, out=tmp_path / "run", **changes), reporter=Quiet(), model=Net())


def test_a_model_of_the_package_needs_no_code_to_be_loaded(tmp_path, capsys):
    model = nn.mixer("pico", 5, image_size=8, patch_size=4, in_channels=1, num_blocks=2)
    fit(replace(QUICK, max_steps=5, out=tmp_path / "run"), reporter=Quiet(), model=model)
    trained = load_run(tmp_path / "run")
    assert trained.model.config == model.config
    assert evaluate_command([tmp_path / "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 360
    changed = nn.build("convnet-pico", image_size=8, in_channels=1)
    changed.blocks = changed.blocks[:1]         # build() would make another one
    changed.head = nn.Linear(8, 10)
    fit(replace(QUICK, max_steps=2, out=tmp_path / "changed"), reporter=Quiet(), model=changed)
    with pytest.raises(CheckpointError, match="only your own code can build"):
        load_run(tmp_path / "changed")


@pytest.mark.slow
def test_an_estimate_leaves_the_weights_as_they_were():
    model = Net()
    before = model.state_dict()
    mm.train.estimate(QUICK, model=model)
    assert all((array == before[name]).all() for name, array in model.state_dict().items())
    assert threading.active_count() < 20
