import contextlib
import gzip
import importlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimixer.data import cifar
from minimixer.data.cifar import CIFAR10, CIFAR100, load_cifar10, load_cifar100
from minimixer.data.dataset import DataError

BOTH = pytest.mark.parametrize(("archive", "load"), [(CIFAR10, load_cifar10), (CIFAR100, load_cifar100)])


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No usual place of this machine is ever looked into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIMIXER_DATA", raising=False)
    monkeypatch.setenv("MINIMIXER_CACHE", str(tmp_path / "cache"))


def records(archive, labels, pixels=None):
    """The bytes of one .bin file: header, then R, G and B planes, for every label."""
    pixels = np.zeros((len(labels), 3072), np.uint8) if pixels is None else pixels
    header = np.full((len(labels), archive.header_bytes), 255, np.uint8)    # 255: no valid class anywhere
    header[:, archive.label_byte] = labels
    return np.hstack([header, pixels]).tobytes()


def official(archive, count=2, seed=0):
    """File name -> bytes of a small data set with random pictures, `count` a file."""
    rng = np.random.default_rng(seed)
    classes = len(archive.class_names)
    files = {name: records(archive, rng.integers(0, classes, count), rng.integers(0, 256, (count, 3072), np.uint8))
             for name in archive.files}
    return {archive.names_file: "".join(f"{name}\n" for name in archive.class_names).encode() + b"\n", **files}


def unpack(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def pack(path, members, *others):
    """A .tar.gz of the members, name -> bytes, after headers without content, as dicts of TarInfo attributes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as tar:
        for attributes in others:
            info = tarfile.TarInfo()
            for key, value in attributes.items():
                setattr(info, key, value)
            tar.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def packed(archive, **kwargs):
    return {f"{archive.folder}/{name}": content for name, content in official(archive, **kwargs).items()}


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
    picture = rng.integers(0, 256, (32, 32, 3), np.uint8)
    record = bytearray([0] * archive.header_bytes)
    record[archive.label_byte] = 7
    for channel in range(3):
        for r in range(32):
            record.extend(int(picture[r, c, channel]) for c in range(32))
    files = official(archive)
    files[archive.train_files[-1]] += bytes(record)
    data = load(unpack(tmp_path / "d", files))
    np.testing.assert_array_equal(data.train_images[-1], picture)
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
                  f"python -m minimixer.train {archive.name} --download", "--data-dir", cifar.PAGE,
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
        with pytest.raises(DataError, match=f"has no file {missing}; unpack or fetch"):
            load(folder)
        (folder / missing).write_bytes(content)


@BOTH
@pytest.mark.parametrize("keep", [0, 1, 3072, -1])
def test_truncated_file(archive, load, keep, tmp_path):
    files = official(archive)
    files[archive.test_files[0]] = files[archive.test_files[0]][:keep]
    length, record = len(files[archive.test_files[0]]), 3072 + archive.header_bytes
    with pytest.raises(DataError, match=rf"{archive.test_files[0]} is {length:,} bytes long.* {record:,} bytes"):
        load(unpack(tmp_path / "d", files))


@BOTH
def test_label_out_of_range(archive, load, tmp_path):
    classes = len(archive.class_names)
    files = official(archive)
    files[archive.train_files[0]] = records(archive, [0, classes - 1, classes, 255])
    folder = unpack(tmp_path / "d", files)
    with pytest.raises(DataError, match=rf"has label {classes} in record 2 .*0\.\.{classes - 1}") as caught:
        load(folder)
    assert str(folder / archive.train_files[0]) in str(caught.value)


def test_too_large_file(tmp_path, monkeypatch):
    folder = unpack(tmp_path / "d", official(CIFAR10))
    monkeypatch.setattr(cifar, "LARGEST_FILE", 5000)
    with pytest.raises(DataError, match="is 6,146 bytes long, expected at most 5,000"):
        load_cifar10(folder)


def test_unreadable_file(tmp_path, monkeypatch):
    folder = unpack(tmp_path / "d", official(CIFAR10))

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"CIFAR-10 cannot be read: .*Permission denied"):
        load_cifar10(folder)


WANTED = f"{CIFAR10.folder}/data_batch_1.bin"


@pytest.mark.parametrize(("kind", "message"), [
    ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "data_batch_1.bin is a link"),
    ({"type": tarfile.LNKTYPE, "linkname": f"{CIFAR10.folder}/test_batch.bin"}, "data_batch_1.bin is a link"),
    ({"type": tarfile.DIRTYPE}, "data_batch_1.bin is a link or folder"),
    ({"type": tarfile.FIFOTYPE}, "expected a file"),
    ({"type": tarfile.CHRTYPE}, "expected a file"),
    ({"size": 10**12}, "is 1,000,000,000,000 bytes long, expected at most"),
    ({"size": -512}, "is -512 bytes long"),
])
def test_tar_member_of_a_wrong_kind(kind, message, tmp_path):
    members = packed(CIFAR10)
    del members[WANTED]
    with pytest.raises(DataError, match=message):
        load_cifar10(pack(tmp_path / "x.tar.gz", members, {"name": WANTED, **kind}))


@pytest.mark.parametrize("name", ["../data_batch_1.bin", f"../{WANTED}", f"/{WANTED}", "data_batch_1.bin"])
def test_tar_member_outside_the_folder_is_not_read_and_not_written(name, tmp_path):
    members = packed(CIFAR10)
    members[name] = members.pop(WANTED)
    (tmp_path / "in").mkdir()
    before = set(tmp_path.rglob("*"))
    path = pack(tmp_path / "in" / "x.tar.gz", members)
    with pytest.raises(DataError, match=r"has no file data_batch_1\.bin"):
        load_cifar10(path)
    assert set(tmp_path.rglob("*")) - before == {path}


def test_other_members_do_no_harm(tmp_path):
    path = pack(tmp_path / "x.tar.gz", packed(CIFAR10), {"name": CIFAR10.folder, "type": tarfile.DIRTYPE},
                {"name": "../../evil", "type": tarfile.SYMTYPE, "linkname": "/"})
    assert len(load_cifar10(path).test_labels) == 2


@pytest.mark.parametrize("damage", [
    lambda raw: b"not an archive", lambda raw: b"", lambda raw: raw[:len(raw) // 2],
    lambda raw: raw[:5000] + bytes(100) + raw[5100:]])
def test_damaged_tarball(damage, tmp_path):
    path = pack(tmp_path / CIFAR10.tarball, packed(CIFAR10))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{CIFAR10.tarball} is not a whole .tar.gz file"):
        load_cifar10(path)


def loads_or_is_a_data_error(place):
    with contextlib.suppress(DataError):
        assert load_cifar10(place).num_classes == 10


anything = st.builds(lambda labels, tail: records(CIFAR10, np.array(labels, np.uint8)) + tail,
                     st.lists(st.integers(0, 11), max_size=3), st.binary(max_size=40))


@settings(max_examples=60, deadline=None)
@given(content=anything, name=st.sampled_from([CIFAR10.names_file, *CIFAR10.files]))
def test_random_bytes_raise_nothing_but_data_error(content, name, tmp_path_factory):
    loads_or_is_a_data_error(unpack(tmp_path_factory.mktemp("any"), official(CIFAR10, count=1) | {name: content}))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), member=st.integers(0, 6))
def test_random_tar_headers_raise_nothing_but_data_error(data, member, tmp_path_factory):
    path = pack(tmp_path_factory.mktemp("any") / "x.tar.gz", packed(CIFAR10, count=1))
    with tarfile.open(path) as tar:
        start = tar.getmembers()[member].offset
    raw = bytearray(gzip.decompress(path.read_bytes()))
    for at, value in data.draw(st.dictionaries(st.integers(0, 511), st.integers(0, 255), max_size=8)).items():
        raw[start + at] = value
    raw[start + 156] = ord(data.draw(st.sampled_from("05xgLKS")))       # the kinds that tarfile itself reads
    if data.draw(st.booleans()):        # a number larger than any index
        raw[start + 124:start + 136] = b"\x80" + b"\x7f" * 11
    block = raw[start:start + 512]      # with a right checksum, so that the rest of the header is believed
    raw[start + 148:start + 156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    path.write_bytes(gzip.compress(raw, 1))
    loads_or_is_a_data_error(path)
