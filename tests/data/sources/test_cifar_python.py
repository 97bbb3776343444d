"""The Python edition of CIFAR, and what browsers and others make of both editions' archives."""

import gzip
import hashlib
import os
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from minimixer.data import DataError, known, load
from minimixer.data.sources.cifar import load_cifar10, load_cifar100
from minimixer.data.sources.cifar_editions import CIFAR10, CIFAR10_PYTHON, CIFAR100, CIFAR100_PYTHON
from tests.support.cifar_files import official, pack, unpack
from tests.support.hostile_pickles import CALLS, CANARY, HOSTILE, Reduced

PAIRS = [(CIFAR10, CIFAR10_PYTHON, load_cifar10), (CIFAR100, CIFAR100_PYTHON, load_cifar100)]
BOTH = pytest.mark.parametrize(("binary", "python", "load_"), PAIRS)


def pickled(binary, python, protocol=2, text=bytes, **kwargs):
    """The files of ``official`` as the Python edition: name -> bytes; ``text`` makes the keys bytes or str."""
    def key(name):
        return name.encode() if text is bytes else name

    plain = official(binary, **kwargs)
    files = {}
    for old, new in zip(binary.files, python.files, strict=True):
        records = np.frombuffer(plain[old], np.uint8).reshape(-1, binary.header_bytes + 3072)
        labels = records[:, binary.label_byte].tolist()
        content = {key("batch_label"): key("one"), key(python.labels_key): labels,
                   key("data"): np.ascontiguousarray(records[:, binary.header_bytes:]),
                   key("filenames"): [key(f"{i}.png") for i in range(len(labels))]}
        files[new] = pickle.dumps(content, protocol)
    names = {key(python.names_key): [key(name) for name in binary.class_names], key("num_vis"): 3072}
    return {python.names_file: pickle.dumps(names, protocol), **files}


@BOTH
@pytest.mark.parametrize(("protocol", "text"), [(2, bytes), (2, str), (4, bytes), (5, str)])
def test_both_editions_give_the_same_arrays(binary, python, load_, protocol, text, tmp_path):
    one = load_(unpack(tmp_path / "b", official(binary)))
    other = load_(unpack(tmp_path / "p", pickled(binary, python, protocol, text)))
    assert one.digest() == other.digest()
    assert (other.name, other.class_names) == (binary.name, binary.class_names)
    assert other.train_images.flags.c_contiguous


@BOTH
@pytest.mark.parametrize("prefix", ["{}/", "./{}/", "data/{}/", "./data/./{}/"])
@pytest.mark.parametrize("name", ["{0.tarball}", "{0.folder}.tar.gz", "{0.folder}.tar"])
def test_archives_under_every_name(binary, python, load_, prefix, name, tmp_path):
    for edition, files in ((python, pickled(binary, python)), (binary, official(binary))):
        members = {prefix.format(edition.folder) + file: content for file, content in files.items()}
        path = pack(tmp_path / edition.edition / name.format(edition), members)
        if path.suffix == ".tar":
            path.write_bytes(gzip.decompress(path.read_bytes()))
        for place in (path, path.parent):
            data = load_(place)
            assert data.source == path
            assert len(data.train_labels) == 2 * len(binary.train_files)


def test_a_browser_takes_the_gz_away(tmp_path):
    """Safari unpacks to .tar; others keep the name of what they have unpacked."""
    whole = pack(tmp_path / CIFAR10.tarball, {f"{CIFAR10.folder}/{k}": v for k, v in official(CIFAR10).items()})
    digest = load_cifar10(whole).digest()
    plain = gzip.decompress(whole.read_bytes())
    (tmp_path / "safari").mkdir()
    (tmp_path / "safari" / "cifar-10-binary.tar").write_bytes(plain)
    whole.write_bytes(plain)
    for place in (whole, tmp_path, tmp_path / "safari", tmp_path / "safari" / "cifar-10-binary.tar"):
        assert load_cifar10(place).digest() == digest
    whole.write_bytes(plain[:len(plain) // 2])
    with pytest.raises(DataError, match=r"is not a complete .tar.gz or .tar file"):
        load_cifar10(whole)


@pytest.mark.parametrize("folder", ["cifar-10-batches-py", "cifar-10-batches-py 2", "cifar10/cifar-10-batches-py"])
def test_folders_that_others_leave(folder, tmp_path, capsys):
    unpack(tmp_path / folder, pickled(CIFAR10, CIFAR10_PYTHON))
    (tmp_path / folder / "readme.html").write_text("")
    assert load_cifar10(tmp_path).source == tmp_path / folder
    by_path = load(tmp_path, validation=0.5, quiet=True)
    assert by_path.train_images.shape[1:] == (32, 32, 3)
    assert by_path.class_names == CIFAR10.class_names
    assert by_path.validation_images is not None


def test_which_set_an_archive_holds_is_found_out(tmp_path):
    for binary, python, load_ in PAIRS:
        for edition, files in ((binary, official(binary)), (python, pickled(binary, python))):
            members = {f"{edition.folder}/{name}": content for name, content in files.items()}
            path = pack(tmp_path / f"{edition.edition}-{binary.name}.tgz", members)
            assert load(path, quiet=True).digest() == load_(path).digest()
    photos = pack(tmp_path / "photos.tar.gz", {"photos/cats/1.png": b"x"})
    with pytest.raises(DataError, match=r"photos.tar.gz holds no files of CIFAR: if it is an archive of images"):
        load(photos)


def test_two_sets_in_one_folder_are_not_guessed(tmp_path):
    for binary, python, _ in PAIRS:
        unpack(tmp_path / python.folder, pickled(binary, python))
    with pytest.raises(DataError, match=r"holds cifar10 and cifar100: name one of them, with data_dir"):
        load(tmp_path)
    assert load("cifar100", data_dir=tmp_path).num_classes == 100


@pytest.mark.parametrize("name", [*(f"{call}, protocol 2" for call in CALLS), "INST", "NEWOBJ", "PERSID", "EXT1"])
def test_hostile_files_do_nothing(name, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    files = pickled(CIFAR10, CIFAR10_PYTHON)
    for place in ("data_batch_3", "batches.meta"):
        folder = unpack(tmp_path / place, files | {place: HOSTILE[name]})
        with pytest.raises(DataError, match=rf"{place} is a pickle that is not read: ") as caught:
            load_cifar10(folder)
        assert caught.value.exit_code == 3
    assert os.listdir() == []


def test_verify_knows_the_hash_of_both_editions(tmp_path, monkeypatch):
    members = {f"{CIFAR10_PYTHON.folder}/{name}": content for name, content in pickled(CIFAR10, CIFAR10_PYTHON).items()}
    path = pack(tmp_path / CIFAR10_PYTHON.tarball, members)
    with pytest.raises(DataError, match="holds 12 images, the official cifar10 has 60,000"):
        known.verify("cifar10", tmp_path)
    monkeypatch.setitem(known.KNOWN, "cifar10", replace(known.KNOWN["cifar10"], images=12))
    with pytest.raises(DataError, match=f"expected {CIFAR10.sha256} or {CIFAR10_PYTHON.sha256}: the file has changed"):
        known.verify("cifar10", tmp_path)
    right = replace(CIFAR10_PYTHON, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(known.EDITIONS, "cifar10", (CIFAR10, right))
    assert known.verify("cifar10", tmp_path).endswith(f"is correct ({path})")
    path.write_bytes(gzip.decompress(path.read_bytes()))        # a browser has unpacked it
    assert "no sha256 is published for unpacked files" in known.verify("cifar10", tmp_path)


DAMAGED = {
    "no dict": ([1], r"is a pickle of list, expected a dict"),
    "no data": ({b"labels": [1]}, r"holds data NoneType, expected an array of uint8, \(N, 3072\)"),
    "other data": ({b"data": np.zeros((2, 3072)), b"labels": [1, 1]}, r"holds data of float64, \(2, 3072\)"),
    "other shape": ({b"data": np.zeros((2, 9), np.uint8), b"labels": [1, 1]}, r"holds data of uint8, \(2, 9\)"),
    "no labels": ({b"data": np.zeros((2, 3072), np.uint8)}, "holds no list labels of 2 whole numbers"),
    "few labels": ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, "holds no list labels of 2 whole numbers"),
    "text": ({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]}, "holds no list labels of 1 whole numbers"),
    "nothing": ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, "holds no list labels of 0 whole numbers"),
    "a label": ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [9, 10]}, r"has label 10 in record 1 .*0\.\.9"),
    "negative": ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [-1]}, r"has label -1 in record 0"),
    "huge": ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1 << 100]}, "holds no list labels"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files(what, tmp_path):
    content, message = DAMAGED[what]
    folder = unpack(tmp_path / "d", pickled(CIFAR10, CIFAR10_PYTHON) | {"test_batch": pickle.dumps(content, 2)})
    with pytest.raises(DataError, match=f"test_batch.* {message}.*; unpack or download cifar-10-python.tar.gz again"):
        load_cifar10(folder)


def test_damaged_names(tmp_path):
    for content, message in (({b"label_names": [b"cat"]}, "batches.meta has 1 class names, expected 10"),
                             ({}, "batches.meta has no list label_names"), (7, "is a pickle of int")):
        files = pickled(CIFAR10, CIFAR10_PYTHON) | {"batches.meta": pickle.dumps(content, 2)}
        with pytest.raises(DataError, match=message):
            load_cifar10(unpack(tmp_path / "d", files))
    folder = unpack(tmp_path / "d", pickled(CIFAR10, CIFAR10_PYTHON))
    (folder / "batches.meta").unlink()
    assert load_cifar10(folder).class_names == CIFAR10.class_names


def test_links_in_an_archive_of_pickles_are_refused(tmp_path):
    files = pickled(CIFAR10, CIFAR10_PYTHON)
    members = {f"{CIFAR10_PYTHON.folder}/{name}": content for name, content in files.items() if name != "test_batch"}
    path = pack(tmp_path / "x.tar.gz", members, {"name": f"{CIFAR10_PYTHON.folder}/test_batch", "type": tarfile.SYMTYPE,
                                                 "linkname": "/etc/passwd"})
    with pytest.raises(DataError, match="test_batch is a link or folder"):
        load_cifar10(path)


def test_the_pickles_here_are_dangerous_to_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Reduced(*CALLS["os.mkdir"]), 2))
    assert os.listdir() == [CANARY]
