"""``mm.data.load``: one function for names and paths; what has no effect is refused."""

import numpy as np
import pytest

import minimixer as mm
from minimixer.data import DataError, load, load_digits, memory
from minimixer.data.memory import available, check_memory, readable
from minimixer.data.shrink import shrink
from minimixer.errors import UsageError
from tests.support.image_folders import class_folders, photo


def test_a_known_name_gives_the_known_data():
    dataset = load("digits")
    assert dataset.digest() == load_digits().digest()
    assert dataset.notes == ()
    assert mm.data.load is load


def test_a_known_name_is_not_taken_for_a_folder(tmp_path):
    class_folders(tmp_path / "digits", {"a": 2, "b": 2})
    assert load("digits").class_names == tuple("0123456789")
    assert load("./digits", quiet=True).class_names == load(tmp_path / "digits", quiet=True).class_names == ("a", "b")


def test_parts_classes_and_sizes_of_known_data(capsys):
    dataset = load("digits", validation=0.1, classes="7,1", image_size=4, seed=2)
    whole = load_digits()
    assert dataset.class_names == ("7", "1")
    assert dataset.train_images.shape[1:] == (4, 4, 1)
    assert len(dataset.test_labels) == np.isin(whole.test_labels, (7, 1)).sum()
    counts = len(dataset.train_labels) + len(dataset.validation_labels)
    assert counts == np.isin(whole.train_labels, (7, 1)).sum()
    assert np.array_equal(dataset.test_images[dataset.test_labels == 0],
                          shrink(whole.test_images[whole.test_labels == 7], 4))
    dataset.check()
    assert [line.removeprefix("minimixer: digits: ") for line in capsys.readouterr().err.splitlines()] == [
        "the validation part is 142 of 1,437 images, 10% of each class, drawn by seed 2", "2 of 10 classes were chosen",
        "images of 8 x 8 pixels were reduced to 4 x 4"]
    assert len(dataset.notes) == 3


def test_quiet_says_nothing(capsys):
    assert len(load("digits", validation=0.1, quiet=True).notes) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("source", "options", "message"), [
    ("digits", {"data_dir": "."}, "data_dir has no effect on digits"),
    ("digits", {"download": True}, "download has no effect on digits"),
    ("digits", {"test_share": 0.5}, r"test_share has no effect on digits \(it has a test part\)"),
    ("digits", {"validation": 2}, "validation is 2"), ("digits", {"image_size": 0}, "image_size is 0"),
    ("digits", {"classes": "cat,dog"}, "digits has no class 'cat'"),
    ("photos", {"data_dir": "."}, "data_dir has no effect"),
    ("photos", {"download": True}, "download has no effect on photos")])
def test_what_has_no_effect_is_refused(source, options, message, tmp_path):
    class_folders(tmp_path / "photos", {"a": 2, "b": 2})
    with pytest.raises(UsageError, match=message):
        load(source, **options)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("x.png", None, "x.png is one image: name the folder that holds the class folders"),
    ("x.zip", b"PK\x03\x04", "x.zip is a zip archive: unpack it, and name the folder"),
    ("x.7z", b"7z\xbc\xaf\x27\x1c", "x.7z is an archive: unpack it"),
    ("x.tar.gz", b"\x1f\x8b", "if it is an archive of images, unpack it"),
    ("x.npy", b"\x93NUMPY", "x.npy is no kind of file that is read here: read it in Python"),
    ("x.csv", b"label,pixel0\n", "give images and labels to mm.data.from_arrays, or save both as one .npz"),
    ("x.txt", b"hello", "x.txt is no data set that is known here: expected a folder"),
    ("x", b"", "is empty space, nothing but zero bytes, and no data set"),
    ("page", b"<html>", "page is a web page saved under this name, and no data set")])
def test_files_that_are_no_data_sets(name, content, message, tmp_path):
    if content is None:
        photo(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / name)


@pytest.mark.parametrize(("source", "message"), [
    ("digit", r"there is no data set, folder or file named 'digit'; did you mean 'digits'\?"),
    ("birds", "expected one of digits, cifar10, cifar100, mnist, fashion-mnist, kmnist, or a path"),
    ("no/such/folder", "there is no no/such/folder: check the path"), ("./x", "there is no x: check the path")])
def test_what_is_not_there(source, message):
    with pytest.raises(DataError, match=message):
        load(source)


def test_an_empty_path_and_an_unknown_home():
    for source, message in (("", "a path is empty"), ("~nobody-of-this-name/x", "there is no user of that name")):
        with pytest.raises(UsageError, match=message):
            load(source)


def test_memory_that_is_available():
    there = available()
    assert there is None or 1 << 20 < there < 1 << 50
    check_memory(1000, "some numbers", "")
    with pytest.raises(DataError, match=r"some numbers need 1,000,000,000 GB of memory, and .* are available: do less"):
        check_memory(10**18, "some numbers", "do less")


def test_the_limits_of_a_container_count(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    for limit, expected in (("max", None), ("5000000", 4_000_000), ("500", 0)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text("1000000\n")
        if expected is not None:
            assert available() == expected
        else:
            assert available() is None or available() > 1 << 20


def test_numbers_of_bytes():
    assert [readable(n) for n in (0, 999, 5_000, 1_500_000, 147_000_000, 5_230_000_000)] == [
        "0 kB", "1 kB", "5 kB", "1.5 MB", "147 MB", "5.2 GB"]
