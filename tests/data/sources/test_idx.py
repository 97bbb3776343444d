"""MNIST and its relatives, under every name and in every folder that people have."""

import gzip
import hashlib
import importlib
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimixer.data import DataError, known, load
from minimixer.data.sources.idx import TYPES, read_idx
from minimixer.data.sources.mnist import FAMILIES, NAMES, by_labels, load_family


def idx(array):
    """The bytes of an IDX file."""
    code = next(code for code, name in TYPES.items() if np.dtype(name).kind == array.dtype.kind and
                np.dtype(name).itemsize == array.dtype.itemsize)
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.astype(TYPES[code]).tobytes()


RNG = np.random.default_rng(0)
PARTS = {"train": (RNG.integers(0, 256, (20, 6, 6), np.uint8), np.arange(20, dtype=np.uint8) % 10),
         "t10k": (RNG.integers(0, 256, (10, 6, 6), np.uint8), np.arange(10, dtype=np.uint8))}


def family_files(folder, spell="{part}-{kind}-idx{axes}-ubyte.gz", parts=PARTS):
    folder.mkdir(parents=True, exist_ok=True)
    for part, (images, labels) in parts.items():
        for kind, axes, array in (("images", 3, images), ("labels", 1, labels)):
            name = spell.format(part=part, kind=kind, axes=axes)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(gzip.compress(idx(array), 1) if name.endswith(".gz") else idx(array))
    return folder


SPELLINGS = ["{part}-{kind}-idx{axes}-ubyte.gz", "{part}-{kind}-idx{axes}-ubyte", "{part}-{kind}.idx{axes}-ubyte",
             "{part}-{kind}.idx{axes}-ubyte.gz", "my-{part}-{kind}-idx{axes}-ubyte.gz",
             "{part}-{kind}-idx{axes}-ubyte/{part}-{kind}-idx{axes}-ubyte"]       # as Kaggle's archive unpacks


@pytest.mark.parametrize("spell", SPELLINGS)
def test_every_spelling(spell, tmp_path):
    dataset = load(family_files(tmp_path / "digits", spell), quiet=True)
    assert np.array_equal(dataset.train_images[..., 0], PARTS["train"][0])
    assert np.array_equal(dataset.test_labels, PARTS["t10k"][1])
    assert dataset.class_names == tuple("0123456789")
    assert (dataset.name, dataset.source) == ("digits", tmp_path / "digits")


def test_a_name_ending_in_gz_may_be_wrong(tmp_path):
    """Browsers unpack files and keep their names."""
    folder = family_files(tmp_path, SPELLINGS[1])
    for path in list(folder.iterdir()):
        path.rename(f"{path}.gz")
    assert len(load(folder, quiet=True).test_labels) == 10


@pytest.mark.parametrize("inside", ["", "MNIST", "MNIST/raw"])
def test_the_folders_of_torchvision(inside, tmp_path):
    family_files(tmp_path / "MNIST" / "raw")
    assert len(load(tmp_path / inside, quiet=True).train_labels) == 20
    assert load("mnist", data_dir=tmp_path, quiet=True).source == tmp_path / "MNIST" / "raw"


def test_one_of_the_four_files_stands_for_all(tmp_path):
    family_files(tmp_path)
    assert len(load(tmp_path / NAMES[0], quiet=True).train_labels) == 20
    assert len(load_family("mnist", tmp_path / NAMES[0]).train_labels) == 20


def test_training_files_alone_are_divided(tmp_path):
    dataset = load(family_files(tmp_path, parts={"train": PARTS["train"]}), test_share=0.5, quiet=True)
    assert [len(dataset.train_labels), len(dataset.test_labels)] == [10, 10]


@pytest.mark.parametrize("name", FAMILIES)
def test_known_by_name(name, tmp_path):
    family = FAMILIES[name]
    folder = family_files(tmp_path / family.folders[1])
    dataset = load(name, data_dir=tmp_path, validation=0.5, quiet=True)
    assert dataset.class_names == family.class_names
    assert (dataset.name, dataset.source, len(dataset.validation_labels)) == (name, folder, 10)
    assert len(set(family.class_names)) == len(family.files) * 2.5 == 10
    assert known.KNOWN[name].size == sum(size for size, _ in family.files)


def test_the_usual_places_in_order(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"Fashion-MNIST was not found in data, (.|\n)*31 MB(.|\n)*download fash"):
        load("fashion-mnist")
    family_files(tmp_path / "cache" / "fashion-mnist")
    assert load("fashion-mnist").source == tmp_path / "cache" / "fashion-mnist"
    family_files(tmp_path / "mine" / "FashionMNIST" / "raw")
    monkeypatch.setenv("MINIMIXER_DATA", str(tmp_path / "mine"))
    assert load("fashion-mnist").source == tmp_path / "mine" / "FashionMNIST" / "raw"


def test_relatives_are_told_apart(tmp_path, monkeypatch, capsys):
    """Their files have the same names; by the hash of one, or by the first labels, it is known whose they are."""
    folder = family_files(tmp_path)
    content = (folder / NAMES[1]).read_bytes()
    files = list(FAMILIES["kmnist"].files)
    files[1] = len(content), hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(FAMILIES, "kmnist", replace(FAMILIES["kmnist"], files=tuple(files)))
    assert load(folder).class_names == FAMILIES["kmnist"].class_names
    assert "its labels are those of Kuzushiji-MNIST, and so are its class names" in capsys.readouterr().err
    with pytest.raises(DataError, match="holds Kuzushiji-MNIST, not MNIST: name another folder, or kmnist"):
        load("mnist", data_dir=folder)
    monkeypatch.setenv("MINIMIXER_DATA", str(folder))
    with pytest.raises(DataError, match="MNIST was not found"):
        load("mnist")
    assert by_labels(np.array([9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 1])).name == "fashion-mnist"
    assert by_labels(np.array([5, 0, 4, 1, 9, 2, 1, 3, 1, 4])).name == "mnist"
    assert by_labels(np.arange(10)) is None


def test_emnist_is_turned_upright(tmp_path):
    family_files(tmp_path, "emnist-letters-{part}-{kind}-idx{axes}-ubyte.gz",
                 {"train": (PARTS["train"][0], PARTS["train"][1] + 1)})
    dataset = load(tmp_path, test_share=0.5, quiet=True)
    assert {image.tobytes() for image in PARTS["train"][0].swapaxes(1, 2)} >= {
        image.tobytes() for image in dataset.test_images[..., 0]}
    assert dataset.class_names == tuple(map(str, range(1, 11)))
    assert any("turned upright" in note for note in dataset.notes)
    family_files(tmp_path, "emnist-digits-{part}-{kind}-idx{axes}-ubyte.gz")
    with pytest.raises(DataError, match=r"holds the files of several data sets \(emnist-digits, emnist-letters\)"):
        load(tmp_path)


@pytest.mark.parametrize("download_to", [None, "there"])
def test_a_download_brings_four_files(download_to, tmp_path, monkeypatch):
    asked = []

    def fetch(url, target, *, sha256, size):
        asked.append((url, sha256, size))
        if not target.parent.exists():
            family_files(target.parent)
        return target

    monkeypatch.setattr(importlib.import_module("minimixer.data.download"), "download", fetch)
    dataset = load("kmnist", data_dir=download_to, download=True)
    family = FAMILIES["kmnist"]
    assert asked == [(family.url + name, *file[::-1]) for name, file in zip(NAMES, family.files, strict=True)]
    assert dataset.source.parts[-2:] == ("there" if download_to else "cache", "kmnist")
    load("kmnist", data_dir=download_to, download=True)
    assert len(asked) == 4


@pytest.mark.parametrize(("missing", "message"), [
    (NAMES[0], "has no file of train images, such as train-images-idx3-ubyte or train-images-idx3-ubyte.gz"),
    (NAMES[3], "has no file of test labels, such as t10k-labels-idx1-ubyte")])
def test_every_file_must_be_there(missing, message, tmp_path):
    (family_files(tmp_path) / missing).unlink()
    with pytest.raises(DataError, match=message):
        load(tmp_path)


WHOLE = idx(PARTS["train"][0])
DAMAGED = {
    "nothing": (b"", "is no IDX file"), "text": (b"<html>", "is no IDX file"),
    "a type": (b"\0\0\7\3", "is no IDX file"),
    "axes": (b"\0\0\x08\0", "is no IDX file"), "half a header": (WHOLE[:9], "ends within its header"),
    "cut off": (WHOLE[:-1], "holds 719 bytes of numbers, and its header announces 720"),
    "longer": (WHOLE + b"x", "holds more bytes of numbers, and its header announces 720"),
    "labels": (idx(PARTS["train"][1]), "is an array of 1 axes, expected 3: images and labels may be exchanged"),
    "a claim": (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2), "need 36,893,488,130 GB of memory"),
    "half a gzip": (gzip.compress(WHOLE)[:200], "cannot be read"),
    "a broken gzip": (gzip.compress(WHOLE)[:-8] + bytes(8), "cannot be read"),
    "a gzip bomb": (gzip.compress(WHOLE + bytes(1 << 24)), "holds more bytes"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files(what, tmp_path):
    content, message = DAMAGED[what]
    (family_files(tmp_path) / NAMES[0]).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


@given(content=st.binary(max_size=60), gz=st.booleans())
def test_random_bytes_raise_nothing_but_data_error(content, gz, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_bytes(gzip.compress(b"\0\0\x08\1" + content) if gz else b"\0\0" + content)
    try:
        assert read_idx(path).dtype in map(np.dtype, TYPES.values())
    except DataError as error:
        assert str(error)       # noqa: PT017  one sentence, or a right array


@pytest.mark.parametrize("kind", TYPES.values())
def test_every_type_of_number(kind, tmp_path):
    array = np.arange(-3 if np.dtype(kind).kind != "u" else 0, 9).astype(kind).reshape(3, -1)
    (tmp_path / "x").write_bytes(idx(array))
    assert np.array_equal(read_idx(tmp_path / "x"), array)


def test_verify_compares_the_hashes_of_all_four(tmp_path, monkeypatch):
    folder = family_files(tmp_path / "mnist")
    files = [(folder / name).read_bytes() for name in NAMES]
    family = replace(FAMILIES["mnist"], files=tuple((len(each), hashlib.sha256(each).hexdigest()) for each in files))
    monkeypatch.setitem(known.KNOWN, "mnist", replace(known.KNOWN["mnist"], images=30, family=family))
    assert "20 training and 10 test images are complete; sha256 " in known.verify("mnist", tmp_path)
    assert known.verify("mnist", tmp_path).count("...") == 4
    (folder / NAMES[2]).write_bytes(gzip.compress(idx(PARTS["t10k"][0]), 9) + b"\0" * 8)
    with pytest.raises(DataError, match=rf"{NAMES[2]}: the sha256 is .* expected .*: the file has changed or"):
        known.verify("mnist", tmp_path)
