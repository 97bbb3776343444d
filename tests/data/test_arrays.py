"""Arrays in every usual layout become one kind of data set; what is not certain is refused."""

from dataclasses import replace

import numpy as np
import pytest

import minimixer as mm
from minimixer.data import DataError, Dataset, from_arrays
from minimixer.errors import UsageError

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
IMAGES[0, 0, 0], IMAGES[0, 0, 1] = 0, 255
LABELS = np.arange(12) % 3
TEST = IMAGES[:6], LABELS[:6]


def notes(capsys):
    """What was said, without the name of the data."""
    return [line.removeprefix("minimixer: arrays: ") for line in capsys.readouterr().err.splitlines()]


def test_arrays_in_our_layout_are_taken_as_they_are(capsys):
    dataset = from_arrays(IMAGES, LABELS, *TEST)
    assert np.shares_memory(dataset.train_images, IMAGES)
    assert np.array_equal(dataset.train_labels, LABELS)
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.test_images.shape == (6, 8, 8, 3)
    assert (dataset.name, dataset.source, dataset.notes, dataset.selection[0]) == ("arrays", None, (), "test")
    assert notes(capsys) == []
    assert mm.data.from_arrays is from_arrays


@pytest.mark.parametrize(("images", "said"), [
    (IMAGES.transpose(0, 3, 1, 2), "images of the shape (N, 3, 8, 8) were taken as channels first"),
    (IMAGES / 255, "pixels from 0 to 1 were multiplied by 255"),
    ((IMAGES / 255).astype(np.float32), "pixels from 0 to 1 were multiplied by 255"),
    (IMAGES / 127.5 - 1, "pixels from -1 to 1 were taken as black to white"),
    (IMAGES.astype(np.float64), "pixels from 0 to 255, stored as floats, were rounded to whole numbers"),
    (IMAGES.astype(np.int64), None), (IMAGES.astype(">u2"), None), (IMAGES.tolist(), None),
    (IMAGES[..., ::-1][..., ::-1], None), (np.asfortranarray(IMAGES), None), (list(IMAGES), None)])
def test_every_usual_layout_gives_the_same_images(images, said, capsys):
    dataset = from_arrays(images, LABELS, images, LABELS)
    assert np.array_equal(dataset.train_images, IMAGES)
    assert np.array_equal(dataset.test_images, IMAGES)
    assert dataset.train_images.flags.c_contiguous
    assert dataset.train_images.dtype == np.uint8
    assert notes(capsys) == ([said] if said else [])
    assert dataset.notes == ((said,) if said else ())


def test_gray_images_get_their_axis_and_rows_of_pixels_their_shape(capsys):
    gray = IMAGES[..., :1]
    assert np.array_equal(from_arrays(gray[..., 0], LABELS, gray[..., 0], LABELS).train_images, gray)
    assert notes(capsys) == []
    assert np.array_equal(from_arrays(gray.reshape(12, 64), LABELS, gray.reshape(12, 64), LABELS).train_images, gray)
    assert notes(capsys) == ["rows of 64 numbers were taken as gray images of 8 x 8 pixels"]
    first = gray.transpose(0, 3, 1, 2)
    assert np.array_equal(from_arrays(first, LABELS, first, LABELS).train_images, gray)
    black_and_white = gray[..., 0] > 127
    assert np.array_equal(from_arrays(black_and_white, LABELS).train_images.max((1, 2, 3)), np.full(9, 255))


def test_images_that_are_not_square_are_cut_to_their_middle(capsys):
    wide = np.zeros((12, 8, 12, 3), np.uint8)
    wide[:, :, 2:10] = IMAGES
    assert np.array_equal(from_arrays(wide, LABELS, wide, LABELS).train_images, IMAGES)
    assert notes(capsys) == ["images of 8 x 12 pixels were cut to the 8 x 8 in their middle"]
    high = wide.transpose(0, 3, 2, 1)
    assert np.array_equal(from_arrays(high, LABELS, high, LABELS).train_images, IMAGES.swapaxes(1, 2))


def test_other_numbers_of_channels_are_said(capsys):
    four = np.concatenate([IMAGES, IMAGES[..., :1]], -1)
    assert from_arrays(four, LABELS, four, LABELS).train_images.shape == (12, 8, 8, 4)
    first = four.transpose(0, 3, 1, 2)
    assert np.array_equal(from_arrays(first, LABELS, first, LABELS).train_images, four)
    assert "images have 4 channels, all of which the model gets" in notes(capsys)[0]


def test_dark_numbers_are_noticed(capsys):
    from_arrays(IMAGES % 17, LABELS, *TEST)
    from_arrays((IMAGES % 17).astype(int), LABELS, (IMAGES % 17).astype(int), LABELS)
    said, = notes(capsys)
    assert said == "no pixel is brighter than 16 of 255; if 16 is white, multiply the images by 255 / 16 first"


@pytest.mark.parametrize(("labels", "names", "numbers", "said"), [
    (LABELS[:, None], "012", LABELS, None), (LABELS.astype(np.float32), "012", LABELS, None),
    (LABELS.astype(np.uint8), "012", LABELS, None), (LABELS.tolist(), "012", LABELS, None),
    (np.eye(3)[LABELS], "012", LABELS, "one-hot labels of 3 classes became class numbers"),
    (np.eye(3, dtype=bool)[LABELS], "012", LABELS, "one-hot labels of 3 classes became class numbers"),
    (np.array(["b", "a", "c"])[LABELS], "abc", np.array([1, 0, 2])[LABELS], None),
    (np.array([b"b", b"a", b"c"])[LABELS], "abc", np.array([1, 0, 2])[LABELS], None),
    (np.array(["b", "a", "c"], object)[LABELS], "abc", np.array([1, 0, 2])[LABELS], None),
    (LABELS + 1, "123", LABELS, "the labels are 1, 2, 3: these became the names of 3 classes"),
    (np.array([3, 7, 20])[LABELS], ("3", "7", "20"), LABELS,
     "the labels are 3, 7, 20: these became the names of 3 classes")])
def test_every_usual_kind_of_labels(labels, names, numbers, said, capsys):
    dataset = from_arrays(IMAGES, labels, IMAGES, labels)
    assert dataset.class_names == tuple(names)
    assert np.array_equal(dataset.train_labels, numbers)
    assert dataset.train_labels.dtype == np.int64
    assert notes(capsys) == ([said] if said else [])


def test_class_names_are_those_that_are_given(capsys):
    given = {"class_names": ["cat", "dog", "owl"]}
    assert from_arrays(IMAGES, LABELS, *TEST, **given).class_names == ("cat", "dog", "owl")
    shifted = from_arrays(IMAGES, LABELS + 1, TEST[0], TEST[1] + 1, **given)
    assert np.array_equal(shifted.train_labels, LABELS)
    words = np.array(["dog", "owl", "cat"])
    assert np.array_equal(from_arrays(IMAGES, words[LABELS], IMAGES, words[LABELS], **given).train_labels,
                          np.array([1, 2, 0])[LABELS])
    assert notes(capsys) == ["labels 1..3 were taken as counted from 1"]
    assert from_arrays(IMAGES, LABELS, *TEST, class_names=["a", "b", "c", "d"]).num_classes == 4
    assert notes(capsys) == ["the train part has no image of d", "the test part has no image of d"]


def test_parts_are_cut_off(capsys):
    dataset = from_arrays(IMAGES, LABELS, validation=0.34, test_share=0.25, name="mine")
    assert [len(array) for array in dataset.arrays.values()] == [6, 6, 3, 3, 3, 3]
    assert sorted(dataset.train_labels) == [0, 0, 1, 1, 2, 2]
    assert dataset.selection[0] == "validation"
    assert dataset.selection[1] is dataset.validation_images
    everything = np.concatenate([dataset.train_images, dataset.test_images, dataset.validation_images])
    assert {image.tobytes() for image in everything} == {image.tobytes() for image in IMAGES}
    assert capsys.readouterr().err.splitlines() == [
        "minimixer: mine: the test part is 3 of 12 images, 25% of each class, drawn by seed 0",
        "minimixer: mine: the validation part is 3 of 9 images, 34% of each class, drawn by seed 0"]


SQUARE = np.zeros((4, 5, 5, 3))
REFUSED = {
    "five axes": (IMAGES[None], LABELS, r"shape \(1, 12, 8, 8, 3\): expected \(N, H, W, channels\)"),
    "one image": (IMAGES[0, :, :, 0][0], LABELS, r"shape \(8,\): expected"),
    "no images": (IMAGES[:0], LABELS[:0], r"at least one image"),
    "no pixels": (IMAGES[:, :0], LABELS, r"at least one image"),
    "rows of color": (IMAGES.reshape(12, -1), LABELS, "192 numbers each: expected a square number"),
    "unclear axes": (np.zeros((12, 5, 5, 5)), LABELS, "no axis is clearly the channels"),
    "sizes": ([np.zeros((2, 2)), np.zeros((3, 3))], [0, 1], "cannot be made one array|of images of one size"),
    "objects": (np.array([{}] * 12), LABELS, "train images are Python objects: expected numbers"),
    "text": (np.array(["x"] * 12 * 64).reshape(12, 8, 8), LABELS, "expected uint8, pixels in 0..255"),
    "nan": (np.full((12, 8, 8), np.nan), LABELS, "not finite"),
    "infinity": (np.full((12, 8, 8), np.inf), LABELS, "not finite"),
    "normalized": (IMAGES / 50 - 2.5, LABELS, r"pixels go from -2.5 to 2.6: expected .*undo their normalization"),
    "16 bits": (IMAGES.astype(np.uint16) * 257, LABELS, r"from 0 to 65,535: expected 0\.\.255; divide 16-bit"),
    "negative": (IMAGES.astype(int) - 1, LABELS, "from -1 to 254"),
    "count": (IMAGES, LABELS[:-1], r"12 train images \(of the shape \(12, 8, 8, 3\)\) and 11 labels: expected one"),
    "soft": (IMAGES, np.full((12, 3), 1 / 3), "rows are not one-hot"),
    "two columns": (IMAGES, np.ones((12, 2)), "rows are not one-hot"),
    "fractions": (IMAGES, LABELS + 0.5, "not all whole numbers"),
    "nan labels": (IMAGES, np.full(12, np.nan), "not all whole numbers"),
    "unlabeled": (IMAGES, LABELS - 1, "go down to -1: expected class numbers from 0"),
    "axes of labels": (IMAGES, np.zeros((12, 2, 2)), r"labels have the shape \(12, 2, 2\)"),
    "one class": (IMAGES, LABELS * 0, r"all images of arrays are of one class \(0\): expected at least two"),
    "one image per class": (IMAGES, np.arange(12), "one training image per class"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_certain_is_refused(what):
    images, labels, message = REFUSED[what]
    with pytest.raises(DataError, match=message):
        from_arrays(images, labels)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"test_images": IMAGES}, UsageError, "test_images and test_labels belong together"),
    ({"test_images": IMAGES[:, :4, :4], "test_labels": LABELS}, DataError, "expected one size"),
    ({"test_images": IMAGES / 255, "test_labels": LABELS}, DataError, "train: uint8, test: float64"),
    ({"test_images": IMAGES, "test_labels": LABELS.astype(str)}, DataError, "one part are strings, those of another"),
    ({"test_images": IMAGES, "test_labels": LABELS, "test_share": 0.3}, UsageError, "test_share has no effect"),
    ({"class_names": ["a", "a", "b"]}, DataError, "holds 'a' twice"),
    ({"class_names": ["a", "b"]}, DataError, r"labels go from 0 to 2, and there are 2 class names: expected 0\.\.1"),
    ({"labels": np.array(["cat", "dogs", "owl"])[LABELS], "class_names": ["cat", "dog", "owl"]}, DataError,
     r"the label 'dogs' is no class name; did you mean 'dog'\?")])
def test_what_does_not_fit_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        from_arrays(**{"images": IMAGES, "labels": LABELS, **change})


def test_a_data_set_made_by_hand_is_checked():
    dataset = from_arrays(IMAGES, LABELS, validation=0.2)
    dataset.check()
    for change, message in (
            ({"train_images": IMAGES / 255}, "train_images of arrays are of float64, expected uint8"),
            ({"train_images": IMAGES[:, :4]}, r"shape \(12, 4, 8, 3\), expected .* square images"),
            ({"test_images": dataset.test_images[:, :4, :4]}, r"test_images of arrays are of \(4, 4, 3\), those"),
            ({"test_labels": dataset.test_labels[1:]}, r"expected int64 with the shape \(3,\)"),
            ({"test_labels": dataset.test_labels / 1}, "test_labels of arrays are of float64"),
            ({"validation_labels": dataset.validation_labels + 3}, r"from 3 to 5, expected 0\.\.2, one of 3"),
            ({"validation_labels": None}, "are ndarray and NoneType: expected two arrays"),
            ({"train_labels": [0]}, "expected two arrays")):
        with pytest.raises(DataError, match=message):
            replace(dataset, **change).check()


def test_the_digest_of_a_data_set_without_validation_part_is_what_it_was():
    """Runs that were begun before there were validation parts can be resumed."""
    old = Dataset("toy", IMAGES, LABELS, *TEST, ("a", "b", "c"))
    assert old.digest() == "sha256:357ac4035e6269e1c306f620bd710fbd00a03bd279a7c99c61509b00ea63aebe"
    assert replace(old, validation_images=TEST[0], validation_labels=TEST[1]).digest() != old.digest()
    assert replace(old, notes=("something",)).digest() == old.digest()
