"""``.npz`` files under the names that people use, and those that are traps."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from minimixer.data import DataError, load, load_digits

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (12, 8, 8, 3), np.uint8), np.arange(12) % 3
SOME = IMAGES[:6], LABELS[:6]


def read(tmp_path, arrays, **options):
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    return load(tmp_path / "x.npz", **{"quiet": True, **options})


@pytest.mark.parametrize(("train", "test"), [
    (("x_train", "y_train"), ("x_test", "y_test")), (("X_train", "Y_train"), ("X_test", "Y_test")),
    (("train_images", "train_labels"), ("test_images", "test_labels")), (("train_x", "train_y"), ("test_x", "test_y")),
    (("images", "labels"), ("test_images", "test_labels"))])
def test_every_usual_name(train, test, tmp_path):
    dataset = read(tmp_path, dict(zip((*train, *test), (IMAGES, LABELS, *SOME), strict=True)))
    assert np.array_equal(dataset.train_images, IMAGES)
    assert np.array_equal(dataset.test_labels, SOME[1])
    assert (dataset.name, dataset.source, dataset.notes) == ("x.npz", tmp_path / "x.npz", ())


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("X", "y"), ("data", "target"),
                                   ("arr_0", "arr_1")])
def test_images_that_are_not_divided(names, tmp_path):
    dataset = read(tmp_path, dict(zip(names, (IMAGES, LABELS), strict=True)), test_share=0.25, validation=0.3)
    assert [len(dataset.train_labels), len(dataset.validation_labels), len(dataset.test_labels)] == [6, 3, 3]


def test_medmnist_has_three_parts_and_labels_with_an_axis(tmp_path):
    arrays = {f"{part}_{kind}": array for part in ("train", "val", "test")
              for kind, array in (("images", IMAGES[..., 0]), ("labels", LABELS[:, None].astype(np.uint8)))}
    dataset = read(tmp_path, arrays)
    assert dataset.validation_images.shape == (12, 8, 8, 1)
    assert np.array_equal(dataset.validation_labels, LABELS)
    del arrays["test_images"], arrays["test_labels"]
    dataset = read(tmp_path, arrays)
    assert dataset.validation_images is None
    assert "there are no test images, so the validation images are the test part" in dataset.notes


def test_our_own_arrays_come_back(tmp_path):
    digits = load_digits()
    dataset = read(tmp_path, {**digits.arrays, "class_names": np.array(digits.class_names)})
    assert dataset.digest() == digits.digest()
    whole = load("digits", validation=0.2, quiet=True)
    again = read(tmp_path, {**whole.arrays, "class_names": np.array([name.encode() for name in whole.class_names])})
    assert again.digest() == whole.digest()


def test_what_is_recognized_is_said(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x_train=IMAGES.transpose(0, 3, 1, 2) / 255, y_train=np.eye(3)[LABELS], weights=[1])
    load(tmp_path / "x.npz")
    assert capsys.readouterr().err.splitlines() == [f"minimixer: x.npz: {line}" for line in (
        "not used: weights", "images of the shape (N, 3, 8, 8) were taken as channels first",
        "pixels from 0 to 1 were multiplied by 255", "one-hot labels of 3 classes became class numbers",
        "the test part is 3 of 12 images, 20% of each class, drawn by seed 0")]


def test_images_are_reduced_but_never_enlarged(tmp_path):
    arrays = {"x": IMAGES, "y": LABELS}
    small = read(tmp_path, arrays, image_size=4)
    assert small.train_images.shape == (9, 4, 4, 3)
    assert abs(int(small.train_images.mean()) - int(IMAGES.mean())) < 4
    large = read(tmp_path, arrays, image_size=16)
    assert large.train_images.shape == (9, 8, 8, 3)
    assert "images stay at 8 x 8 pixels in memory; training enlarges them" in large.notes
    assert read(tmp_path, arrays, image_size=8).notes[1:] == ()


def numbers(shape, dtype="|u1", content=b""):
    """An .npy whose header claims any shape."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue() + content


class Evil:
    def __reduce__(self):
        return open, ("canary", "w")


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


DAMAGED = {
    "no zip": (lambda path: path.write_bytes(b"x"), "is no .npz file, or a damaged one"),
    "empty": (lambda path: path.write_bytes(b""), "is no .npz file"),
    "nothing": (lambda path: zipped(path), "holds nothing: expected x_train"),
    "other names": (lambda path: np.savez(path, a=IMAGES, b=LABELS), "holds a, b: expected x_train, y_train, x_test"),
    "no labels": (lambda path: np.savez(path, x_train=IMAGES), "holds x_train, but no labels for it"),
    "no images": (lambda path: np.savez(path, y_train=LABELS), "holds y_train, but no images for it"),
    "test only": (lambda path: np.savez(path, x_test=IMAGES, y_test=LABELS), "holds x_test, y_test: expected"),
    "objects": (lambda path: np.savez(path, x=np.array([Evil()], object), y=LABELS), "holds pickled Python objects"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(Evil())), "is no .npz file"),
    "a claim": (lambda path: zipped(path, x=numbers((1 << 40, 8, 8)), y=numbers((0,))), "claims 70,368,744,177,664"),
    "negative": (lambda path: zipped(path, x=numbers((-1, -8, 8, 8), content=bytes(512)), y=numbers((0,))),
                 "is no .npz file, or a damaged one"),
    "text in a header": (lambda path: zipped(path, x=b"\x93NUMPY\x01\0\x10\0{'descr': (((((", y=b""), "damaged one"),
    "no header": (lambda path: zipped(path, x=b"x"), "damaged one"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files_and_traps(what, tmp_path, monkeypatch):
    make, message = DAMAGED[what]
    make(tmp_path / "x.npz")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        load("x.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz"]


def test_memory_is_checked_by_the_headers(tmp_path, monkeypatch):
    monkeypatch.setattr("minimixer.data.memory.available", lambda: 1000)
    with pytest.raises(DataError, match=r"the arrays in .*x\.npz need 5 kB of memory, and 1 kB are available"):
        read(tmp_path, {"x": IMAGES, "y": LABELS})


def test_a_bit_that_flipped_is_noticed(tmp_path):
    np.savez(tmp_path / "x.npz", x=IMAGES, y=LABELS)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[500] ^= 1
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load(tmp_path / "x.npz")
