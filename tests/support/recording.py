"""Record the README's picture of the playground: ``python -m tests.support.recording RUN``, a run on the digits."""

import argparse
import base64
import io
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from minimixer.play import page
from minimixer.train import load_run
from tests.support.site import browser, find_chromium
from tests.support.window import Window, strokes_of

OUT = Path(__file__).parents[2] / "docs" / "images" / "playground.gif"
WIDTH, HEIGHT = 1040, 590           # of the window, in pixels
SHOWN = 760                         # width of the picture
COLORS = 160
FRAME, REST = 80, 2600              # milliseconds


def rounded(points):
    """Cut the corners off (Chaikin 1974)."""
    cut = [((1 - t) * ax + t * bx, (1 - t) * ay + t * by) for (ax, ay), (bx, by) in pairwise(points)
           for t in (0.25, 0.75)]
    return [points[0], *cut, points[-1]]


def record(window, path):
    """The frames, Pillow's images: a 3 is drawn, and the answer moves."""
    from PIL import Image
    frames = []

    def take():
        clip = {"x": 0, "y": 0, "width": WIDTH - 15, "height": HEIGHT, "scale": SHOWN / (WIDTH - 15)}
        png = window.browser.ask("Page.captureScreenshot", clip=clip)["data"]
        frames.append(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))

    window.open(path, WIDTH)
    take()
    left, top, width, height = window.value("(b => [b.left, b.top, b.width, b.height])"
                                            "(document.querySelector('#pad').getBoundingClientRect())")
    for stroke in strokes_of(3):
        points = [(left + x * width, top + y * height) for x, y in rounded(rounded(stroke))]
        window.mouse("Pressed", *points[0], button="left", buttons=1, clickCount=1)
        for i, (x, y) in enumerate(points[1:]):
            window.mouse("Moved", x, y, button="left", buttons=1)
            window.frame()
            if i % 2:
                take()
        window.mouse("Released", *points[-1], button="left", clickCount=1)
    window.frame()
    take()
    return frames


def main():
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.recording", description=__doc__)
    parser.add_argument("run", type=Path, help="a run on the digits")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser(find_chromium()) as opened:
        path = Path(folder) / "page.html"
        page(load_run(options.run), "Digits").save(path)
        frames = record(Window(opened), path)
    palette = frames[len(frames) // 2 - 1].quantize(COLORS)
    first, *rest = (frame.quantize(palette=palette, dither=0) for frame in frames)
    times = [700, *[FRAME] * (len(frames) - 2), REST]
    first.save(options.out, save_all=True, append_images=rest, duration=times, loop=0, optimize=True)
    print(f"{options.out}: {len(frames)} frames, {options.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
