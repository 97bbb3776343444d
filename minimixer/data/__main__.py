"""``minimixer data list | download | verify | path``: which data sets there are, where, and whether they are whole."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from minimixer.data.dataset import DataError
from minimixer.data.known import KNOWN, Name, locate, verify
from minimixer.errors import DATA, OK, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    commands: dict[str, Any] = {"list": list_known, "download": download, "verify": verify_files, "path": path}
    return run_command("data", lambda: tyro.extras.subcommand_cli_from_dict(
        commands, prog="minimixer data", args=list(sys.argv[1:] if arguments is None else arguments),
        description="The data sets that minimixer knows.", config=(tyro.conf.DisallowNone,)))


def list_known(data_dir: Path | None = None) -> int:
    """Tell what is known: where it was found, its size, source and licence.

    Parameters
    ----------
    data_dir : Path
        Look into this folder only.
    """
    for name, known in KNOWN.items():
        size = f", {known.archive.size / 1e6:.0f} MB to download" if known.archive else ""
        try:
            where = str(locate(name, data_dir))
        except DataError:
            where = f"not found; minimixer data download {name}"
        print(f"{name}\n  {known.content}, {known.images:,} images{size}")
        print(f"  found    {where}\n  source   {known.source}\n  license  {known.license}")
    return OK


def download(name: tyro.conf.Positional[Name], data_dir: Path | None = None) -> int:
    """Fetch a data set, or go on where that was cut off, and check its hash.

    Parameters
    ----------
    name : Name
        Data set.
    data_dir : Path
        Where to put it; by default $MINIMIXER_CACHE or this system's cache folder.
    """
    print(f"{name} is at {locate(name, data_dir, download=True)}")
    return OK


def verify_files(name: tyro.conf.Positional[Name | None] = None, data_dir: Path | None = None) -> int:
    """Read every record, compare the hash, and tell what was found.

    Parameters
    ----------
    name : Name
        Data set; by default every one that is found.
    data_dir : Path
        Where it is: a folder or the .tar.gz; by default $MINIMIXER_DATA, ./data, the cache.
    """
    code = OK
    for each in KNOWN if name is None else (name,):
        if name is None:
            try:
                locate(each, data_dir)
            except DataError:
                print(f"{each}: not found")
                continue
        try:
            print(verify(each, data_dir))
        except DataError as error:
            print(f"minimixer data: {each}: {error}", file=sys.stderr)
            code = DATA
    return code


def path(name: tyro.conf.Positional[Name], data_dir: Path | None = None) -> int:
    """Print where a data set is, for use in scripts.

    Parameters
    ----------
    name : Name
        Data set.
    data_dir : Path
        Look into this folder only.
    """
    print(locate(name, data_dir))
    return OK


if __name__ == "__main__":
    sys.exit(main())
