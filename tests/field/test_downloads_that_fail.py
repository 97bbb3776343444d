"""A download that fails names its cause and what to do; what another try cannot change is not tried again."""

import errno
import importlib
import os
import shutil
import ssl
import subprocess
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest
import requests

from minimixer.data import DataError
from minimixer.data.sources.cifar import CIFAR10, find
from minimixer.data.sources.cifar import load_cifar10 as load
from tests.support.cifar_files import official, unpack

module = importlib.import_module("minimixer.data.download")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.0)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def refusing(monkeypatch):
    """Let every request end in this error, and count the requests."""
    def refuse(error):
        calls = []

        def get(*args, **kwargs):
            calls.append(args)
            raise error

        monkeypatch.setattr(requests, "get", get)
        return calls
    return refuse


def fetch(folder, url="https://example.org/x.tar.gz"):
    return module.download(url, folder / "x.tar.gz", sha256="0" * 64, size=10)


def untrusted(why):
    said = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {why} (_ssl.c:1)"
    inner = ssl.SSLCertVerificationError(1, said)
    return requests.exceptions.SSLError(f"HTTPSConnectionPool: Max retries exceeded (Caused by SSLError({inner!r}))")


@pytest.mark.parametrize("why", ["self-signed certificate in certificate chain", "certificate has expired",
                                 "Hostname mismatch, certificate is not valid for 'example.org'."])
def test_a_certificate_that_fails_is_not_tried_again_and_explained(why, refusing, tmp_path):
    calls = refusing(untrusted(why))
    with pytest.raises(DataError) as caught:
        fetch(tmp_path)
    assert len(calls) == 1
    for part in (why.split(",")[0], "REQUESTS_CA_BUNDLE", "in a browser and put it at", str(tmp_path / "x.tar.gz")):
        assert part in str(caught.value)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_server_that_nobody_vouches_for(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", "k.pem", "-out", "c.pem", "-days", "1",
                    "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        server.handle_error = lambda *args: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            url = f"https://localhost:{server.server_port}/not there"
            with pytest.raises(DataError, match=r"cannot be verified .self-signed certificate.*REQUESTS_CA_BUNDLE"):
                fetch(tmp_path, url)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "c.pem"))       # what the message says helps
            with pytest.raises(DataError, match="was refused: 404"):
                fetch(tmp_path, url)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_that_is_none_is_named(content, tmp_path, monkeypatch):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(DataError, match=r"REQUESTS_CA_BUNDLE names .*bundle\.pem, which holds no CA certificates"):
        fetch(tmp_path / "new")


@pytest.mark.parametrize(("error", "meaning"), [
    (requests.ConnectionError("Caused by NameResolutionError(...)"), "no address was found for the host"),
    (requests.exceptions.ProxyError("Unable to connect to proxy"), "the proxy did not answer: check HTTPS_PROXY"),
    (requests.ConnectionError("[Errno 111] Connection refused"), "the host refused the connection"),
    (requests.ConnectTimeout("timed out"), "the host did not answer in time"),
    (requests.exceptions.SSLError("[SSL: WRONG_VERSION_NUMBER]"), "the encrypted connection failed")])
def test_other_causes_are_tried_again_and_named(error, meaning, refusing, tmp_path):
    calls = refusing(error)
    with pytest.raises(DataError, match=f"could not be downloaded .{type(error).__name__}.*{meaning}"):
        fetch(tmp_path)
    assert len(calls) == 1 + module.RETRIES


@pytest.mark.parametrize(("number", "remedy"), [
    (errno.ENOSPC, "free disk space"), (errno.EDQUOT, "free disk space"), (errno.EROFS, "make the folder writable"),
    (errno.EACCES, "make the folder writable"), (errno.EIO, "see why")])
def test_what_cannot_be_written_gets_the_remedy_that_fits(number, remedy, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "_fetch", fail)
    with pytest.raises(DataError, match=f"cannot be written: .*{remedy}") as caught:
        fetch(tmp_path)
    assert ("disk space" in str(caught.value)) == (remedy == "free disk space")


def test_nothing_is_written_through_a_link(tmp_path, refusing):
    refusing(requests.ConnectionError())
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    (tmp_path / "x.tar.gz.part").symlink_to(thesis)
    with pytest.raises(DataError, match="is a link or no ordinary file"):
        fetch(tmp_path)
    assert thesis.read_text() == "years of work"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "y.tar.gz.part")
        with pytest.raises(DataError, match="is a link or no ordinary file"):
            module.download("https://example.org/y", tmp_path / "y.tar.gz", sha256="0" * 64, size=10)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_folder_without_file_locks_is_said_once_and_used(number, tmp_path, monkeypatch, refusing, capsys):
    fcntl = pytest.importorskip("fcntl")
    refusing(requests.ConnectionError())

    def flock(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch(tmp_path)
    assert capsys.readouterr().err.count("cannot lock files") == 1


def test_without_a_home_folder_only_the_cache_is_missing(tmp_path, monkeypatch):
    def nobody(*args):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_dir", nobody)
    for variable in ("MINIMIXER_CACHE", "MINIMIXER_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    folder = unpack(tmp_path / "c", official(CIFAR10))
    assert len(load(folder).train_images) == 10
    with pytest.raises(DataError, match="was not found in data"):
        find(CIFAR10, None, download=False)
    with pytest.raises(DataError, match=r"no home folder is known.*--data-dir, or set MINIMIXER_CACHE"):
        find(CIFAR10, None, download=True)


def test_a_byte_order_mark_is_no_part_of_a_class_name(tmp_path):
    files = official(CIFAR10)
    files[CIFAR10.names_file] = b"\xef\xbb\xbf" + files[CIFAR10.names_file]
    assert load(unpack(tmp_path, files)).class_names == CIFAR10.class_names
