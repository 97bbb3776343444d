"""Tables beside images, and tables that are images: what Kaggle's archives hold."""

import numpy as np
import pytest

from minimixer.data import DataError, load
from tests.support.image_folders import class_folders, photo

RNG = np.random.default_rng(0)


@pytest.fixture
def competition(tmp_path):
    """Flat folders and a table, as in Kaggle's CIFAR-10."""
    for k in range(1, 11):
        photo(tmp_path / "x" / "train" / f"{k}.png", (8, 8), seed=k)
        photo(tmp_path / "x" / "test" / f"{k}.png", (8, 8), seed=100 + k)
    table(tmp_path, "id,label", [(k, "frog" if k % 2 else "cat") for k in range(1, 11)])
    return tmp_path / "x"


def table(tmp_path, header, rows, name="trainLabels.csv"):
    (tmp_path / "x" / name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def test_labels_in_a_table(competition, capsys):
    dataset = load(competition)
    assert dataset.class_names == ("cat", "frog")
    assert dataset.train_images.shape == (8, 8, 8, 3)
    frogs = {photo(competition / "y" / "a.png", (8, 8), seed=k) and load_one(competition / "y" / "a.png")
             for k in range(1, 11, 2)}
    got = {image.tobytes() for part in ("train", "test") for image in getattr(dataset, f"{part}_images")[
        getattr(dataset, f"{part}_labels") == 1]}
    assert got == frogs
    assert "minimixer: x: the labels are those of trainLabels.csv" in capsys.readouterr().err


def load_one(path):
    from minimixer.data.images import read_image
    return read_image(path, 8, 3).tobytes()


@pytest.mark.parametrize(("name", "header", "form"), [
    ("labels.csv", "id,breed", "{0},{1}"), ("train.csv", "image_id,height,label", "{0}.png,8,{1}"),
    ("TRAIN_LABELS.CSV", "file,what", '"{0}.png","{1}"')])
def test_other_tables(name, header, form, competition):
    (competition / "trainLabels.csv").unlink()
    lines = [header, *(form.format(k, "frog" if k % 2 else "cat") for k in range(1, 11))]
    (competition / name).write_text("\r\n".join(lines))
    assert load(competition, quiet=True).class_names == ("cat", "frog")


def test_what_does_not_fit_is_said(competition, tmp_path):
    table(tmp_path, "id,label", [*((k, k % 2) for k in range(1, 10)), (77, 1), (78, 1)])
    notes = load(competition, quiet=True).notes
    assert "2 rows of trainLabels.csv without an image: 77, 78" in notes
    assert "not used, because trainLabels.csv has no label for it: 10.png" in notes
    table(tmp_path, "id,label", [(1, "a"), (1, "b"), (2, "a")])
    with pytest.raises(DataError, match=r"trainLabels.csv gives 1.png two labels, a and b: keep one of the rows"):
        load(competition)
    for content, message in (("", "is empty: expected a row per image"), ("\xff", "is not UTF-8")):
        (competition / "trainLabels.csv").write_bytes(content.encode("latin1"))
        with pytest.raises(DataError, match=message):
            load(competition)


def test_a_table_of_something_else_is_left_alone(tmp_path):
    class_folders(tmp_path / "x", {"cats": 4, "dogs": 4})
    table(tmp_path, "name,age", [("Tom", 3)], "labels.csv")
    dataset = load(tmp_path / "x", quiet=True)
    assert dataset.class_names == ("cats", "dogs")
    assert "not used: labels.csv" in dataset.notes


IMAGES, LABELS = RNG.integers(0, 256, (12, 64), np.uint8), np.arange(12) % 3
NAMES = ",".join(f"pixel{i}" for i in range(64))


def pixels(path, header, labels=LABELS, images=IMAGES):
    columns = images if labels is None else np.hstack([labels[:, None], images])
    rows = [",".join(map(str, row)) for row in columns.tolist()]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*([header] if header else []), *rows]) + "\n")
    return path


@pytest.mark.parametrize("header", [f"label,{NAMES}", None])
@pytest.mark.parametrize("by", ["file", "folder"])
def test_tables_of_pixels(header, by, tmp_path, capsys):
    path = pixels(tmp_path / "x" / "fashion-mnist_train.csv", header)
    pixels(tmp_path / "x" / "fashion-mnist_test.csv", header, LABELS[:6], IMAGES[:6])
    dataset = load(path if by == "file" else path.parent)
    assert np.array_equal(dataset.train_images, IMAGES.reshape(12, 8, 8, 1))
    assert np.array_equal(dataset.train_labels, LABELS)
    assert np.array_equal(dataset.test_images, IMAGES[:6].reshape(6, 8, 8, 1))
    assert "fashion-mnist_test.csv is the test part" in capsys.readouterr().err


def test_a_table_beside_class_folders_is_not_taken_for_images(tmp_path):
    class_folders(tmp_path / "x", {"cats": 4, "dogs": 4})
    pixels(tmp_path / "x" / "features.csv", f"label,{NAMES}")
    assert load(tmp_path / "x", quiet=True).class_names == ("cats", "dogs")


def test_a_label_may_stand_at_the_end_and_a_test_without_labels_is_not_used(tmp_path):
    table_ = np.hstack([IMAGES, LABELS[:, None]])
    path = pixels(tmp_path / "x" / "train.csv", f"{NAMES},class", None, table_)
    pixels(tmp_path / "x" / "test.csv", NAMES, None)
    dataset = load(path, test_share=0.25, quiet=True)
    assert len(dataset.train_labels) == 9
    assert "test.csv has no labels, so it is not used" in dataset.notes
    assert {image.tobytes() for image in dataset.test_images} <= {row.tobytes() for row in IMAGES}


@pytest.mark.parametrize(("change", "message"), [
    (lambda text: text.replace("\n1,", "\n1,300,", 1), "is no table of pixels in 0..255"),
    (lambda text: text + "1,2\n", "is no table of pixels"),
    (lambda text: text.replace("label", "x"), "has no column of labels: expected one named label")])
def test_damaged_tables(change, message, tmp_path):
    path = pixels(tmp_path / "x" / "a.csv", f"label,{NAMES}")
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        load(path)
