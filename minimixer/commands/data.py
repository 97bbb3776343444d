"""``minimixer data list|download|verify|path|info``: known data sets, whether they are whole, and what others hold."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import numpy as np
import tyro

from minimixer.console import run_subcommand, show, table
from minimixer.data import load
from minimixer.data.dataset import DataError
from minimixer.data.known import KNOWN, Name, locate, verify
from minimixer.data.memory import readable
from minimixer.data.parts import DEFAULT_TEST_SHARE
from minimixer.data.sources import digits
from minimixer.errors import DATA, OK
from minimixer.options import INCLUDED, check
from minimixer.text import printable

Named = tyro.conf.Positional[Annotated[Name, tyro.conf.arg(metavar="NAME")]]
NamedOrNone = tyro.conf.Positional[Annotated[Name | None, tyro.conf.arg(metavar="NAME")]]
RULES = (INCLUDED._replace(why="on digits (they come with minimixer)", instead="name another data set"),)


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand, and return the exit code."""
    return run_subcommand("data", "The data sets that minimixer knows, and your own.", arguments,
                          list=list_known, download=download, verify=verify_files, path=path, info=info)


def list_known(data_dir: Path | None = None) -> int:
    """List the known data sets: where each was found, its size, source and license.

    Parameters
    ----------
    data_dir : Path
        Search this folder only.
    """
    for name, known in KNOWN.items():
        size = f", {known.size / 1e6:.0f} MB to download" if known.size else ""
        try:
            where = printable(locate(name, data_dir), None)
        except DataError:
            where = f"not found; minimixer data download {name}"
        print(f"{name}\n  {known.content}, {known.images:,} images{size}")
        print(f"  found    {where}\n  source   {known.source}\n  license  {known.license}")
    return OK


def download(name: Named, data_dir: Path | None = None) -> int:
    """Download a data set, or resume a download, and check its hash.

    Parameters
    ----------
    name : Name
        Data set, as minimixer data list names it.
    data_dir : Path
        Where to put it; by default $MINIMIXER_CACHE or this system's cache folder.
    """
    _check(name, data_dir)
    print(printable(f"{name} is at {locate(name, data_dir, download=True)}", None))
    return OK


def verify_files(name: NamedOrNone = None, data_dir: Path | None = None) -> int:
    """Read every record, check the hash, and report the result.

    Parameters
    ----------
    name : Name
        Data set, as minimixer data list names it; by default all that are found.
    data_dir : Path
        Folder that holds its files, or the .tar.gz; by default $MINIMIXER_DATA, ./data, the cache.
    """
    _check(name, data_dir)
    code = OK
    for each in KNOWN if name is None else (name,):
        if name is None:
            try:
                locate(each, data_dir)
            except DataError:
                print(f"{each}: not found")
                continue
        try:
            print(printable(verify(each, data_dir), None))
        except DataError as error:
            print(f"minimixer data: {each}: {error}", file=sys.stderr)
            code = DATA
    return code


def path(name: Named, data_dir: Path | None = None) -> int:
    """Print the path of a data set, for scripts.

    Parameters
    ----------
    name : Name
        Data set, as minimixer data list names it.
    data_dir : Path
        Search this folder only.
    """
    _check(name, data_dir)
    found = locate(name, data_dir)
    print(printable(found, None) if sys.stdout.isatty() else found)      # a script needs the very name
    return OK


def info(data: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="DATA")]],
         data_dir: Path | None = None, image_size: int | None = None,
         classes: str | None = None, validation: float = 0.0, test_share: float = DEFAULT_TEST_SHARE,
         seed: int = 0) -> int:
    """Read a data set as training would, and say what it holds.

    Parameters
    ----------
    data : str
        A known name, or the path of a folder of images, an .npz file, IDX files, or CIFAR's files.
    data_dir : Path
        Where to look for a known data set.
    image_size : int
        Side in pixels at which photographs are read; by default 64.
    classes : str
        Use these classes only: cats,dogs.
    validation : float
        Share of the training images to choose models by.
    test_share : float
        Share of the images that become the test part, if there is none.
    seed : int
        Of these two shares.
    """
    dataset = load(data, data_dir=data_dir, image_size=image_size, classes=classes, validation=validation,
                   test_share=test_share, seed=seed)
    _, side, _, channels = dataset.train_images.shape
    size = sum(array.nbytes for array in dataset.arrays.values())
    print(printable(f"{dataset.name}: {side} x {side} pixels, {'gray' if channels == 1 else f'{channels} channels'}, "
                    f"{dataset.num_classes} classes, {readable(size)}, at {dataset.source or digits.FILE}", None))
    parts = {part: labels for part in ("train", "validation", "test")
             if (labels := getattr(dataset, f"{part}_labels")) is not None}
    rows = table("class", *(f">{part}" for part in parts))
    counts = [np.bincount(labels, minlength=dataset.num_classes) for labels in parts.values()]      # (classes,)
    for number, name in enumerate(dataset.class_names):
        rows.add_row(name, *(f"{count[number]:,}" for count in counts))
    rows.add_row("all", *(f"{len(labels):,}" for labels in parts.values()))
    show(rows)
    return OK


def _check(name: Name | None, data_dir: Path | None) -> None:
    """Raise UsageError if a folder is given for data that come with minimixer."""
    check(SimpleNamespace(data=name, data_dir=data_dir), ["data_dir"], RULES)
