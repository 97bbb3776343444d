"""The race on a GPU, run on the stand-in against PyTorch on the CPU: that it is fair and adds up."""

import math
import time
from dataclasses import replace

import pytest

import minimixer as mm
from minimixer import nn
from minimixer.bench import gpu, gpu_steps
from minimixer.errors import UsageError

CONFIG = replace(nn.MIXERS["pico"], image_size=8, hidden_dim=12, num_blocks=2, tokens_mlp_dim=6, channels_mlp_dim=20)


def clock(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def test_the_contenders_do_the_same_work():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    steps = {"minimixer": gpu_steps.minimixer_step(CONFIG, 10, "standin", graph=False),
             "pytorch": gpu_steps.torch_step(torch, CONFIG, 10, compiled=False, device="cpu")}
    for _ in range(3):
        ours, theirs = (float(step()) for step in steps.values())
        assert ours == pytest.approx(theirs, rel=1e-4)
    times = gpu.step_milliseconds(steps, clock, rounds=3, block=2)
    assert times.keys() == steps.keys()
    assert all(math.isfinite(t) and t > 0 for t in times.values())


def test_a_step_that_is_no_graph_is_not_taken_for_one(capsys):
    assert not gpu_steps.is_recorded(CONFIG, 2, "standin")            # without the fused kernels CuPy multiplies
    assert "minimixer runs kernel by kernel: the step could not be recorded" in capsys.readouterr().out


def test_contenders_that_do_other_work_are_refused():
    steps = {"minimixer": lambda: 1.0, "pytorch": lambda: 1.1}
    with pytest.raises(UsageError, match="do not do the same work"):
        gpu.step_milliseconds(steps, clock, rounds=1, block=1)


def test_a_guest_that_fails_does_not_end_the_race(capsys):
    def fail():
        raise RuntimeError("no compiler")

    steps = {"minimixer": lambda: 1.0, "compile": fail}
    assert gpu.step_milliseconds(steps, clock, rounds=1, block=1).keys() == steps.keys() == {"minimixer"}
    assert "compile is left out: RuntimeError: no compiler" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="no compiler"):
        gpu.step_milliseconds({"minimixer": fail}, clock, rounds=1, block=1)


def test_bytes_grow_with_the_batch_and_count_the_parameters():
    one, two = gpu.bytes_moved(CONFIG, 1), gpu.bytes_moved(CONFIG, 2)
    assert one - (two - one) == 28 * nn.MlpMixer(CONFIG).num_parameters()


def test_a_result_is_a_row_of_the_table():
    row = {"size": "micro", "batch": 512, "precision": "tf32", "floor_products_ms": 5, "floor_copies_ms": 1,
           "ms": {"minimixer": 10.0, "pytorch": 15, "fused": 12, "unfused": 20},
           "launches": {"fused": 302, "unfused": 900}}
    cells = [cell.strip() for cell in gpu.line(row).strip("|").split("|")]
    assert cells == ["micro", "512", "tf32", "51,200", "34,133", "-", "1.50", "-", "50%", "10%", "10.00",
                     "12.00", "20.00"]
    del row["ms"]["unfused"]
    assert gpu.line(row).rstrip(" |").endswith("no memory")
    assert [len(line.split("|")) for line in gpu.HEADER.splitlines()] == [len(cells) + 2] * 2


def test_without_a_gpu_it_is_one_sentence(tmp_path):
    if mm.backend.gpu_problem() is None:
        pytest.skip("this machine has a GPU")
    with pytest.raises(mm.backend.DeviceError, match="'gpu' cannot be used"):
        gpu.main([str(tmp_path)])
    assert list(tmp_path.iterdir()) == []
