import importlib
from pathlib import Path

import numpy as np
import pytest

from minimixer.data.dataset import DataError
from minimixer.data.sources.cifar import load_cifar10, load_cifar100
from minimixer.data.sources.cifar_editions import CIFAR10, CIFAR100, PAGE
from tests.support.cifar_files import official, pack, packed, records, unpack

BOTH = pytest.mark.parametrize(("archive", "load"), [(CIFAR10, load_cifar10), (CIFAR100, load_cifar100)])


@BOTH
@pytest.mark.parametrize("where", ["files", "folder", "tarball in folder", "tarball"])
def test_every_accepted_location(archive, load, where, tmp_path):
    place = tmp_path / "place"
    if "tarball" in where:
        source = pack(place / archive.tarball, packed(archive))
        data_dir = source if where == "tarball" else place
    else:
        source = unpack(place if where == "files" else place / archive.folder, official(archive))
        data_dir = str(place)
    data = load(data_dir)
    assert (data.name, data.source, data.class_names) == (archive.name, source, archive.class_names)
    assert data.train_images.shape == (2 * len(archive.train_files), 32, 32, 3)
    assert data.test_images.shape == (2, 32, 32, 3)
    for images, labels in [(data.train_images, data.train_labels), (data.test_images, data.test_labels)]:
        assert images.dtype == np.uint8
        assert images.flags.c_contiguous
        assert labels.dtype == np.int64
        assert labels.shape == images.shape[:1]


@BOTH
def test_pixels_and_labels_land_where_they_belong(archive, load, tmp_path):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (32, 32, 3), np.uint8)
    record = bytearray([0] * archive.header_bytes)
    record[archive.label_byte] = 7
    for channel in range(3):
        for r in range(32):
            record.extend(int(image[r, c, channel]) for c in range(32))
    files = official(archive)
    files[archive.train_files[-1]] += bytes(record)
    data = load(unpack(tmp_path / "d", files))
    np.testing.assert_array_equal(data.train_images[-1], image)
    assert data.train_labels[-1] == 7


def test_batches_keep_their_order(tmp_path):
    files = official(CIFAR10) | {name: records(CIFAR10, [i, i]) for i, name in enumerate(CIFAR10.train_files)}
    data = load_cifar10(unpack(tmp_path / "d", files))
    assert data.train_labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    members = {f"{CIFAR10.folder}/{name}": content for name, content in reversed(files.items())}
    assert load_cifar10(pack(tmp_path / "x.tar.gz", members)).train_labels.tolist() == data.train_labels.tolist()


def test_usual_places_in_order(tmp_path, monkeypatch):
    unpack(tmp_path / "cache" / CIFAR10.folder, official(CIFAR10))
    assert load_cifar10().source == tmp_path / "cache" / CIFAR10.folder
    unpack(tmp_path / "data", official(CIFAR10))
    assert load_cifar10().source == Path("data")
    pack(tmp_path / "mine" / CIFAR10.tarball, packed(CIFAR10))
    monkeypatch.setenv("MINIMIXER_DATA", str(tmp_path / "mine"))
    assert load_cifar10().source == tmp_path / "mine" / CIFAR10.tarball


@BOTH
def test_nothing_found_says_how_to_get_it(archive, load, tmp_path):
    with pytest.raises(DataError) as caught:
        load()
    text = str(caught.value)
    for words in (archive.title, archive.tarball, "data,", str(tmp_path / "cache"), f"({archive.size / 1e6:.0f} MB)",
                  f"python -m minimixer.train {archive.name} --download", "--data-dir", PAGE,
                  "python -m minimixer.train digits"):
        assert words in text
    with pytest.raises(DataError, match=r"not found in .*empty"):
        load(tmp_path / "empty")


@BOTH
@pytest.mark.parametrize("data_dir", [None, "there", "there/my.tar.gz"])
def test_download_when_nothing_is_found(archive, load, data_dir, tmp_path, monkeypatch):
    def fetch(url, target, *, sha256, size):
        assert (url, sha256, size) == (archive.url, archive.sha256, archive.size)
        return pack(target, packed(archive))

    monkeypatch.setattr(importlib.import_module("minimixer.data.download"), "download", fetch)
    data = load(data_dir, download=True)
    expected = {None: tmp_path / "cache" / archive.tarball, "there": Path("there", archive.tarball)}
    assert data.source == expected.get(data_dir, Path("there/my.tar.gz"))
    monkeypatch.delattr(importlib.import_module("minimixer.data.download"), "download")
    load(data_dir, download=True)       # found now, so not fetched again


@BOTH
def test_class_names(archive, load, tmp_path):
    assert len(set(archive.class_names)) == {"cifar10": 10, "cifar100": 100}[archive.name]
    assert list(archive.class_names) == sorted(archive.class_names)
    files = official(archive)
    own = tuple(f"class {i}" for i in range(len(archive.class_names)))
    files[archive.names_file] = "\r\n".join(own).encode() + b"\r\n\r\n"
    folder = unpack(tmp_path / "d", files)
    assert load(folder).class_names == own
    (folder / archive.names_file).write_bytes(b"cat\ndog\n")
    with pytest.raises(DataError, match=f"{archive.names_file} has 2 class names, expected {len(own)}"):
        load(folder)
    (folder / archive.names_file).unlink()
    assert load(folder).class_names == archive.class_names


@BOTH
def test_every_file_must_be_there(archive, load, tmp_path):
    folder = unpack(tmp_path / "d", official(archive))
    for missing in archive.files:
        content = (folder / missing).read_bytes()
        (folder / missing).unlink()
        with pytest.raises(DataError, match=f"has no file {missing}; unpack or download"):
            load(folder)
        (folder / missing).write_bytes(content)
