"""The digits that come with minimixer."""

import hashlib
import re

import numpy as np
import pytest

from minimixer import data
from minimixer.data.sources import digits

# Of pixels and label as bytes, image after image, in the order of the published file.
PUBLISHED_SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"


def test_digits_are_real_offline_and_always_split_the_same_way():
    found = data.load_digits()
    assert found.train_images.shape == (1437, 8, 8, 1)
    assert found.test_images.shape == (360, 8, 8, 1)
    assert found.train_images.dtype == found.test_images.dtype == np.uint8
    assert found.train_labels.dtype == found.test_labels.dtype == np.int64
    assert found.train_images.max() == 255
    assert found.num_classes == 10
    assert np.bincount(found.test_labels).min() >= 34       # stratified
    again = data.load_digits()
    assert np.array_equal(found.test_images, again.test_images)
    arrays = found.train_images, found.train_labels, found.test_images, found.test_labels
    assert hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()[:16] == "3616d13d9b8a0a7a"


def test_the_file_holds_what_was_published():
    assert hashlib.sha256(digits.FILE.read_bytes()).hexdigest() == digits.SHA256
    with np.load(digits.FILE, allow_pickle=False) as file:
        pixels, labels, train, test = (file[name] for name in ("pixels", "labels", "train", "test"))
    rows = np.hstack([pixels.reshape(1797, 64), labels[:, None]])
    assert hashlib.sha256(rows.tobytes()).hexdigest() == PUBLISHED_SHA256
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(1797))


def test_the_note_beside_the_file_states_source_license_and_hashes():
    note = digits.FILE.with_suffix(".md").read_text()
    for words in ("Alpaydin", "Kaynak", "https://archive.ics.uci.edu/dataset/80", "CC BY 4.0",
                  "https://creativecommons.org/licenses/by/4.0/", digits.SHA256, PUBLISHED_SHA256):
        assert words in note


def test_arrays_and_split_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    from sklearn.model_selection import train_test_split
    pixels, labels = datasets.load_digits(return_X_y=True)
    images = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = labels.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=360, stratify=labels, random_state=0)
    found = data.load_digits()
    for ours, theirs in ((found.train_images, images[train]), (found.train_labels, labels[train]),
                         (found.test_images, images[test]), (found.test_labels, labels[test])):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"", lambda content: content + b"0",
                                    lambda content: content[:30_000] + b"\x00\x01" + content[30_002:]])
def test_digits_that_are_damaged_say_what_to_do(damage, tmp_path, monkeypatch):
    damaged = tmp_path / "digits.npz"
    damaged.write_bytes(damage(digits.FILE.read_bytes()))
    monkeypatch.setattr(digits, "FILE", damaged)
    with pytest.raises(data.DataError, match=rf"{re.escape(str(damaged))} is damaged .*: reinstall minimixer"):
        data.load_digits()


def test_digits_that_are_missing_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "FILE", tmp_path / "digits.npz")
    with pytest.raises(data.DataError, match=r"digits\.npz cannot be read .*: reinstall minimixer"):
        data.load_digits()
