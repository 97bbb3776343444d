"""A page in a browser, used as a person would: pointer, keys, files."""

import time
from itertools import pairwise

from tests.support.site import describe

# Ten digits, strokes of points in a square of 100 x 100.
DIGITS = {
    0: "50,16 34,24 28,50 34,76 50,84 66,76 72,50 66,24 50,16",
    1: "40,30 52,16 52,84",
    2: "28,32 36,20 50,16 64,22 68,34 60,50 44,68 30,82 74,82",
    3: "30,24 44,16 60,20 66,32 58,46 46,50 60,54 70,66 62,80 46,84 28,76",
    4: "56,16 28,60 76,60 | 60,40 60,86",
    5: "70,18 36,18 34,46 48,42 64,48 70,62 62,76 48,82 32,76",
    6: "62,16 44,26 32,46 28,64 36,80 50,84 66,80 72,66 64,52 50,48 36,54 30,64",
    7: "28,20 74,20 46,84",
    8: "50,48 36,42 32,32 38,20 50,16 62,20 68,32 62,42 50,48 34,54 28,66 36,80 50,84 64,80 72,66 66,54 50,48",
    9: "68,34 62,20 50,16 36,22 32,36 38,48 52,52 64,46 68,34 66,60 64,84"}


def strokes_of(digit):
    """Lists of points (x, y) in 0..1."""
    return [[tuple(float(n) / 100 for n in point.split(",")) for point in stroke.split()]
            for stroke in DIGITS[digit].split(" | ")]


class Window:
    """A page that ``browser`` has opened."""

    def __init__(self, browser):
        self.browser = browser
        self.value = browser.value

    def open(self, path, width=1280):
        """Load a page, which must have no fault."""
        assert self.browser.open(path.resolve().as_uri(), width) == []
        self.wait("globalThis.playground?.answers > 0")

    def wait(self, condition, seconds=20):
        """Until a condition holds in the page."""
        end = time.monotonic() + seconds
        while not self.value(f"Boolean({condition})"):
            assert time.monotonic() < end, f"{condition} has not come true"
            time.sleep(0.02)

    def faults(self):
        """What the page has complained of or asked for since it was opened."""
        self.value("0")
        return [fault for event in self.browser.events if (fault := describe(event, ""))]

    def text(self, selector):
        return self.value(f"document.querySelector({selector!r}).textContent")

    def click(self, selector):
        """Press a button, and wait for the next frame."""
        self.value(f"document.querySelector({selector!r}).click()")
        self.frame()

    def frame(self):
        self.browser.ask("Runtime.evaluate", awaitPromise=True, expression=(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"))

    def box(self, selector):
        """left, top, width, height in the window."""
        return self.value(f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
                          f" return [b.left, b.top, b.width, b.height] }})(document.querySelector({selector!r}))")

    def mouse(self, kind, x, y, **more):
        self.browser.ask("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def draw(self, digit, steps=4):
        """Draw on the paper, a point every few pixels; returns how long an answer took: milliseconds of the processor.

        Other programs do not count, so it is what a person waits for on a machine that does nothing else.
        """
        left, top, width, height = self.box("#pad")
        first, start = self.value("playground.answers"), self.busy()
        for stroke in strokes_of(digit):
            points = [(left + x * width, top + y * height) for x, y in stroke]
            self.mouse("Pressed", *points[0], button="left", buttons=1, clickCount=1)
            for (ax, ay), (bx, by) in pairwise(points):
                for t in (k / steps for k in range(1, steps + 1)):
                    before = self.value("playground.answers")
                    self.mouse("Moved", ax + (bx - ax) * t, ay + (by - ay) * t, button="left", buttons=1)
                    self.wait(f"playground.answers > {before}")
            self.mouse("Released", *points[-1], button="left", clickCount=1)
        self.frame()
        return (self.busy() - start) / (self.value("playground.answers") - first)

    def busy(self):
        """Milliseconds for which the page has used a processor."""
        self.browser.ask("Performance.enable", timeDomain="threadTicks")
        metrics = self.browser.ask("Performance.getMetrics")["metrics"]
        return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    def key(self, *keys):
        for key in keys:
            code = {" ": 32, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
                    "Tab": 9, "Enter": 13}.get(key, ord(key[0].upper()))
            said = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
            for kind in ("keyDown", "keyUp"):
                self.browser.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                                 **(said if kind == "keyDown" else {}))
        self.frame()

    def choose_file(self, path):
        """Hand a file to the page's file field."""
        root = self.browser.ask("DOM.getDocument")["root"]["nodeId"]
        field = self.browser.ask("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        before = self.value("playground.answers")
        self.browser.ask("DOM.setFileInputFiles", nodeId=field, files=[str(path)])
        self.wait(f"playground.answers > {before} || document.querySelector('#news').textContent")
