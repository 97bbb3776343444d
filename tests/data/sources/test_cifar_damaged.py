import contextlib
import gzip
import tarfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimixer.data.dataset import DataError
from minimixer.data.sources import members
from minimixer.data.sources.cifar import load_cifar10, load_cifar100
from minimixer.data.sources.cifar_editions import CIFAR10, CIFAR100
from tests.support.cifar_files import official, pack, packed, records, unpack

BOTH = pytest.mark.parametrize(("archive", "load"), [(CIFAR10, load_cifar10), (CIFAR100, load_cifar100)])


@BOTH
@pytest.mark.parametrize("change", [lambda raw: b"", lambda raw: raw[:1], lambda raw: raw[:3072],
                                    lambda raw: raw[:-1], lambda raw: raw + b"\0"])
def test_truncated_file_and_extra_bytes(archive, load, change, tmp_path):
    files = official(archive)
    files[archive.test_files[0]] = change(files[archive.test_files[0]])
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
    monkeypatch.setattr(members, "LARGEST_FILE", 5000)
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
    ({"size": -512}, r"is -512 bytes long|is not a complete \.tar\.gz file"),      # newer tarfiles refuse it themselves
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


def test_names_in_an_archive_are_shown_without_their_control_characters(tmp_path):
    path = pack(tmp_path / "x.tar.gz", {}, {"name": "/\x1b[2J\n" + 90 * "long", "size": 10**12})
    with pytest.raises(DataError, match=r"x\.tar\.gz/\\x1b\[2J .*bytes long") as caught:
        load_cifar10(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize("twice", [CIFAR10.files[0], CIFAR10.names_file])
def test_a_file_that_is_there_twice_is_refused(twice, tmp_path):
    name = f"{CIFAR10.folder}/{twice}"
    path = pack(tmp_path / "x.tar.gz", packed(CIFAR10))
    with tarfile.open(path.with_name("y"), "w") as tar:
        for i, (member, content) in enumerate([*packed(CIFAR10).items(), (name, packed(CIFAR10)[name])]):
            (tmp_path / str(i)).write_bytes(content)
            tar.add(tmp_path / str(i), member)
    path.write_bytes(gzip.compress(path.with_name("y").read_bytes(), 1))
    with pytest.raises(DataError, match=f"holds {name} twice; unpack or download"):
        load_cifar10(path)


@pytest.mark.parametrize("content", [packed(CIFAR100), {"cifar-10-batches-py/readme.html": b""}, {}])
def test_another_archive_altogether(content, tmp_path):
    with pytest.raises(DataError, match=r"holds no file of CIFAR-10, such as data_batch_1\.bin \(binary version\) or "
                                        r"data_batch_1 \(Python version\); unpack or download"):
        load_cifar10(pack(tmp_path / CIFAR10.tarball, content))


def zeros(count):
    """So many zero bytes as a .gz file, made of one short .gz file after the other."""
    megabyte = gzip.compress(bytes(1 << 20), 9)
    return megabyte * (count >> 20)


def header(**attributes):
    info = tarfile.TarInfo("x")
    for key, value in attributes.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def hole(size):
    """A file with a hole, as the real length says (Sparse, in GNU's old form)."""
    raw = bytearray(header(name=WANTED, size=512, type=tarfile.GNUTYPE_SPARSE))
    raw[483:495] = b"\x80" + size.to_bytes(11, "big")
    return checked(raw)


def checked(raw):
    """A header with its right checksum, so that the rest of it is believed."""
    raw[148:156] = b"%06o\0 " % (sum(raw[:148]) + 8 * 32 + sum(raw[156:512]))
    return bytes(raw)


BOMBS = {
    "ten gigabytes of zeros behind the archive": lambda whole: whole + zeros(10 << 30),
    "a file of a terabyte": lambda whole: gzip.compress(header(name=WANTED, size=1 << 40)) + zeros(10 << 30),
    "a hole of a terabyte": lambda whole: gzip.compress(hole(1 << 40)) + zeros(1 << 30),
    "a name of a gigabyte": lambda whole: gzip.compress(header(size=1 << 30, type=tarfile.GNUTYPE_LONGNAME)) + zeros(
        2 << 30),
    "attributes that take a regular expression hours": lambda whole: gzip.compress(
        header(size=1 << 24, type=tarfile.XHDTYPE) + b"1" * (1 << 24)),
    "headers before headers": lambda whole: gzip.compress(
        (header(size=512, type=tarfile.GNUTYPE_LONGNAME) + bytes(512)) * 20_000),
    "a negative length of a name": lambda whole: gzip.compress(header(size=-512, type=tarfile.GNUTYPE_LONGNAME)),
    "millions of empty files": lambda whole: gzip.compress(header() * 300_000, 1),
    "large files that nobody asked for": lambda whole: gzip.compress(header(size=100 << 20)) + (
        zeros(100 << 20) + gzip.compress(header(size=100 << 20))) * 20,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_little_memory_and_time(bomb, tmp_path):
    path = pack(tmp_path / CIFAR10.tarball, packed(CIFAR10))
    path.write_bytes(bomb(path.read_bytes()))
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="unpack or download") as caught:
            load_cifar10(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000                             # bytes
    assert time.process_time() - start < 10             # seconds, most of them to unpack 200 MB of zeros
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [
    lambda raw: b"not an archive", lambda raw: b"", lambda raw: raw[:len(raw) // 2],
    lambda raw: raw[:5000] + bytes(100) + raw[5100:]])
def test_damaged_tarball(damage, tmp_path):
    path = pack(tmp_path / CIFAR10.tarball, packed(CIFAR10))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{CIFAR10.tarball} is not a complete .tar.gz or .tar file"):
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
    raw[start:start + 512] = checked(raw[start:start + 512])
    path.write_bytes(gzip.compress(raw, 1))
    loads_or_is_a_data_error(path)
