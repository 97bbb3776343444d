"""The prediction for more processes, and the command that measures them."""

import json

import pytest

from minimixer.bench import scaling
from minimixer.bench.scaling import NETWORKS, Model, fit, launch
from minimixer.parallel.host import physical_cores
from tests.support.commands import bench as main
from tests.support.launch import NEEDS_MPI


def test_the_fit_finds_the_numbers_that_made_the_measurements():
    made = Model(fixed=0.02, per_image=0.004, latency=5e-6, rate=2e9, length=1_000_000)
    steps = [(n, made.fixed + n * made.per_image) for n in (16, 32, 64)]
    exchanges = [(n, made.exchange(2, n)) for n in (1, 1 << 16, 1 << 18, 1 << 20)]
    found = fit(steps, exchanges, 2, 1_000_000)
    for name in ("fixed", "per_image", "latency", "rate"):
        assert getattr(found, name) == pytest.approx(getattr(made, name), rel=1e-2), name
    assert found.step(1, 64) == pytest.approx(0.02 + 64 * 0.004, rel=1e-3)      # one process sends nothing
    assert found.step(2, 63) == pytest.approx(found.step(2, 64))                # the busiest one counts
    slower = found.over(NETWORKS[0])
    assert slower.exchange(8) > found.exchange(8)
    assert found.over(NETWORKS[0], sharing=4).exchange(8) > slower.exchange(8)


@pytest.mark.slow
@NEEDS_MPI
@pytest.mark.skipif(physical_cores() < 2, reason="needs two cores")
def test_the_command_measures_and_predicts_and_reads_its_own_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(scaling.WORK, "pico", scaling.Work(batch=32, steps=1, strong=256, weak=16))
    monkeypatch.setattr(scaling, "physical_cores", lambda: 2)
    file = tmp_path / "scaling.json"
    assert main(["scaling", "--sizes", "pico", "--rounds", "1", "--json", str(file)]) == 0
    said = capsys.readouterr().out
    assert "2 processes x 1 thread, 32" in said
    assert "|       256 |" in said
    (measured,) = json.loads(file.read_text())["sizes"]
    assert all(s["seconds"]["step"][0] > 0 for samples in measured["samples"].values() for s in samples)
    assert main(["scaling", "--again", str(file)]) == 0
    assert capsys.readouterr().out == said


def test_without_mpiexec_one_sentence_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(scaling.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(scaling, "physical_cores", lambda: 2)
    monkeypatch.setattr(scaling, "machine", dict)             # it may ask uname
    monkeypatch.setattr(scaling.subprocess, "run", lambda *_, **__: pytest.fail("nothing should be started"))
    monkeypatch.setattr(scaling, "measure", lambda size, cores, rounds: launch(size, 32, 2, 1, True))
    assert main(["scaling", "--sizes", "pico"]) == 1
    assert 'there is no mpiexec: pip install "minimixer[mpi]" mpich' in capsys.readouterr().err
