"""Processes under mpiexec: the same numbers as one process, and an end for all of them when one fails."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from minimixer.train import checkpoint
from tests.support.launch import ENVIRONMENT, NEEDS_MPI, command, train

pytestmark = NEEDS_MPI
# Everything that draws random numbers for a picture's place in the batch, and everything that is averaged or kept.
RECIPE = ["digits", "--max-steps", "30", "--log-every", "4", "--ema", "0.9", "--dropout", "0.1",
          "--stochastic-depth", "0.2", "--crop-padding", "1", "--flip", "--randaugment", "1", "--erasing", "0.3",
          "--cutmix", "1", "--mixup", "0.5", "--mixing", "0.7"]
ONE_WORKER = [*RECIPE, "--workers", "1"]
FLAGS = [*ONE_WORKER, "--checkpoint-every", "12"]
FILES = ("last.safetensors", "best.safetensors")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The folder of a run of one process, with two threads."""
    out = tmp_path_factory.mktemp("single") / "run"
    done = train(1, *RECIPE, "--checkpoint-every", "12", "--workers", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def metrics(folder):
    import json
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "images_per_second")}
            for line in lines]


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_give_the_weights_and_metrics_of_one_process(ranks, single, tmp_path):
    done = train(ranks, *FLAGS, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("after the last epoch") == 1                 # one speaks
    assert f"{ranks} processes of 1 thread" in done.stdout
    ours, theirs = (checkpoint.read(folder / FILES[0])[0] for folder in (tmp_path / "run", single))
    for name, expected in theirs.items():
        assert np.linalg.norm(ours[name] - expected) <= 1e-6 * np.linalg.norm(expected), name
    for name in FILES:      # which the order of the sum makes even equal
        assert (tmp_path / "run" / name).read_bytes() == (single / name).read_bytes()
    assert metrics(tmp_path / "run") == metrics(single)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == sorted(p.name for p in single.iterdir())


def test_another_order_of_the_sum_would_be_noticed(single, tmp_path):
    done = train(2, *FLAGS, "--batch-size", "60", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / FILES[0]).read_bytes() != (single / FILES[0]).read_bytes()


def test_a_run_goes_on_with_another_number_of_processes(single, tmp_path):
    out = tmp_path / "run"
    assert train(2, "diverges", 1, *ONE_WORKER, "--checkpoint-every", "5", "--out", out,
                 module="tests.support.launch").returncode == 4
    assert checkpoint.read(out / FILES[0])[1]["step"] == 5
    assert train(3, "--resume", "--out", out, "--checkpoint-every", "12").returncode == 0
    for name in FILES:
        assert (out / name).read_bytes() == (single / name).read_bytes()


@pytest.fixture
def running(tmp_path):
    """Two processes that have trained long enough to have saved, and their folder."""
    out = tmp_path / "run"
    flags = ["--workers", "1", "--epochs", "1000", "--checkpoint-every", "5", "--out", out]
    process = subprocess.Popen(command(2, *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=ENVIRONMENT)
    deadline = time.monotonic() + 60
    while not (out / FILES[0]).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process, out
    if process.poll() is None:
        process.kill()
        process.communicate()


def workers_of(out):
    """Process numbers of those that train into a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(out).encode() in words and b"minimixer.train" in words and b"mpiexec" not in Path(
                words[0].decode()).name.encode():
            found.append(int(entry.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("which", [0, 1])
def test_kill_9_of_one_ends_all_and_one_process_goes_on(which, running):
    process, out = running
    ranks = sorted(workers_of(out))
    assert len(ranks) == 2
    os.kill(ranks[which], signal.SIGKILL)
    start = time.monotonic()
    process.communicate(timeout=10)
    assert process.returncode != 0
    while workers_of(out):
        assert time.monotonic() - start < 10, "an orphan"
        time.sleep(0.05)
    step = checkpoint.read(out / FILES[0])[1]["step"]
    assert step >= 5
    again = train(1, "--resume", "--out", out, "--max-steps", step + 3, "--workers", "1")
    assert again.returncode == 0, again.stderr
    assert checkpoint.read(out / FILES[0])[1]["step"] == step + 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_on_mpiexec_saves_once(number, code, running):
    process, out = running
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == code, stderr
    assert stdout.count("all of it is saved") == 1
    step = checkpoint.read(out / FILES[0])[1]["step"]
    assert f"Stopped at step {step}" in stdout
    assert "Traceback" not in stderr
    assert not workers_of(out)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(("kind", "said"), [("memory", "there is not enough memory (could not allocate 9 TB)"),
                                            ("bug", "ZeroDivisionError: a bug")])
def test_an_exception_in_one_process_ends_all_with_one_message(kind, said, rank, tmp_path):
    start = time.monotonic()
    done = train(2, kind, rank, *ONE_WORKER, "--checkpoint-every", "5", "--out", tmp_path / "run",
                 module="tests.support.launch", limit=60)
    assert done.returncode != 0
    assert done.stderr.count(said) == 1, done.stderr
    assert time.monotonic() - start < 40
    assert checkpoint.read(tmp_path / "run" / FILES[0])[1]["step"] == 5


def test_divergence_is_said_once_with_its_exit_code(tmp_path):
    done = train(2, "diverges", 1, *FLAGS, "--out", tmp_path / "run", module="tests.support.launch")
    assert done.returncode == 4
    assert done.stderr.count("the loss is no longer finite at step") == 1
    assert done.stderr.count("minimixer train:") == 1


@pytest.mark.parametrize(("flags", "code", "said"), [
    (["--lr", "-1"], 2, "--lr is -1.0"), (["--no-such-flag"], 2, "no-such-flag"),
    (["cifar10", "--data-dir", "/nowhere"], 3, "was not found"),
    (["--resume", "--out", "/nowhere/run"], 1, "there is no run to resume"),
    (["--batch-size", "1"], 2, "2 processes share a batch")])
def test_what_a_user_can_put_right_is_said_once(flags, code, said, tmp_path):
    done = train(2, *(flags if "--out" in flags else [*flags, "--out", str(tmp_path / "run")]))
    assert done.returncode == code, done.stderr
    assert done.stderr.count(said) == 1, done.stderr


def test_off_lets_every_process_train_for_itself(tmp_path):
    """As a sweep does: here both take the same folder, so that one of them is refused, and says so."""
    done = train(2, *FLAGS, "--distributed", "off", "--out", tmp_path / "run")
    assert done.returncode == 1
    assert "another run is writing into" in done.stderr or "is not empty" in done.stderr


def test_an_estimate_is_made_together_and_printed_once():
    done = train(2, "--workers", "1", "--estimate")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ms a step") == 1


@pytest.mark.slow
def test_validation_images_and_the_one_look_at_the_test_images_are_those_of_one_process(tmp_path):
    for count in (1, 2):
        done = train(count, "digits", "--max-steps", "6", "--validation", "0.2", "--workers", "1", "--out",
                     tmp_path / str(count))
        assert done.returncode == 0, done.stderr
    assert metrics(tmp_path / "1") == metrics(tmp_path / "2")
    assert "test_accuracy" in metrics(tmp_path / "2")[-1]
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
