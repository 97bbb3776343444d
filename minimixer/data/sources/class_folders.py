"""Finds the images of a folder with one subfolder per class, and what else lies there."""

import os
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from minimixer.data.arrays import listed
from minimixer.data.dataset import DataError
from minimixer.data.file_kinds import FIRST, HEIC, IMAGE, RAW, kind_of
from minimixer.data.notes import Notes, several
from minimixer.data.sources.label_table import FOLDERS, classes_of, table_in
from minimixer.errors import explain, nearest
from minimixer.text import printable

# Names of the parts, in any case.
PARTS = {"train": ("train", "training"), "test": ("test", "testing"), "validation": ("val", "valid", "validation")}
# What systems leave in folders; passed over in silence, as is every name that begins with a dot.
NOISE = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found", "$recycle.bin", "icon\r",
         "system volume information"}
SUFFIXES = frozenset((
    ".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe",
    ".jpeg", ".jpf", ".jpg", ".jpx", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".rgb", ".rgba", ".sgi", ".tif",
    ".tiff", ".webp"))
PHOTOS = frozenset((".heic", ".heif", ".hif", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"))
DEEPEST = 64            # folders inside folders


@dataclass
class Tree:
    """The images below some folders, and what was found beside them."""

    images: list[Path] = field(default_factory=list)
    others: list[str] = field(default_factory=list)         # what is not used, and perhaps why
    nested: int = 0                                         # images that lie deeper than their class folder


@dataclass
class Found:
    """The images of a folder: part -> class -> files, in order."""

    root: Path
    parts: dict[str, dict[str, list[Path]]]


def find_images(root: Path, notes: Notes) -> Found:
    """The images below a folder, by part and by class; nothing is decoded.

    Raises
    ------
    DataError
        If there are no class folders, or those of the parts do not fit.
    """
    root = _inner(root, notes)
    tree = Tree()
    folders = _folders(root, tree)
    if (labeled := _by_table(root, notes)) is not None:
        return Found(root, _checked(root, {"train": root}, {"train": labeled}, notes))
    by_part = _part_folders(root, folders, notes)
    parts = {part: _classes(folder, tree) for part, folder in (by_part or {"": root}).items()}
    if by_part:
        tree.others += [f"{folder.name}{os.sep}" for folder in folders if folder not in by_part.values()]
        tree.others += [f"{file.name}" for file in _files(root)]
    else:
        parts = {"train": parts[""]}
    _say(root, parts, tree, notes)
    return Found(root, _checked(root, by_part, parts, notes))


def _by_table(root: Path, notes: Notes) -> dict[str, list[Path]] | None:
    """The classes that a table gives to the images of one folder; None if there is no such table."""
    table = table_in(_files(root))
    for folder in (root / name for name in FOLDERS) if table is not None else ():
        if table is not None and folder.is_dir() and (images := [file for file in _files(folder) if is_image(file)]):
            classes = classes_of(table, images, notes)
            return dict(sorted(classes.items(), key=_numbers_first)) if classes else None
    return None


def _visible(folder: Path, tree: Tree | None = None) -> list[Path]:
    """What a folder holds, in order, without the noise of systems."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        if tree is None:
            raise DataError(f"{printable(folder, None)} cannot be read: {explain(error)}") from error
        tree.others.append(f"{folder.name} (cannot be opened)")
        return []
    return [folder / name for name in names if not name.startswith(".") and name.casefold() not in NOISE]


def _folders(folder: Path, tree: Tree | None = None) -> list[Path]:
    return [path for path in _visible(folder, tree) if path.is_dir()]


def _files(folder: Path) -> list[Path]:
    return [path for path in _visible(folder, Tree()) if not path.is_dir()]


def _inner(root: Path, notes: Notes) -> Path:
    """The folder that holds the classes: an archive often unpacks to a folder in a folder."""
    for _ in range(3):
        inside = _folders(root)
        if len(inside) != 1 or any(map(is_image, _files(root))) or any(map(is_image, _files(inside[0]))):
            return root
        deeper = _folders(inside[0])
        if inside[0].name.casefold() in sum(PARTS.values(), ()) or not deeper:
            return root
        root = inside[0]
        notes.append(f"the class folders are those in {root.name}")
    return root


def is_image(path: Path) -> bool:
    """Whether a file is meant to be an image: by its name, or, if that says nothing, by its first bytes."""
    suffix = path.suffix.casefold()
    if suffix in SUFFIXES:
        return True
    if suffix in PHOTOS:        # cameras store many beside a JPEG
        return not any(path.with_suffix(other).exists() for other in (".jpg", ".JPG", ".jpeg", ".JPEG"))
    if suffix and not suffix[1:].isdigit() and len(suffix) <= 6:
        return False
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with open(path, "rb") as file:
            first = file.read(FIRST)
    except OSError:
        return False
    return bool(IMAGE.match(first)) or kind_of(first) in (HEIC, RAW)


def images_below(folder: Path) -> tuple[list[Path], list[str]]:
    """The images in a folder and below it, in order, and the names of what else lies there."""
    tree = Tree()
    _walk(folder, tree, ())
    return tree.images, tree.others


def _walk(folder: Path, tree: Tree, above: tuple[tuple[int, int], ...], depth: int = 0) -> None:
    """Collect the images in a folder and below it; links are followed, but not in circles."""
    try:
        state = folder.stat()
    except OSError:
        tree.others.append(f"{folder.name} (cannot be opened)")
        return
    here = state.st_dev, state.st_ino
    if here in above or depth > DEEPEST:
        tree.others.append(f"{folder.name} (a link to a folder above it)" if here in above else
                           f"{folder.name} (more than {DEEPEST} folders deep)")
        return
    for path in _visible(folder, tree):
        if path.is_dir():
            _walk(path, tree, (*above, here), depth + 1)
        elif is_image(path):
            tree.images.append(path)
            tree.nested += depth > 0
        else:
            tree.others.append(path.name)


def _classes(folder: Path, tree: Tree) -> dict[str, list[Path]]:
    """Class -> its files, for the class folders in a folder; those without images have empty lists."""
    found: dict[str, list[Path]] = {}
    state = folder.stat()
    for path in _visible(folder, tree):
        if not path.is_dir():
            tree.others.append(path.name + (" (beside the class folders)" if is_image(path) else ""))
            continue
        below = Tree(others=tree.others)
        _walk(path, below, ((state.st_dev, state.st_ino),))
        tree.nested += below.nested
        found.setdefault(class_name(path), []).extend(below.images)
    return dict(sorted(found.items(), key=_numbers_first))


def class_name(folder: Path) -> str:
    """The name of a class: that of its folder, in composed characters (macOS takes them apart), all of them valid."""
    return unicodedata.normalize("NFC", os.fsencode(folder.name).decode("utf-8", "backslashreplace"))


def _numbers_first(item: tuple[str, object]) -> tuple[bool, int, str]:
    name = item[0]
    number = name.isascii() and name.isdigit() and len(name) < 19
    return not number, int(name) if number else 0, name


def _holds_images(folder: Path) -> bool:
    tree = Tree()
    _walk(folder, tree, ())
    return bool(tree.images)


def _part_folders(root: Path, folders: list[Path], notes: Notes) -> dict[str, Path]:
    """Name of a part -> its folder; empty if the folders are classes.  Raises DataError."""
    named: dict[str, list[Path]] = {part: [f for f in folders if f.name.casefold() in names]
                                    for part, names in PARTS.items()}
    shown = printable(root, None)
    for alike in named.values():
        if len(alike) > 1:
            raise DataError(f"{shown} holds {listed([f.name for f in alike])}, which mean the same: keep one of them")
    by_part = {part: alike[0] for part, alike in named.items() if alike}
    divided = {part: folder for part, folder in by_part.items() if any(map(_holds_images, _folders(folder)))}
    if not divided:
        if by_part and len(by_part) == len(folders) and any(map(_holds_images, folders)):
            raise DataError(f"{shown}{os.sep}{next(iter(by_part.values())).name} holds images, but no class folders: "
                            "put the images of each class into a folder named like the class")
        return {}
    if "train" not in divided:
        if len(divided) == len(folders):
            raise DataError(f"{shown} holds {listed([f.name for f in divided.values()])}, but no folder train with "
                            "class folders: name the folder that holds the training images train")
        return {}
    for part, folder in by_part.items():
        if part not in divided:
            notes.append(f"{folder.name} holds no class folders with images, so it is not used")
    if "test" not in divided and "validation" in divided:
        notes.append(f"there is no test folder, so {divided['validation'].name} is the test part")
        divided["test"] = divided.pop("validation")
    return {part: divided[part] for part in ("train", "test", "validation") if part in divided}


def _say(root: Path, parts: dict[str, dict[str, list[Path]]], tree: Tree, notes: Notes) -> None:
    for part, classes in parts.items():
        where = f" in {part}" if len(parts) > 1 else ""
        if empty := [name for name, files in classes.items() if not files]:
            notes.append(f"{listed(empty)}{where} {'holds' if len(empty) == 1 else 'hold'} no images")
            for name in empty:
                del classes[name]
    if tree.nested:
        notes.append(several(tree.nested, "image lies in a folder inside a class folder, and belongs to that class",
                             "images lie in folders inside class folders, and belong to those classes"))
    if tree.others:
        notes.append(f"not used: {listed(tree.others, 5)}")


def _checked(root: Path, by_part: dict[str, Path], parts: dict[str, dict[str, list[Path]]],
             notes: Notes) -> dict[str, dict[str, list[Path]]]:
    """Raise DataError if there are too few classes, or other parts have classes that the training part lacks."""
    shown, known = printable(root, None), list(parts["train"])
    if not known:
        files = _files(root)
        what = "images, but no class folders" if any(map(is_image, files)) else "no images in class folders"
        beside = "" if "but" in what or not files else f" (it holds {listed([file.name for file in files])})"
        raise DataError(f"{shown} holds {what}{beside}: put the images of each class into a folder named like the "
                        f"class, such as {shown}{os.sep}cats")
    if len(known) < 2:
        raise DataError(f"{shown} holds images of one class only ({printable(known[0])}): expected at least two class "
                        "folders with images")
    folded = {name.casefold(): name for name in reversed(known)}
    if alike := [name for name in known if folded[name.casefold()] != name]:
        notes.append(f"{listed([folded[alike[0].casefold()], alike[0]])} are two classes, though their names differ in "
                     "capitals only")
    for part, classes in parts.items():
        for name in classes:
            if name not in parts["train"]:
                raise DataError(f"{printable(by_part[part] / name, None)} is a class that {by_part['train'].name} does "
                                f"not have; {nearest(name, known)}")
    return parts
