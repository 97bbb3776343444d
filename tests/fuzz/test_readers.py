"""A few hundred cases of the fuzz run, and proof that it would notice faults."""

from pathlib import Path
from unittest.mock import ANY

import pytest

pytest.importorskip("resource", reason="limits of memory and time are POSIX's")
if not Path("/proc/self/statm").exists():
    pytest.skip("the size of a process is read from /proc", allow_module_level=True)

from minimixer.data.sources import cifar, members
from minimixer.train import checkpoint
from tests.support import fuzz

pytestmark = pytest.mark.slow


def test_a_quick_run_finds_nothing(tmp_path):
    counts, slowest, offending = fuzz.run(600, 1, tmp_path / "failures")
    assert offending == []
    assert sum(counts.values()) == 600
    assert {name for name, _ in counts} == set(slowest)
    assert all(counts[name, "refused"] for name in slowest)
    assert not (tmp_path / "failures").exists()


def test_a_case_follows_from_its_seed_and_number(tmp_path):
    for name, reader in fuzz.readers(tmp_path).items():
        cases = [fuzz.make_case(reader, seed, name, number) for seed, number in [(0, 7), (0, 7), (1, 7), (0, 8)]]
        assert cases[0] == cases[1]
        assert len(set(cases)) == 3


@pytest.mark.parametrize(("module", "name", "broken", "valid"), [
    (members, "_check_size", lambda path, size, refuse: {}[size], 60),                          # a stray exception
    (cifar, "decode_names", lambda archive, content, damaged: bytearray(10**9) and (), 30),     # much memory
    (cifar, "_damaged", lambda archive, path, what: cifar.DataError("two lines:\n" + what), 0),
])
def test_faults_are_found_and_written_to_files(module, name, broken, valid, tmp_path, monkeypatch):
    original, calls = getattr(module, name), []

    def later(*args):           # the valid files are read as they should be
        calls.append(args)
        return (broken if len(calls) > valid else original)(*args)

    monkeypatch.setattr(module, name, later)
    lines = []
    _, _, offending = fuzz.run(140, 0, tmp_path / "failures", lines.append)
    assert offending
    assert len(lines) == len(offending)
    assert sorted((tmp_path / "failures").iterdir()) == sorted(offending)


def test_without_the_digest_other_numbers_are_found(tmp_path, monkeypatch):
    fuzz.readers(tmp_path)                                   # the valid checkpoint has one
    monkeypatch.setattr(checkpoint, "_digest", lambda arrays, metadata: ANY)
    lines = []
    assert fuzz.run(400, 0, tmp_path / "failures", lines.append)[2]
    assert all("read as something that was never saved" in line for line in lines)


def test_a_case_that_hangs_is_an_offence(monkeypatch):
    monkeypatch.setattr(fuzz, "MOST_SECONDS", 0.05)

    def hang():
        with fuzz.time_limit():
            while True:
                pass

    with pytest.raises(fuzz.Offence, match=r"more than 0\.05 seconds"):
        hang()


def test_the_command_prints_a_table_and_replays_a_file(tmp_path, capsys):
    assert fuzz.main(["--cases", "14", "--failures", str(tmp_path / "failures")]) == 0
    assert "| checkpoint | 2 |" in capsys.readouterr().out
    file = tmp_path / "checkpoint-0-1"
    file.write_bytes(b"no checkpoint")
    with pytest.raises(checkpoint.CheckpointError):
        fuzz.main(["--replay", "checkpoint", str(file)])
