"""``minimixer data list|download|verify|path``: the known data sets, where they are, and whether they are whole."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import tyro

from minimixer.console import run_subcommand
from minimixer.data.dataset import DataError
from minimixer.data.known import KNOWN, Name, locate, verify
from minimixer.errors import DATA, OK
from minimixer.options import INCLUDED, check
from minimixer.text import printable

RULES = (INCLUDED._replace(why="on digits (they come with minimixer)", instead="name another data set"),)


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand, and return the exit code."""
    return run_subcommand("data", "The data sets that minimixer knows.", arguments,
                          list=list_known, download=download, verify=verify_files, path=path)


def list_known(data_dir: Path | None = None) -> int:
    """List the known data sets: where each was found, its size, source and license.

    Parameters
    ----------
    data_dir : Path
        Search this folder only.
    """
    for name, known in KNOWN.items():
        size = f", {known.archive.size / 1e6:.0f} MB to download" if known.archive else ""
        try:
            where = printable(locate(name, data_dir), None)
        except DataError:
            where = f"not found; minimixer data download {name}"
        print(f"{name}\n  {known.content}, {known.images:,} images{size}")
        print(f"  found    {where}\n  source   {known.source}\n  license  {known.license}")
    return OK


def download(name: tyro.conf.Positional[Name], data_dir: Path | None = None) -> int:
    """Download a data set, or resume a download, and check its hash.

    Parameters
    ----------
    name : Name
        Data set.
    data_dir : Path
        Where to put it; by default $MINIMIXER_CACHE or this system's cache folder.
    """
    _check(name, data_dir)
    print(printable(f"{name} is at {locate(name, data_dir, download=True)}", None))
    return OK


def verify_files(name: tyro.conf.Positional[Name | None] = None, data_dir: Path | None = None) -> int:
    """Read every record, check the hash, and report the result.

    Parameters
    ----------
    name : Name
        Data set; by default all that are found.
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


def path(name: tyro.conf.Positional[Name], data_dir: Path | None = None) -> int:
    """Print the path of a data set, for scripts.

    Parameters
    ----------
    name : Name
        Data set.
    data_dir : Path
        Search this folder only.
    """
    _check(name, data_dir)
    found = locate(name, data_dir)
    print(printable(found, None) if sys.stdout.isatty() else found)      # a script needs the very name
    return OK


def _check(name: Name | None, data_dir: Path | None) -> None:
    """Raise UsageError if a folder is given for data that come with minimixer."""
    check(SimpleNamespace(data=name, data_dir=data_dir), ["data_dir"], RULES)
