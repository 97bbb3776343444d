import json
import time

import pytest

from minimixer import nn
from minimixer.bench import race
from minimixer.bench.report import flops_per_image, race_table, table
from minimixer.bench.timing import interleave, seconds_of, seconds_per_call
from minimixer.commands.bench import BENCHMARKS
from tests.support.commands import bench as main

TINY = ["--sizes", "pico", "--batches", "32", "--rounds", "1", "--threads", "1", "--modes", "train"]


@pytest.mark.slow
def test_a_tiny_race_runs_and_writes_what_it_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(race.PACKAGE, "jax", "a_package_that_nobody_has")
    assert main([*TINY, "--contenders", "minimixer", "jax", "--json", str(tmp_path / "race.json"),
                 "--markdown", str(tmp_path / "race.md")]) == 0
    out = capsys.readouterr().out
    assert "jax: a_package_that_nobody_has is not installed" in out
    assert (tmp_path / "race.md").read_text().partition("\n\nMeasured by")[0] in out
    result = json.loads((tmp_path / "race.json").read_text())
    (cell,) = result["cells"]
    assert (cell["size"], cell["batch"], cell["mode"], cell["failures"]) == ("pico", 32, "train", {})
    (sample,) = cell["samples"]["minimixer"]
    assert sample["seconds"] > 0
    assert 1 < cell["third_loss"]["minimixer"] < 4              # near log(10) at the start
    assert f"| pico | 32    | train | {32 / sample['seconds']:>9,.0f} |" in out
    assert result["settings"]["threads"] == 1


def test_a_contender_that_fails_is_left_out_and_named(tmp_path):
    class Healthy:
        def call(self, method, *arguments):
            return {"start": 2.3, "calibrate": 1, "block": {"seconds": 0.5, "faults": 0.0}}[method]

    class Wrong(Healthy):
        def call(self, method, *arguments):
            return 2.5 if method == "start" else super().call(method)

    class Broken(Healthy):
        def call(self, method, *arguments):
            if method == "block":
                raise race.ChildError("out of memory")
            return super().call(method)

    class Roofline:
        def call(self, method):
            return 100.0

    cell = race.race({"minimixer": Healthy(), "wrong": Wrong(), "broken": Broken()}, Roofline(), "pico", 32, "train", 2)
    assert set(cell["samples"]) == {"minimixer"}
    assert cell["failures"] == {"wrong": "the loss of its third step is 2.5000, not 2.3000", "broken": "out of memory"}
    row = race_table([cell], ["minimixer", "wrong"]).splitlines()[-1].split("|")
    assert [text.strip() for text in row[1:-1]] == ["pico", "32", "train", "64", "failed", "", "2 %"]


def test_full_changes_the_defaults_but_not_what_is_given(monkeypatch):
    seen = []

    def stop(options, threads):
        seen.append(options)
        raise race.UsageError("far enough")

    monkeypatch.setattr(race, "start", stop)
    assert [main([]), main(["--full", "--rounds", "2"]), main(["race", "--full"])] == [2, 2, 2]
    quick, few, full = seen
    assert (quick.sizes, quick.batches) == (("nano", "micro"), (128,))
    assert quick.contenders == ("minimixer", "pytorch", "jax")
    assert few.sizes == full.sizes == ("pico", "nano", "micro", "tiny")
    assert few.batches == full.batches == (32, 128, 512)
    assert (few.rounds, full.rounds) == (2, 7)


def test_plain_malloc_is_for_the_peers_and_leaves_minimixer_as_it_runs(monkeypatch):
    monkeypatch.setattr(race, "Child", lambda kind, threads, kept_memory, cpus: kept_memory)
    kept = {plain: {name: race.enter(name, race.Race(plain_malloc=plain, contenders=("minimixer", "jax")), 1)
                    for name in ("minimixer", "numpy", "pytorch", "jax")} for plain in (False, True)}
    assert all(kept[False].values())
    assert kept[True] == {"minimixer": True, "numpy": True, "pytorch": False, "jax": False}


@pytest.mark.parametrize(("arguments", "message"), [
    (["rase"], "there is no benchmark 'rase'; did you mean 'race'?"),
    (["--rounds", "-1"], "--rounds is -1: expected a whole number from 0"),
    (["--batches", "32", "0"], "--batches is 0: expected a whole number from 1"),
    (["ladder", "--rounds", "0"], "--rounds is 0: expected a whole number from 1"),
    (["resolution", "--batch", "0"], "--batch is 0: expected a whole number from 1"),
    (["--sizes", "B/16"], "invalid choice"),
])
def test_wrong_usage_is_exit_code_2(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_help(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"minimixer bench {name}" in capsys.readouterr().out


def test_blocks_take_turns_in_an_order_that_turns():
    order = []
    blocks = {name: (lambda name=name: order.append(name)) for name in "abc"}
    assert interleave(blocks, 3) == {"a": [None] * 3, "b": [None] * 3, "c": [None] * 3}
    assert "".join(order) == "abcbcacab"


def test_seconds_are_those_of_one_call():
    calls = []
    assert 0.02 <= seconds_of(lambda: calls.append(time.sleep(0.02))) < 1
    assert len(calls) == 1
    assert 0.01 <= seconds_per_call(lambda: calls.append(time.sleep(0.01)), at_least=0.05) < 1
    assert 3 <= len(calls) <= 8                         # the first, a warm-up, and at most six more


def test_tables_are_aligned_markdown():
    assert table(["name", "ms"], [["a", "1.5"], ["longer", "12.25"]]).splitlines() == [
        "| name   |    ms |", "| ------ | ----: |", "| a      |   1.5 |", "| longer | 12.25 |"]


def test_operations_of_an_image():
    assert flops_per_image(nn.MIXERS["micro"], train=False) == 2 * nn.trace(nn.mixer("micro")).macs
    assert flops_per_image(nn.MIXERS["micro"], train=True) == pytest.approx(6 * 75.9e6, rel=0.01)
