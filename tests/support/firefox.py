"""Headless Firefox, spoken to by Marionette, its own protocol: messages of JSON, each after its length and a colon."""

import itertools
import json
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

SETTINGS = """user_pref("marionette.port", {port});
user_pref("app.update.disabledForTesting", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
"""
PATIENCE = 60       # seconds


def find_firefox():
    """Its path, or None."""
    return shutil.which("firefox") or shutil.which("firefox-esr")


class Marionette:
    """A connection to a Firefox that listens on a port."""

    def __init__(self, port):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
                break
            except OSError:
                assert time.monotonic() < end, "Firefox does not listen"
                time.sleep(0.2)
        self.file = self.connection.makefile("rb")
        self.numbers = itertools.count(1)
        self.receive()                                      # its greeting
        self.ask("WebDriver:NewSession")

    def receive(self):
        """The next message."""
        length = b""
        while (letter := self.file.read(1)) != b":":
            assert letter, "Firefox ended before it answered"
            length += letter
        return json.loads(self.file.read(int(length)))

    def ask(self, command, **parameters):
        """Send a command and wait for its answer."""
        message = json.dumps([0, next(self.numbers), command, parameters]).encode()
        self.connection.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, result = self.receive()
        assert error is None, error
        return result

    def value(self, path, expression):
        """What an expression is in the page of a file."""
        self.ask("WebDriver:Navigate", url=path.resolve().as_uri())
        return self.ask("WebDriver:ExecuteScript", script=f"return {expression}", args=[], sandbox=None)["value"]

    def close(self):
        """End the connection."""
        self.file.close()
        self.connection.close()


@contextmanager
def firefox(program):
    """A Firefox with a profile of its own, which is deleted afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        Path(profile, "user.js").write_text(SETTINGS.format(port=port))
        process = subprocess.Popen([program, "--headless", "--marionette", "--no-remote", "--profile", profile],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        opened = None
        try:
            opened = Marionette(port)
            yield opened
        finally:
            if opened is not None:
                opened.close()
            process.terminate()
            process.wait()
