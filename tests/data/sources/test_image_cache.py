"""Decoded images are kept, and never taken for others."""

import os
import zipfile

import numpy as np
import pytest

from minimixer.data import from_folder
from minimixer.data.sources import folder as folder_module
from minimixer.data.sources import image_cache
from tests.support.image_folders import class_folders, photo


@pytest.fixture
def photos(tmp_path):
    return class_folders(tmp_path / "photos", {"cats": 3, "dogs": 3})


@pytest.fixture
def decoded(monkeypatch):
    """How many files were decoded each time that any were."""
    counts, decode = [], folder_module.decode

    def counted(files, *arguments, **options):
        counts.append(len(files))
        return decode(files, *arguments, **options)

    monkeypatch.setattr(folder_module, "decode", counted)
    return counts


def read(photos, **options):
    return from_folder(photos, **{"image_size": 8, "quiet": True, **options})


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "images").glob("*"))


def test_the_second_time_nothing_is_decoded(photos, decoded, tmp_path):
    (photos / "cats" / "broken.png").write_bytes(b"x")
    first = read(photos, most_unreadable=0.2)
    again = read(photos, most_unreadable=0.2)
    assert decoded == [7]
    assert first.digest() == again.digest()
    assert any("broken.png is not an image" in note for note in again.notes)
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("change", [
    lambda photos: photo(photos / "cats" / "new.png"), lambda photos: (photos / "cats" / "000.png").unlink(),
    lambda photos: photo(photos / "cats" / "000.png", seed=99),
    lambda photos: os.utime(photos / "cats" / "000.png", (1, 1)),
    lambda photos: (photos / "cats" / "000.png").rename(photos / "cats" / "zzz.png")])
def test_any_change_of_the_files_is_noticed(change, photos, decoded):
    read(photos)
    change(photos)
    read(photos)
    assert len(decoded) == 2


def test_other_options_and_another_pillow_are_other_images(photos, decoded, monkeypatch):
    read(photos)
    read(photos, image_size=9)
    monkeypatch.setattr("PIL.__version__", "99.0")
    read(photos)
    assert len(decoded) == 3


def test_another_cut_needs_no_decoding(photos, decoded):
    (photos / "cats" / "broken.png").write_bytes(b"x")
    for options in ({}, {"validation": 0.4}, {"seed": 3}, {"test_share": 0.5}, {"classes": "dogs,cats"}):
        found = read(photos, most_unreadable=0.5, **options)
        assert found.digest() == read(photos, most_unreadable=0.5, cache=False, **options).digest()
        assert any("broken.png is not an image" in note for note in found.notes)
    assert decoded == [7] * 6                       # once, and five times without the cache


def swap(path):
    """A whole file, of other images."""
    np.savez(path, images=np.zeros((2, 8, 8, 3), np.uint8))


def repack(path, **changed):
    """A whole file with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, change in changed.items():
            archive.writestr(name, change(members[name]))


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(b""), lambda path: path.write_bytes(path.read_bytes()[:-100]),
    lambda path: path.write_bytes(path.read_bytes()[:300] + b"\xff\xfe" + path.read_bytes()[302:]), swap,
    lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)), lambda path: np.savez(path, x=1),
    lambda path: repack(path, **{"about.json": bytes, "images.npy": lambda content: content + b"x"}),
    lambda path: repack(path, **{"about.json": bytes, "images.npy": lambda content: content[:-1]}),
    lambda path: repack(path, **{"about.json": lambda _: b'{"failures": {"9": "x"}}', "images.npy": bytes}),
    lambda path: repack(path, **{"about.json": lambda _: b"[" * 10_000, "images.npy": bytes})])
def test_a_damaged_file_is_said_and_made_again(damage, photos, decoded, tmp_path):
    expected = read(photos)
    path, = kept(tmp_path)
    damage(path)
    again = read(photos)
    assert again.digest() == expected.digest()
    assert any(f"kept in {path} are damaged" in note and "all are read again" in note for note in again.notes)
    assert len(decoded) == 2
    assert read(photos).notes == expected.notes
    assert len(decoded) == 2
    zipfile.ZipFile(path).close()


def test_without_a_cache_folder_everything_works(photos, decoded, tmp_path, monkeypatch):
    expected = read(photos, cache=False)
    assert not (tmp_path / "cache").exists()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINIMIXER_CACHE", str(tmp_path / "file"))
    found = read(photos)
    assert found.digest() == expected.digest()
    assert any("the decoded images cannot be kept for the next time: " in note for note in found.notes)
    monkeypatch.setattr(folder_module, "cache_folder", lambda: None)        # no home folder
    assert read(photos).digest() == expected.digest()
    assert len(decoded) == 3


def test_a_full_disk_leaves_nothing_behind(photos, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_cache.npy, "write_array_header_1_0", full)
    found = read(photos)
    assert any("No space left on device" in note and note.endswith("make room there") for note in found.notes)
    assert kept(tmp_path) == []


def test_what_was_not_used_for_longest_goes_first(photos, tmp_path, monkeypatch):
    for size in (6, 7, 8):
        read(photos, image_size=size)
    for age, path in enumerate(kept(tmp_path)):
        os.utime(path, (1000 + age, 1000 + age))
    oldest = kept(tmp_path)[0]
    monkeypatch.setattr(image_cache, "KEPT", sum(path.stat().st_size for path in kept(tmp_path)))
    read(photos, image_size=5)
    assert not oldest.exists()
    assert len(kept(tmp_path)) == 3
