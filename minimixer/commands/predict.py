"""``minimixer predict [RUN] IMAGE...``: what a trained model sees in your own images."""

import glob
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from minimixer.backend import Array, choose_device
from minimixer.commands.seen import IN_FILE, IN_TERMINAL, check_file, in_file, in_terminal
from minimixer.console import OnDevice, at_least, console, parse, show, table
from minimixer.data import DataError
from minimixer.data.images import read_image
from minimixer.data.polarity import looks_inverted, trained_on
from minimixer.data.sources.class_folders import images_below
from minimixer.errors import DATA, OK, UsageError
from minimixer.files import json_text
from minimixer.nn.pretrained import FOLDER
from minimixer.text import printable
from minimixer.train.record import classes_known, how_often_right
from minimixer.train.run_folder import CONFIG
from minimixer.train.trained import PREFERRED, Trained, load_run

SHIPPED = "cifar10-micro"
EXAMPLE = FOLDER / "ship.png"
OF_A_RUN = (CONFIG, *PREFERRED)
AT_ONCE = 256       # images in memory
BAR = 24            # columns of a probability of 1
Classes = list[tuple[str, float]]       # names and probabilities, best first


@dataclass(frozen=True)
class Prediction(OnDevice):
    """Options of ``minimixer predict``."""

    files: tyro.conf.Positional[Annotated[
        tuple[Path, ...], tyro.conf.arg(metavar="[RUN] IMAGE [IMAGE ...]", help_behavior_hint="(required)")]]
    """A run folder or one of its .safetensors files (by default cifar10-micro), then images, or folders of them."""
    top: int = 5
    """Number of classes to show per image."""
    example: bool = False
    """Show what cifar10-micro says of ship.png, a drawing that comes with minimixer; name no files then."""
    seen: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png", help_behavior_hint="")] = None
    """Also draw the images as the model saw them, with its answers, into this file."""
    invert: bool = False
    """Swap dark and bright, for dark writing on light paper: the digits are bright on dark."""
    json: bool = False
    """Print one JSON object per line, one line per image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, top=self.top)


@dataclass(frozen=True)
class Answer:
    """What the model says of one file: classes and their probabilities, best first; or why it cannot be read.

    ``image`` is what the model saw, (size, size, channels); ``inverted`` are its classes for the inverted image, if
    dark and light look exchanged.
    """

    path: Path
    image: Array = None
    classes: Classes = field(default_factory=list)
    inverted: Classes = field(default_factory=list)
    error: DataError | None = None


DESCRIPTION = """What a trained model sees in your images.

The default model is cifar10-micro, which comes with minimixer.  It knows only
- airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

To fit the model, each image is
- turned upright according to its EXIF data, with transparent parts made white,
- cropped to the square in the middle,
- resized (bicubic, antialiased), and made gray if the model expects gray.

Of a folder, all images in it and below it are read.

A terminal with colors shows up to 8 images as the model saw them.

If dark and light look exchanged, the answer for the inverted image is added.

Unreadable images are reported and skipped, and the exit code is then 3."""


def main(arguments: Sequence[str]) -> int:
    """Classify the images, print the most probable classes, and return the exit code."""
    options = parse(Prediction, "predict", DESCRIPTION, arguments)
    if options.example and options.files:
        raise UsageError(f"--example shows {EXAMPLE.name}, and {options.files[0]} is named too: leave out one of them")
    if options.seen is not None:
        check_file(options.seen)
    run, images = (Path(SHIPPED), [EXAMPLE]) if options.example else run_and_images(options.files)
    trained = load_run(run, choose_device(options.device)[0])
    if not options.json:
        print(printable(f"{run if str(run) == SHIPPED else trained.path}, step {trained.metadata.get('step')}", None))
        print(f"{classes_known(trained)}\n{how_often_right(trained)}")
    code, drawn = OK, list[Answer]()
    for answer in predictions(trained, images, options):
        if answer.error is not None:
            code = DATA
            print(f"minimixer predict: {answer.error}", file=sys.stderr)
        elif options.seen is not None and len(drawn) < IN_FILE:
            drawn.append(answer)
        if options.json:
            print(json_text({"image": printable(answer.path, None), **as_json(answer)}))
        elif answer.error is None:
            report(answer, options, trained, draw=len(images) <= IN_TERMINAL)
    if options.seen is not None:
        draw_seen(drawn, len(images), options.seen)
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
        raise UsageError("no image is named: expected minimixer predict IMAGE..., or RUN IMAGE..., or --example")
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


def predictions(trained: Trained, files: Sequence[Path], options: Prediction) -> Iterator[Answer]:
    """Yield for each file its most probable classes, or the reason why it cannot be read."""
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
        wrong = [path for path, image in images.items() if looks_inverted(image[None], trained.mean)[0]]
        best = most_probable(trained, images, options)
        inverted = most_probable(trained, {path: 255 - images[path] for path in wrong}, options)
        for path in paths:
            if path in failures:
                yield Answer(path, error=failures[path])
            else:
                yield Answer(path, images[path], best[path], inverted.get(path, []))


def most_probable(trained: Trained, images: Mapping[Path, Array], options: Prediction) -> dict[Path, Classes]:
    """For each image, (size, size, channels), its most probable classes, best first."""
    if not images:
        return {}
    probabilities = trained.predict(np.stack(list(images.values())), options.workers)             # (B, K)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :options.top]                    # (B, top)
    return {path: [(trained.class_names[i], float(p[i])) for i in best]
            for path, p, best in zip(images, probabilities, order, strict=True)}


def as_json(answer: Answer) -> dict[str, Any]:
    """What ``--json`` prints for one image."""
    if answer.error is not None:
        return {"error": str(answer.error)}

    found = {"predictions": answer.classes, "predictions_if_inverted": answer.inverted}
    return {what: [{"class": name, "probability": p} for name, p in classes]
            for what, classes in found.items() if classes}


def report(answer: Answer, options: Prediction, trained: Trained, draw: bool) -> None:
    """Print the classes of one image, with bars, below what the model saw, if the terminal can show that."""
    out = console()
    block = "█" if out.encoding.startswith("utf") else "#"
    rows = table("", ">", "", show_header=False)
    for name, p in answer.classes:
        rows.add_row(f"  {name}", f"{p:.1%}", block * round(BAR * p))
    print(f"\n{printable(answer.path, None)}")
    if draw and (image := in_terminal(answer.image, out)) is not None:
        out.print(image)
    show(rows)
    if answer.inverted:
        name, p = answer.inverted[0]
        known = trained_on(trained.mean)
        found = "dark on light" if known == "light on dark" else "light on dark"
        print(f"  It is {found}, the training images were {known}: {'without' if options.invert else 'with'} --invert "
              f"the answer is {printable(name)} ({p:.1%})")


def draw_seen(answers: Sequence[Answer], asked: int, path: Path) -> None:
    """Draw the images into a file, and say so."""
    if not answers:
        print(f"minimixer predict: {printable(path, None)} is not written: no image could be read", file=sys.stderr)
        return
    images = [answer.image for answer in answers]
    captions = [f"{answer.path.name}: {answer.classes[0][0]} ({answer.classes[0][1]:.0%})" for answer in answers]
    in_file(images, captions, path, f"As the model saw them: {images[0].shape[1]} x {images[0].shape[0]} pixels")
    first = f"the first {len(answers):,} of " if len(answers) == IN_FILE < asked else ""
    print(f"{printable(path, None)} shows {first}what the model saw", file=sys.stderr)
