import hashlib
from dataclasses import replace

import pytest

from minimixer.data import known
from minimixer.data.known import KNOWN, Known
from minimixer.data.sources import digits
from minimixer.data.sources.cifar import CIFAR10
from tests.data.conftest import nowhere  # noqa: F401  a fixture
from tests.support.cifar_files import official, pack, packed, unpack
from tests.support.commands import data as main
from tests.support.image_folders import class_folders


def run(capsys, *arguments):
    """Exit code, standard output and standard error of ``minimixer data ...``."""
    code = main(arguments)
    return code, *capsys.readouterr()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """CIFAR-10 as an archive of twelve pictures, whose hash is the official one; the .tar.gz."""
    tarball = pack(tmp_path / "place" / CIFAR10.tarball, packed(CIFAR10))
    archive = replace(CIFAR10, sha256=hashlib.sha256(tarball.read_bytes()).hexdigest(), size=tarball.stat().st_size)
    monkeypatch.setitem(KNOWN, "cifar10", replace(KNOWN["cifar10"], images=12, archive=archive))
    return tarball


def test_list_tells_what_is_known_and_where_it_is(small, capsys):
    code, out, _ = run(capsys, "list", "--data-dir", str(small.parent))
    assert code == 0
    for name, entry in KNOWN.items():
        assert f"{name}\n  {entry.content}, {entry.images:,} images" in out
        assert entry.source in out
        assert entry.license in out
    assert f"found    {small}" in out
    assert "found    not found; minimixer data download cifar100" in out


def test_path_prints_the_path_alone(small, capsys):
    assert run(capsys, "path", "cifar10", "--data-dir", str(small.parent)) == (0, f"{small}\n", "")
    assert run(capsys, "path", "digits")[1].endswith("digits.npz\n")
    code, out, err = run(capsys, "path", "cifar100")
    assert (code, out) == (3, "")
    assert "CIFAR-100 was not found" in err


def test_verify_reads_every_image_and_compares_the_hash(small, capsys):
    code, out, _ = run(capsys, "verify", "--data-dir", str(small.parent))
    assert code == 0
    of_digits, cifar10, *others = out.splitlines()
    assert of_digits.startswith("digits: 1,437 training and 360 test images are complete; sha256 671a4220af60... is")
    assert cifar10.startswith("cifar10: 10 training and 2 test images are complete; sha256")
    assert cifar10.endswith(f"is correct ({small})")
    assert others == [f"{name}: not found" for name in ("cifar100", "mnist", "fashion-mnist", "kmnist")]


def test_verify_of_unpacked_files_says_that_no_hash_is_known(small, tmp_path, capsys):
    folder = unpack(tmp_path / "files", official(CIFAR10))
    code, out, _ = run(capsys, "verify", "cifar10", "--data-dir", str(folder))
    assert code == 0
    assert f"no sha256 is published for unpacked files ({folder})" in out


def test_verify_finds_what_is_wrong(small, tmp_path, capsys, monkeypatch):
    assert run(capsys, "verify", "cifar100")[0] == 3
    entry = KNOWN["cifar10"]
    monkeypatch.setitem(KNOWN, "cifar10", replace(entry, archive=replace(entry.archive, sha256="0" * 64)))
    code, out, err = run(capsys, "verify", "--data-dir", str(small))
    assert code == 3
    assert err.count("minimixer data:") == 1
    assert "the sha256 is" in err
    assert "digits: 1,437" in out                               # the others are verified all the same
    monkeypatch.setitem(KNOWN, "cifar10", replace(entry, images=60_000))
    code, _, err = run(capsys, "verify", "cifar10", "--data-dir", str(small))
    assert code == 3
    assert "holds 12 images, the official cifar10 has 60,000" in err
    small.write_bytes(small.read_bytes()[:-100])
    monkeypatch.setitem(KNOWN, "cifar10", entry)
    assert run(capsys, "verify", "cifar10", "--data-dir", str(small))[0] == 3


def test_the_archive_of_one_data_set_is_not_taken_for_the_other(small, capsys):
    assert "cifar100: not found" in run(capsys, "verify", "--data-dir", str(small))[1]
    assert run(capsys, "path", "cifar100", "--data-dir", str(small))[0] == 3


def test_verify_notices_digits_that_have_changed(capsys, monkeypatch):
    monkeypatch.setattr(digits, "SHA256", "0" * 64)
    code, _, err = run(capsys, "verify", "digits")
    assert code == 3
    assert "digits.npz is damaged (its sha256 is 671a4220af60..., expected 0000" in err


def test_download_fetches_only_what_is_missing(small, tmp_path, capsys, monkeypatch):
    import minimixer.data.download
    fetched = []

    def fetch(url, target, *, sha256, size):
        fetched.append((url, target, sha256, size))
        return target

    monkeypatch.setattr(minimixer.data.download, "download", fetch)
    assert run(capsys, "download", "cifar10", "--data-dir", str(small.parent)) == (0, f"cifar10 is at {small}\n", "")
    assert run(capsys, "download", "digits")[0] == 0
    assert fetched == []
    code, out, _ = run(capsys, "download", "cifar10", "--data-dir", str(tmp_path / "new"))
    archive = KNOWN["cifar10"].archive
    target = tmp_path / "new" / archive.tarball
    assert (code, out) == (0, f"cifar10 is at {target}\n")
    assert fetched == [(archive.url, target, archive.sha256, archive.size)]


@pytest.mark.parametrize("arguments", [["path", "cifar11"], ["path"], ["verfy"], []])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    assert run(capsys, *arguments)[0] == 2


def test_every_known_set_can_be_loaded_by_name(small):
    assert known.load("digits").name == "digits"
    assert known.load("cifar10", small).name == "cifar10"
    assert all(isinstance(entry, Known) for entry in KNOWN.values())


def test_info_shows_what_would_be_read(tmp_path, capsys):
    class_folders(tmp_path / "photos", {"cats": 10, "dogs": 5})
    (tmp_path / "photos" / "labels.csv").write_text("")
    code, out, err = run(capsys, "info", tmp_path / "photos", "--image-size", 16, "--validation", 0.2)
    assert code == 0
    first, *rows = out.splitlines()
    assert first == f"photos: 16 x 16 pixels, 3 channels, 2 classes, 12 kB, at {tmp_path / 'photos'}"
    assert [row.split() for row in rows] == [["class", "train", "validation", "test"], ["cats", "6", "2", "2"],
                                             ["dogs", "3", "1", "1"], ["all", "9", "3", "3"]]
    assert "minimixer: photos: not used: labels.csv" in err
    assert "the validation part is 3 of 12 images, 20% of each class, drawn by seed 0" in err
    code, out, _ = run(capsys, "info", "digits", "--classes", "3,8")
    assert code == 0
    assert out.startswith("digits: 8 x 8 pixels, gray, 2 classes, ")
    assert len(out.splitlines()) == 5


def test_info_of_what_cannot_be_read(tmp_path, capsys):
    for arguments, expected, message in (([tmp_path / "no"], 3, "there is no"),
                                         (["digits", "--classes", "1"], 2, "least two"), ([""], 2, "is empty"),
                                         (["digits", "--validation", "1"], 2, "validation is 1"),
                                         (["digits", "--data-dir", "."], 2, "data_dir has no effect on digits")):
        code, out, err = run(capsys, "info", *arguments)
        assert (code, out) == (expected, "")
        assert message in err
