import contextlib
import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimixer.data import cifar
from minimixer.data.cifar import CIFAR10, CIFAR100, load_cifar10, load_cifar100
from minimixer.data.dataset import DataError
from tests.data.cifar_files import official, pack, packed, records, unpack

BOTH = pytest.mark.parametrize(("archive", "load"), [(CIFAR10, load_cifar10), (CIFAR100, load_cifar100)])


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
