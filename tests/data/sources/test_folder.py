"""Folders of images as people have them."""

import os
import shutil
import unicodedata
import warnings

import numpy as np
import pytest
from PIL import Image

from minimixer.data import DataError, from_folder, images, load
from minimixer.data.images import read_image
from minimixer.data.sources import folder as folder_module
from minimixer.errors import UsageError
from tests.support.image_folders import class_folders, photo


@pytest.fixture
def photos(tmp_path):
    return class_folders(tmp_path / "photos", {"cats": 10, "dogs": 5, "owls": 5})


def said(capsys, root="photos"):
    return [line.removeprefix(f"minimixer: {root}: ") for line in capsys.readouterr().err.splitlines()]


def counts(dataset):
    return {part: np.bincount(getattr(dataset, f"{part}_labels"), minlength=dataset.num_classes).tolist()
            for part in ("train", "validation", "test") if getattr(dataset, f"{part}_labels") is not None}


def test_a_folder_of_class_folders(photos, capsys):
    dataset = from_folder(photos, image_size=16)
    assert dataset.class_names == ("cats", "dogs", "owls")
    assert counts(dataset) == {"train": [8, 4, 4], "test": [2, 1, 1]}
    assert dataset.train_images.shape == (16, 16, 16, 3)
    assert (dataset.name, dataset.source) == ("photos", photos)
    every = {image.tobytes() for part in (dataset.train_images, dataset.test_images) for image in part}
    assert every == {read_image(path, 16, 3).tobytes() for path in photos.rglob("*.png")}
    owls = {read_image(path, 16, 3).tobytes() for path in (photos / "owls").iterdir()}
    assert {image.tobytes() for image in dataset.train_images[-4:]} < owls
    lines = said(capsys)
    assert lines[0] == "the test part is 4 of 20 images, 20% of each class, drawn by seed 0"
    assert lines[1].startswith("20 images of 16 x 16 pixels need 15 kB of memory, ")
    assert lines[1].endswith(" are available")
    assert dataset.notes == tuple(lines)
    assert dataset.digest() == load(str(photos), image_size=16).digest()


def test_a_validation_part_is_cut_off_as_well(photos):
    dataset = from_folder(photos, image_size=8, validation=0.25, test_share=0.4, seed=3, quiet=True)
    assert counts(dataset) == {"train": [4, 2, 2], "validation": [2, 1, 1], "test": [4, 2, 2]}
    assert dataset.selection[0] == "validation"
    assert dataset.digest() != from_folder(photos, image_size=8, validation=0.25, test_share=0.4, quiet=True).digest()


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Train", "TEST"), ("training", "testing"),
                                             ("train", "val"), ("train", "valid"), ("train", "validation")])
def test_train_and_test_folders(train, test, tmp_path, capsys):
    class_folders(tmp_path / "photos" / train, {"cats": 4, "dogs": 2})
    class_folders(tmp_path / "photos" / test, {"cats": 1, "dogs": 3}, first=50_000)
    dataset = load(tmp_path / "photos", image_size=8)
    assert counts(dataset) == {"train": [4, 2], "test": [1, 3]}
    assert (f"there is no test folder, so {test} is the test part" in said(capsys)) == test.startswith("val")
    with pytest.raises(UsageError, match="test_share has no effect on photos"):
        load(tmp_path / "photos", test_share=0.3)


def test_three_folders_are_three_parts(tmp_path):
    for first, (part, count) in enumerate((("train", 4), ("val", 2), ("test", 3))):
        class_folders(tmp_path / "photos" / part, {"cats": count, "dogs": count}, first=first * 10_000)
    dataset = load(tmp_path / "photos", image_size=8, quiet=True)
    assert counts(dataset) == {"train": [4, 4], "validation": [2, 2], "test": [3, 3]}
    with pytest.raises(UsageError, match="validation has no effect on photos"):
        load(tmp_path / "photos", validation=0.1)


def test_a_training_folder_alone_is_divided(tmp_path, capsys):
    class_folders(tmp_path / "photos" / "train", {"cats": 5, "dogs": 5})
    assert counts(load(tmp_path / "photos", image_size=8)) == {"train": [4, 4], "test": [1, 1]}
    photo(tmp_path / "photos" / "test" / "1.png")           # as Kaggle gives them: without classes
    assert counts(load(tmp_path / "photos", image_size=8)) == {"train": [4, 4], "test": [1, 1]}
    lines = said(capsys)
    assert "test holds no class folders with images, so it is not used" in lines
    assert "not used: test/" in [line.replace(os.sep, "/") for line in lines]


def test_train_may_be_a_class(tmp_path):
    class_folders(tmp_path / "photos", {"bus": 4, "train": 4})
    assert load(tmp_path / "photos", image_size=8, quiet=True).class_names == ("bus", "train")


def test_a_folder_in_a_folder_is_found(photos, tmp_path, capsys):
    shutil.move(photos, tmp_path / "unzipped" / "photos")
    assert load(tmp_path / "unzipped", image_size=8).class_names == ("cats", "dogs", "owls")
    assert "the class folders are those in photos" in said(capsys, "unzipped")


def test_classes_are_numbered_in_their_order(photos, tmp_path, capsys):
    dataset = load(photos, image_size=8, classes="owls,cats")
    assert (dataset.class_names, counts(dataset)["train"]) == (("owls", "cats"), [4, 8])
    assert "2 of 3 classes were chosen" in said(capsys)
    whole = load(photos, image_size=8, quiet=True)
    assert {i.tobytes() for i in dataset.test_images} <= {i.tobytes() for i in whole.test_images}     # the same cut
    with pytest.raises(UsageError, match=r"photos has no class 'owl'; did you mean 'owls'"):
        load(photos, classes="owl,cats")
    numbers = class_folders(tmp_path / "numbers", {"10": 2, "9": 2, "1": 2, "x": 2})
    assert load(numbers, image_size=8, quiet=True).class_names == ("1", "9", "10", "x")


def test_every_kind_of_image(tmp_path):
    """Modes, formats, orientation, animation: as ``read_image`` reads each, and mixed in one folder."""
    root = class_folders(tmp_path / "photos", {"plain": 4})
    odd = root / "odd"
    for mode, name in (("L", "gray.png"), ("LA", "alpha.png"), ("RGBA", "rgba.webp"), ("P", "palette.gif"),
                       ("1", "bits.png"),
                       ("CMYK", "print.jpg"), ("RGB", "photo.JPG"), ("RGB", "scan.tif"), ("RGB", "noname")):
        photo(odd / name, mode=mode, **({"format": "PNG"} if name == "noname" else {}))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(odd / "turned [1] ünï.jpg", exif=exif)
    frames = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
    frames[0].save(odd / "moving.gif", save_all=True, append_images=frames[1:])
    dataset = load(root, image_size=8, test_share=0.01, quiet=True)
    got = sorted(image.tobytes() for part in (dataset.train_images, dataset.test_images) for image in part)
    assert got == sorted(read_image(path, 8, 3).tobytes() for path in root.rglob("*") if path.is_file())
    assert len(got) == 4 + 11


def test_gray_images_have_one_channel(tmp_path):
    for name in ("a", "b"):
        for k in range(3):
            photo(tmp_path / "scans" / name / f"{k}.png", (28, 28), "L", seed=ord(name) + 5 * k)
    dataset = load(tmp_path / "scans", quiet=True)
    assert dataset.train_images.shape == (4, 28, 28, 1)         # their own size
    scans = [np.asarray(Image.open(path)) for path in (tmp_path / "scans").rglob("*.png")]
    assert all(any(np.array_equal(image[..., 0], scan) for scan in scans) for image in dataset.train_images)
    photo(tmp_path / "scans" / "b" / "colored.png", (28, 28))
    assert load(tmp_path / "scans", quiet=True).train_images.shape == (5, 28, 28, 3)
    photo(tmp_path / "scans" / "b" / "larger.png", (30, 28))
    assert load(tmp_path / "scans", quiet=True).train_images.shape == (6, 64, 64, 3)


@pytest.mark.parametrize("noise", [".DS_Store", "Thumbs.db", "desktop.ini", "._000.png", ".ipynb_checkpoints/000.png",
                                   "__MACOSX/cats/._000.png", "@eaDir/000.png"])
def test_what_systems_leave_is_passed_over_in_silence(noise, photos, capsys):
    for place in (photos / noise, photos / "cats" / noise):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"noise")
    assert counts(load(photos, image_size=8)) == {"train": [8, 4, 4], "test": [2, 1, 1]}
    assert len(said(capsys)) == 2


def test_all_that_is_not_used_is_named(photos, capsys):
    (photos / "labels.csv").write_text("cats")
    photo(photos / "beside.png")
    (photos / "cats" / "notes.txt").write_text("a note")
    (photos / "empty").mkdir()
    (photos / "texts").mkdir()
    (photos / "texts" / "a.md").write_text("a")
    dataset = load(photos, image_size=8)
    assert dataset.class_names == ("cats", "dogs", "owls")
    lines = said(capsys)
    assert lines[0] == "empty, texts hold no images"
    assert lines[1] == "not used: beside.png (beside the class folders), notes.txt, labels.csv, a.md"


def test_unreadable_images_are_named_and_left_out(photos, capsys):
    (photos / "cats" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    (photos / "dogs" / "empty.png").write_bytes(b"")
    dataset = load(photos, image_size=8)
    assert sum(map(len, (dataset.train_images, dataset.test_images))) == 20
    text = "\n".join(said(capsys))
    assert "2 of 22 images cannot be read and are left out:" in text
    assert "IMG_1.HEIC is a HEIC photo: export it as JPEG" in text
    assert "empty.png is not an image that Pillow can read, it is empty" in text
    (photos / "cats" / "page.jpg").write_text("<html>")
    with pytest.raises(DataError, match=r"photos: 3 of 23 images cannot be read, more than 10%:\n.*HEIC(.|\n)*page\.jpg"
                                        r" is a web page(.|\n)*Replace or remove them") as caught:
        load(photos, image_size=8)
    assert caught.value.exit_code == 3
    assert len(load(photos, image_size=8, classes="dogs,owls", quiet=True).notes) == 4
    assert len(from_folder(photos, image_size=8, most_unreadable=0.5, quiet=True).train_images) == 16


def test_heic_beside_jpeg_is_not_missed(photos, capsys):
    (photos / "cats" / "000.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    photo(photos / "cats" / "000.JPG")
    load(photos, image_size=8)
    assert "not used: 000.HEIC" in said(capsys)


def test_a_class_none_of_whose_images_can_be_read(photos):
    for path in (photos / "owls").iterdir():
        path.write_bytes(b"gone")
    with pytest.raises(DataError, match="no image of owls in photos can be read"):
        from_folder(photos, image_size=8, most_unreadable=0.9)


def test_nested_folders_and_links(photos, tmp_path, capsys):
    photo(photos / "cats" / "kittens" / "small" / "a.png", seed=77)
    (photos / "cats" / "around").symlink_to(photos)
    (photos / "dogs" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    elsewhere = class_folders(tmp_path / "elsewhere", {"mice": 5}, first=50_000)
    (photos / "mice").symlink_to(elsewhere / "mice")
    dataset = load(photos, image_size=8)
    assert dataset.class_names == ("cats", "dogs", "mice", "owls")
    text = "\n".join(said(capsys))
    assert "1 image lies in a folder inside a class folder, and belongs to that class" in text
    assert "not used: around (a link to a folder above it)" in text
    assert f"there is no file {photos / 'dogs' / 'gone.png'}" in text


def test_odd_class_names(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Fähre")
    names = ["a b [1]", "$HOME", "-rf", decomposed, "猫", "new\nline"]
    root = class_folders(tmp_path / "photos", dict.fromkeys(names, 2))
    os.mkdir(os.fsencode(root) + b"/\xff\xfe")
    for k in range(2):
        shutil.copy(root / "猫" / f"00{k}.png", os.fsencode(root) + b"/\xff\xfe/%d.png" % k)
    dataset = load(root, image_size=8, quiet=True)
    assert set(dataset.class_names) == {"a b [1]", "$HOME", "-rf", "Fähre", "猫", "new\nline", "\\xff\\xfe"}
    assert all(name.encode() for name in dataset.class_names)


def test_copies_are_noticed(photos, capsys):
    shutil.copy(photos / "cats" / "000.png", photos / "dogs" / "copy.png")
    for k in range(6):
        shutil.copy(photos / "owls" / "000.png", photos / "owls" / f"copy{k}.png")
    load(photos, image_size=8)
    text = "\n".join(said(capsys))
    assert "1 image is a copy of an image of another class" in text
    assert "of an image of another part, so the accuracy will look better" in text


def alike(root):
    class_folders(root / "train", {"cats": 2, "Cats": 2})


REFUSED = {
    "nothing": (lambda root: root.mkdir(), "holds no images in class folders: put the images of each class into"),
    "bare images": (lambda root: photo(root / "a.png"), "holds images, but no class folders: put"),
    "one class": (lambda root: class_folders(root, {"cats": 3}), r"images of one class only \(cats\): expected at"),
    "bare parts": (lambda root: [photo(root / p / "a.png") for p in ("train", "test")],
                   "train holds images, but no class folders: put"),
    "no train": (lambda root: [class_folders(root / p, {"a": 1, "b": 1}) for p in ("test", "val")],
                 "holds test, val, but no folder train with class folders"),
    "two trains": (lambda root: [class_folders(root / p, {"a": 1, "b": 1}) for p in ("train", "training")],
                   "holds train, training, which mean the same: keep one"),
    "another class": (lambda root: [class_folders(root / "train", {"cats": 2, "dogs": 2}),
                                    class_folders(root / "test", {"cats": 1, "dog": 1})],
                      r"test/dog is a class that train does not have; did you mean 'dogs'"),
    "single images": (lambda root: class_folders(root, {"cats": 1, "dogs": 1}), "one training image per class"),
    "an npz": (lambda root: [root.mkdir(), np.savez(root / "x.npz", a=1)], r"it holds x\.npz"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_folders_that_cannot_be_read(what, tmp_path):
    make, message = REFUSED[what]
    make(tmp_path / "photos")
    with pytest.raises(DataError, match=message):
        load(tmp_path / "photos", image_size=8, quiet=True)


def test_names_that_differ_in_capitals_only(tmp_path, capsys):
    alike(tmp_path / "photos")
    if len(os.listdir(tmp_path / "photos" / "train")) == 2:         # not on disks that ignore capitals
        load(tmp_path / "photos", image_size=8)
        assert any("are two classes, though their names differ in capitals only" in line for line in said(capsys))


def test_not_a_folder(tmp_path):
    with pytest.raises(DataError, match=r"nowhere is not there: expected a folder of images"):
        from_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"a\.png is a file: expected a folder"):
        from_folder(photo(tmp_path / "a.png"))
    for size in (0, 5000):
        with pytest.raises(UsageError, match=f"image_size is {size}: expected 1..4,096"):
            from_folder(tmp_path, image_size=size)


def test_home_is_understood(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for read in (from_folder, load):
        assert read("~/photos", image_size=8, quiet=True).source == photos


def test_memory_is_checked_before_it_is_used(photos, monkeypatch):
    monkeypatch.setattr("minimixer.data.memory.available", lambda: 100_000)
    monkeypatch.setattr(folder_module, "decode", None)              # not even begun
    with pytest.raises(DataError, match=r"20 images of 64 x 64 pixels need 328 kB of memory, and 100 kB are available: "
                                        r"choose a smaller --image-size than 64, or fewer --classes"):
        load(photos, quiet=True)


def test_large_images_wait_for_each_other(photos, monkeypatch):
    """Eight threads with a photograph of 360 MB each would fill a laptop."""
    expected = load(photos, image_size=8, quiet=True)
    monkeypatch.setattr(images, "LARGE", 0)
    assert load(photos, image_size=8, quiet=True).digest() == expected.digest()
    assert from_folder(photos, image_size=8, quiet=True, cache=False).digest() == expected.digest()
    assert not images.ALONE.locked()


def test_warnings_of_pillow_are_hidden_and_filters_restored(photos):
    """On threads a filter of one would become one of all."""
    data = bytearray((photos / "cats" / "000.png").read_bytes())
    (photos / "cats" / "000.png").write_bytes(data + b"\0\0")
    before = list(warnings.filters)
    load(photos, image_size=8, quiet=True)
    assert warnings.filters == before
