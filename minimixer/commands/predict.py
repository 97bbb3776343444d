"""``minimixer predict [RUN] IMAGE...``: what a trained model sees in your own images."""

import glob
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from minimixer.backend import choose_device
from minimixer.console import OnDevice, at_least, console, parse, show, table
from minimixer.data import DataError
from minimixer.data.images import read_image
from minimixer.data.sources.class_folders import images_below
from minimixer.errors import DATA, OK, UsageError
from minimixer.files import json_text
from minimixer.text import printable
from minimixer.train.run_folder import CONFIG
from minimixer.train.trained import PREFERRED, Trained, load_run

SHIPPED = "cifar10-micro"
OF_A_RUN = (CONFIG, *PREFERRED)
AT_ONCE = 256       # images in memory
BAR = 24            # columns of a probability of 1


@dataclass(frozen=True)
class Prediction(OnDevice):
    """Options of ``minimixer predict``."""

    files: tyro.conf.Positional[Annotated[
        tuple[Path, ...], tyro.conf.arg(metavar="[RUN] IMAGE [IMAGE ...]", help_behavior_hint="(required)")]]
    """A run folder or one of its .safetensors files (by default cifar10-micro), then images, or folders of them."""
    top: int = 5
    """Number of classes to show per image."""
    invert: bool = False
    """Swap dark and bright, for dark writing on light paper: the digits are bright on dark."""
    json: bool = False
    """Print one JSON object per line, one line per image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, top=self.top)


DESCRIPTION = """What a trained model sees in your images.

The default model is cifar10-micro, which comes with minimixer.  It knows only
- airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

To fit the model, each image is
- turned upright according to its EXIF data, with transparent parts made white,
- cropped to the square in the middle,
- resized (bicubic, antialiased), and made gray if the model expects gray.

Of a folder, all images in it and below it are read.

Unreadable images are reported and skipped, and the exit code is then 3."""


def main(arguments: Sequence[str]) -> int:
    """Classify the images, print the most probable classes, and return the exit code."""
    options = parse(Prediction, "predict", DESCRIPTION, arguments)
    run, images = run_and_images(options.files)
    trained = load_run(run, choose_device(options.device)[0])
    if not options.json:
        print(printable(f"{run if str(run) == SHIPPED else trained.path}, step {trained.metadata.get('step')}", None))
    code = OK
    for path, answer in predictions(trained, images, options):
        if isinstance(answer, DataError):
            code = DATA
            print(f"minimixer predict: {answer}", file=sys.stderr)
        if options.json:
            print(json_text({"image": printable(path, None), **as_json(answer)}))
        elif not isinstance(answer, DataError):
            report(path, answer)
    return code


def run_and_images(files: Sequence[Path]) -> tuple[Path, Sequence[Path]]:
    """Split what the command line names into the run, which may be left out, and the images.  Raises UsageError.

    The first name is an image if it is there, but is no folder and no checkpoint, or has the extension of an image; it
    may also be a folder of images.
    """
    from PIL import Image
    files = [match for file in files for match in expanded(file)]
    first = files[0] if files else Path()
    like_an_image = ((not first.is_dir() or holds_images(first)) if first.exists() else
                     first.suffix.lower() in Image.registered_extensions())
    if files and first.suffix != ".safetensors" and like_an_image:
        return Path(SHIPPED), [image for file in files for image in inside(file)]
    if not files[1:] and first.suffix and not first.exists():
        raise UsageError(f"there is no file {first}: expected minimixer predict IMAGE..., or RUN IMAGE...")
    if not files[1:]:
        raise UsageError("no image is named: expected minimixer predict IMAGE..., or RUN IMAGE...")
    return first, [image for file in files[1:] for image in inside(file)]


def inside(path: Path) -> list[Path]:
    """The images in a folder and below it, in order; a file is itself.  Raises DataError if there are none."""
    if not path.is_dir():
        return [path]
    images, others = images_below(path)
    if not images:
        raise DataError(f"{printable(path, None)} is a folder without images: name one that holds PNG, JPEG, ... files")
    if others:
        shown = ", ".join(printable(name, 40) for name in others[:3]) + (", ..." if len(others) > 3 else "")
        count = "1 file" if len(others) == 1 else f"{len(others):,} files"
        print(f"minimixer predict: {count} in {printable(path, None)} {'is' if len(others) == 1 else 'are'} not read, "
              f"being no images: {shown}", file=sys.stderr)
    return images


def holds_images(folder: Path) -> bool:
    """Whether this is a folder of images, and not one of a run or of runs, whose reports have pictures, too."""
    of_runs = any((folder / name).exists() for name in OF_A_RUN) or any(folder.glob(f"*/{CONFIG}"))
    return not of_runs and bool(images_below(folder)[0])


def expanded(file: Path) -> list[Path]:
    """The files that match a pattern such as ``*.png``, where the shell does not expand it (Windows)."""
    if any(letter in str(file) for letter in "*?[") and not file.exists():
        return [Path(name) for name in sorted(glob.glob(str(file)))] or [file]
    return [file]


def predictions(trained: Trained, files: Sequence[Path],
                options: Prediction) -> Iterator[tuple[Path, DataError | list[tuple[str, float]]]]:
    """Yield each file with its most probable classes, best first, or with the reason why it cannot be read."""
    size, channels = trained.sizes.image_size, trained.sizes.in_channels
    for start in range(0, len(files), AT_ONCE):
        paths = files[start:start + AT_ONCE]
        images, failures = {}, {}
        for path in paths:
            try:
                image = read_image(path, size, channels)                          # (size, size, channels)
                images[path] = 255 - image if options.invert else image
            except DataError as error:
                failures[path] = error
        answers = {}
        if images:
            probabilities = trained.predict(np.stack(list(images.values())), options.workers)       # (B, K)
            for path, p in zip(images, probabilities, strict=True):
                best = np.argsort(-p, kind="stable")[:options.top]
                answers[path] = [(trained.class_names[i], float(p[i])) for i in best]
        yield from ((path, failures.get(path) or answers[path]) for path in paths)


def as_json(answer: DataError | list[tuple[str, float]]) -> dict[str, object]:
    """What ``--json`` prints for one image."""
    if isinstance(answer, DataError):
        return {"error": str(answer)}
    return {"predictions": [{"class": name, "probability": p} for name, p in answer]}


def report(path: Path, answer: list[tuple[str, float]]) -> None:
    """Print the classes of one image, with bars."""
    block = "█" if console().encoding.startswith("utf") else "#"
    rows = table("", ">", "", show_header=False)
    for name, p in answer:
        rows.add_row(f"  {name}", f"{p:.1%}", block * round(BAR * p))
    print(f"\n{printable(path, None)}")
    show(rows)
