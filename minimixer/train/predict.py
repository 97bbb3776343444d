"""``minimixer predict [RUN] IMAGE...``: what a trained model sees in pictures of your own."""

import glob
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from minimixer.backend import choose_device
from minimixer.console import at_least, console, parse, show, table
from minimixer.data import DataError
from minimixer.data.images import printable, read_image
from minimixer.errors import DATA, OK, UsageError, run_command
from minimixer.train.trained import Trained, load_run

SHIPPED = "cifar10-micro"
AT_ONCE = 256       # pictures in memory
BAR = 24            # columns of a probability of 1


@dataclass(frozen=True)
class Prediction:
    """What ``minimixer predict`` shows."""

    files: tyro.conf.Positional[Annotated[
        tuple[Path, ...], tyro.conf.arg(metavar="[RUN] IMAGE [IMAGE ...]", help_behavior_hint="(required)")]]
    """A run folder or a .safetensors file of one, if it shall not be cifar10-micro, then pictures: PNG, JPEG, ..."""
    top: int = 5
    """How many classes to show a picture."""
    invert: bool = False
    """Swap dark and bright, for dark writing on light paper: the digits are bright on dark."""
    json: bool = False
    """Print one JSON object a picture, one a line."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Auto takes the GPU if there is one."""
    workers: int | None = None
    """Threads; by default one a physical core."""

    def __post_init__(self) -> None:
        at_least(1, top=self.top, workers=self.workers)


DESCRIPTION = """What a trained model sees in pictures.

Without RUN it is cifar10-micro, which comes with minimixer and knows only
- airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

To fit the model, every picture is
- turned upright as EXIF says, and laid on white where it is transparent,
- cut to the square in its middle,
- resized (bicubic, antialiased), and made grey for a model of grey pictures.

A picture that cannot be read is told and passed over, and the exit code is 3."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict as the command line says, and return the exit code."""
    def command() -> int:
        options = parse(Prediction, "predict", DESCRIPTION, arguments)
        run, images = run_and_images(options.files)
        trained = load_run(run, choose_device(options.device)[0])
        if not options.json:
            print(f"{run if str(run) == SHIPPED else trained.path}, step {trained.metadata.get('step')}")
        code = OK
        for path, answer in predictions(trained, images, options):
            if isinstance(answer, DataError):
                code = DATA
                print(f"minimixer predict: {answer}", file=sys.stderr)
            if options.json:
                print(json.dumps({"image": printable(path), **as_json(answer)}))
            elif not isinstance(answer, DataError):
                report(path, answer)
        return code

    return run_command("predict", command)


def run_and_images(files: Sequence[Path]) -> tuple[Path, Sequence[Path]]:
    """The run, which may be left out, and the pictures that a command line names.  Raises UsageError.

    The first name is a picture's if it is a file of another kind than checkpoints, or ends as pictures do.
    """
    from PIL import Image
    files = [match for file in files for match in expanded(file)]
    first = files[0] if files else Path()
    if files and first.suffix != ".safetensors" and (
            first.is_file() or (not first.exists() and first.suffix.lower() in Image.registered_extensions())):
        return Path(SHIPPED), files
    if not files[1:] and first.suffix and not first.exists():
        raise UsageError(f"there is no file {first}: expected minimixer predict IMAGE..., or RUN IMAGE...")
    if not files[1:]:
        raise UsageError("no picture is named: expected minimixer predict IMAGE..., or RUN IMAGE...")
    return first, files[1:]


def expanded(file: Path) -> list[Path]:
    """The files that a pattern such as ``*.png`` stands for, where the shell has left it as it is (Windows)."""
    if any(letter in str(file) for letter in "*?[") and not file.exists():
        return [Path(name) for name in sorted(glob.glob(str(file)))] or [file]
    return [file]


def predictions(trained: Trained, images: Sequence[Path],
                options: Prediction) -> Iterator[tuple[Path, DataError | list[tuple[str, float]]]]:
    """Every picture with its most probable classes, the best first, or with why it cannot be read."""
    size, channels = trained.model.config.image_size, trained.model.config.in_channels
    for start in range(0, len(images), AT_ONCE):
        paths = images[start:start + AT_ONCE]
        pictures, failures = {}, {}
        for path in paths:
            try:
                picture = read_image(path, size, channels)                        # (size, size, channels)
                pictures[path] = 255 - picture if options.invert else picture
            except DataError as error:
                failures[path] = error
        answers = {}
        if pictures:
            probabilities = trained.predict(np.stack(list(pictures.values())), options.workers)     # (B, classes)
            for path, p in zip(pictures, probabilities, strict=True):
                best = np.argsort(-p, kind="stable")[:options.top]
                answers[path] = [(trained.class_names[i], float(p[i])) for i in best]
        yield from ((path, failures.get(path) or answers[path]) for path in paths)


def as_json(answer: DataError | list[tuple[str, float]]) -> dict[str, object]:
    """The answer for programs."""
    if isinstance(answer, DataError):
        return {"error": str(answer)}
    return {"predictions": [{"class": name, "probability": p} for name, p in answer]}


def report(path: Path, answer: list[tuple[str, float]]) -> None:
    """The answer for people."""
    block = "█" if console().encoding.startswith("utf") else "#"
    rows = table("", ">", "", show_header=False)
    for name, p in answer:
        rows.add_row(f"  {name}", f"{p:.1%}", block * round(BAR * p))
    print(f"\n{printable(path)}")
    show(rows)


if __name__ == "__main__":
    sys.exit(main())
