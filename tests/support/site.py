"""Open every page of the built documentation in headless Chromium: ``python -m tests.support.site docs/_build``.

No page may refer to a script, style, font or picture elsewhere, ask for anything outside of the folder, report an error
to the console, show a broken picture or one without words, or be wider than the window.
"""

import argparse
import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

WIDTHS = (1280, 390)        # a laptop, a phone
REMOTE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
SAYS = re.compile(r"(?!\S+\.(png|gif|svg|jpe?g)$)\s*\S")           # words, not the name of a file
BROKEN = "[...document.images].filter(i => i.getClientRects().length && !i.naturalWidth).map(i => i.src)"
WIDEST = """[...document.querySelectorAll('article *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth)
    .slice(0, 1).map(e => e.tagName + '.' + e.className).join()"""


class Resources(HTMLParser):
    """Collects what a page makes the browser load from another place; ordinary links are not loaded."""

    def __init__(self):
        super().__init__()
        self.outside, self.wordless = [], []
        self.in_style = False

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        self.in_style = tag == "style"
        places = [attributes.get(name, "") for name in ("src", "srcset", "poster", "data")]
        places.append(attributes.get("href", "") if tag in ("link", "image", "use") else "")
        self.outside += [f"<{tag}> {place}" for place in places if REMOTE.match(place)]
        self.outside += outside_of_styles(attributes.get("style", ""))
        if tag == "img" and not SAYS.match(attributes.get("alt", "")):
            self.wordless.append(attributes.get("src", "")[:80])

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.in_style:
            self.outside += outside_of_styles(data)

    def handle_endtag(self, tag):
        self.in_style = False


def outside_of_styles(css):
    """What a style sheet loads from another place."""
    places = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", css)
    return [f"style {place}" for place in places if REMOTE.match(place)]


def wordless_pictures(path):
    """The pictures of a page whose ``alt`` is missing, or is a file name, as Sphinx writes it where there is none."""
    page = Resources()
    page.feed(path.read_text(errors="replace"))
    return [f"no words for the picture {place}" for place in page.wordless]


def outside_resources(path):
    """What a file of the site loads from another place."""
    text = path.read_text(errors="replace")
    if path.suffix == ".css":
        return outside_of_styles(text)
    page = Resources()
    page.feed(text)
    return page.outside


class Browser:
    """Chromium, spoken to over two pipes (DevTools protocol, messages end with a zero byte)."""

    def __init__(self, chromium, profile, *flags):
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
                   "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
                   f"--user-data-dir={profile}", *flags, "about:blank"]
        # Chromium reads from descriptor 3 and writes to 4.
        redirect = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(["bash", "-c", redirect, "bash", *command], pass_fds=(to_browser, from_browser),
                                        stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.numbers = itertools.count(1)
        self.rest = b""
        self.events = []
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **params):
        """Send a command and wait for its answer."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"Chromium refused {method}: {answer['error']['message']}")
        return answer["result"]

    def receive(self):
        """The next message."""
        while b"\0" not in self.rest:
            part = os.read(self.read_end, 1 << 16)
            if not part:
                raise RuntimeError("Chromium ended before it answered")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def value(self, expression):
        """What an expression is in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, url, width):
        """Load a page and return what is wrong with it."""
        self.events.clear()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())
        self.ask("Runtime.evaluate", expression="new Promise(done => setTimeout(done, 50))", awaitPromise=True)
        faults = [fault for event in self.events if (fault := describe(event, url))]
        if broken := self.value(BROKEN):
            faults.append(f"broken pictures: {broken}")
        if (inside := self.value("document.documentElement.scrollWidth")) > width:
            faults.append(f"is {inside} pixels wide: {self.value(WIDEST)}")
        return faults

    def screenshot(self, path):
        """The whole page."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        png = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=size | {"scale": 1})["data"]
        path.write_bytes(base64.b64decode(png))

    def close(self):
        """End Chromium."""
        os.close(self.write_end)
        self.process.terminate()
        self.process.wait()
        os.close(self.read_end)


def describe(event, page):
    """The fault that an event tells of, or None."""
    method, params = event.get("method"), event.get("params", {})
    if method == "Network.requestWillBeSent":
        url = params["request"]["url"]
        return None if url.startswith(("file:", "data:", "blob:", "about:")) else f"asks for {url}"
    if method == "Runtime.exceptionThrown":
        return f"exception: {params['exceptionDetails']['text']}"
    if method == "Log.entryAdded" and params["entry"]["level"] == "error":
        return f"console: {params['entry']['text']} {params['entry'].get('url', '')}"
    if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
        return f"console: {[argument.get('value') for argument in params['args']]}"
    return None


def find_chromium():
    """Its path, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def browser(chromium, *flags) -> Iterator[Browser]:
    """A Chromium with a profile of its own, which is deleted afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        opened = Browser(chromium, profile, *flags)
        try:
            yield opened
        finally:
            opened.close()


def main():
    """Check a built site and return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.site", description=__doc__.split("\n\n")[0])
    parser.add_argument("site", type=Path, nargs="?", default=Path("docs/_build"), help="the folder (docs/_build)")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="keep a picture of every page")
    options = parser.parse_args()
    site = options.site.resolve()
    pages = sorted(site.rglob("*.html"))
    if not pages:
        print(f"tests.support.site: there are no pages in {options.site}: run sphinx-build -W docs docs/_build first",
              file=sys.stderr)
        return 2
    files = [*pages, *site.rglob("*.css"), *site.rglob("*.svg")]
    faults = [f"{path.relative_to(site)}: {what}" for path in files for what in outside_resources(path)]
    faults += [f"{page.relative_to(site)}: {what}" for page in pages for what in wordless_pictures(page)]
    chromium = find_chromium()
    if chromium is None:
        print("skipped: pages were not opened, because Chromium is not installed (apt-get install chromium)")
    else:
        with browser(chromium) as window:
            for page, width in itertools.product(pages, WIDTHS):
                name = page.relative_to(site)
                faults += [f"{name} at {width} pixels: {what}" for what in window.open(page.as_uri(), width)]
                if options.screenshots:
                    options.screenshots.mkdir(parents=True, exist_ok=True)
                    window.screenshot(options.screenshots / f"{'-'.join(name.with_suffix('').parts)}-{width}.png")
    print("\n".join([*faults, f"{len(pages)} pages, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
