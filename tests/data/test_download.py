import contextlib
import hashlib
import importlib
import io
import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from filelock import FileLock

from minimixer.data.dataset import DataError
from minimixer.data.download import download
from minimixer.data.part import begin

BODY = np.random.default_rng(0).bytes(300_000)
HASH = hashlib.sha256(BODY).hexdigest()
HALF = len(BODY) // 2


class Server(ThreadingHTTPServer):
    """Serves `body` under every path, as badly as the attributes ask for."""

    daemon_threads = False      # so that server_close waits for every answer

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/file.tar.gz"
        self.body = BODY
        self.status = None          # an error to answer with
        self.knows_ranges = True
        self.shift = 0              # how far a range starts from where it should
        self.says_length = True
        self.says_gzip = False
        self.etag = ""
        self.if_ranges = []         # the If-Range header of every request
        self.cuts = []              # bytes to send before breaking off, one entry a request
        self.leads_to = None        # where the answer sends the client
        self.says = b""             # what is answered instead of HTTP
        self.stalls = 0             # requests whose connection then stays open
        self.released = threading.Event()
        self.ranges = []            # the Range header of every request


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers["Range"]
        server.ranges.append(wanted)
        server.if_ranges.append(self.headers["If-Range"])
        resumes = wanted and server.knows_ranges and self.headers["If-Range"] in (None, server.etag)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if resumes else 0
        if server.says:
            self.wfile.write(server.says)
            return None
        if server.leads_to:
            self.send_response(302)
            self.send_header("Location", server.leads_to)
            return self.end_headers()
        if server.status or start >= len(server.body):
            return self.send_error(server.status or 416)
        start += server.shift if start else 0
        content = server.body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.body) - 1}/{len(server.body)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.says_length:
            self.send_header("Content-Length", str(len(content)))
        if server.says_gzip:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        with contextlib.suppress(ConnectionError):      # the client had enough
            self.wfile.write(content[:server.cuts.pop(0)] if server.cuts else content)
        if server.stalls:
            server.stalls -= 1
            server.released.wait(10)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as server:        # closes it
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(importlib.import_module("minimixer.data.download"), "PAUSE", 0.0)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "folder" / "file.tar.gz"


@pytest.fixture
def part(target):
    target.parent.mkdir(parents=True)
    return target.with_name("file.tar.gz.part")


def begun(server, part, content, **about):
    """An unfinished download of this file, as an earlier call leaves it."""
    begin(part, **{"url": server.url, "sha256": HASH, "size": len(BODY)} | about)
    part.write_bytes(content)


def fetch(server, target, **kwargs):
    return download(server.url, target, **({"sha256": HASH, "size": len(BODY)} | kwargs))


def assert_whole(target):
    assert target.read_bytes() == BODY
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_fetches(server, target):
    assert fetch(server, target) == target
    assert_whole(target)
    assert server.ranges == [None]


def test_the_part_is_closed_before_it_is_moved_or_deleted(server, target, monkeypatch):
    opened, open_path = [], type(target).open

    def watched(self, *arguments, **options):
        file = open_path(self, *arguments, **options)
        if self.name.endswith(".part"):
            opened.append(file)
        return file

    def as_windows(do):
        def checked(path, *others, **options):
            assert str(path).endswith(".lock") or (opened and all(file.closed for file in opened))
            return do(path, *others, **options)
        return checked

    monkeypatch.setattr(type(target), "open", watched)
    monkeypatch.setattr(type(target), "rename", as_windows(type(target).rename))
    monkeypatch.setattr(type(target), "unlink", as_windows(type(target).unlink))
    fetch(server, target)
    assert_whole(target)
    with pytest.raises(DataError, match="came with sha256"):
        fetch(server, target, sha256="0" * 64)


def test_two_at_once_do_not_mix_their_bytes(server, target, part):
    with FileLock(part.with_name(part.name + ".lock")):
        with pytest.raises(DataError, match="is being downloaded by another process: wait for it"):
            fetch(server, target)
        assert not part.exists()
    fetch(server, target)
    assert_whole(target)


def test_already_there(server, target):
    fetch(server, target)
    assert fetch(server, target) == target
    assert len(server.ranges) == 1


@pytest.mark.parametrize("old", [BODY[:-1], bytes(len(BODY)), b"years of work"])
def test_another_file_of_this_name_is_kept_under_another(server, target, old, capsys):
    target.parent.mkdir(parents=True)
    target.write_bytes(old)
    server.status = 404
    with pytest.raises(DataError, match="was refused"):
        fetch(server, target)
    assert target.read_bytes() == old           # nothing moves until there is something better
    server.status = None
    fetch(server, target)
    assert target.read_bytes() == BODY
    kept = target.with_name("file.tar.yours-1.gz")
    assert kept.read_bytes() == old
    assert {*target.parent.iterdir()} == {target, kept}
    assert "it is kept as file.tar.yours-1.gz" in capsys.readouterr().err


NOTE = {"url": "http://elsewhere/file.tar.gz", "sha256": HASH, "size": len(BODY)}


@pytest.mark.parametrize("note", [None, "", "[]", '{"url": 1}', NOTE, NOTE | {"url": None, "sha256": "0" * 64},
                                  NOTE | {"url": None, "size": 1}], ids=str)
def test_a_part_that_this_download_did_not_begin_stays_as_it_is(server, target, part, note):
    part.write_bytes(b"years of work")
    if note is not None:
        text = note if isinstance(note, str) else json.dumps(note | {"url": note["url"] or server.url})
        part.with_name(part.name + ".json").write_text(text)
    before = {path: path.read_bytes() for path in target.parent.iterdir()}
    with pytest.raises(DataError, match=r"does not say that this download began it.*another folder"):
        fetch(server, target)
    assert {path: path.read_bytes() for path in target.parent.iterdir()} == before
    assert server.ranges == []


@pytest.mark.parametrize("name", [".part.json", ".part.lock"])
def test_nor_is_what_stands_where_its_note_and_its_lock_go(server, target, name):
    target.parent.mkdir(parents=True)
    mine = target.with_name(target.name + name)
    mine.write_text("years of work")
    with pytest.raises(DataError, match=f"{name} is there, and .*another folder"):
        fetch(server, target)
    assert [path.read_text() for path in target.parent.iterdir()] == ["years of work"]


def test_a_file_that_changed_on_the_server_is_fetched_from_its_start(server, target):
    old = bytes(len(BODY))
    server.body, server.etag, server.cuts = old, '"old"', [HALF, 0, 0, 0]
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch(server, target)
    server.body, server.etag = BODY, '"new"'
    fetch(server, target)                       # a part of the old file with the rest of the new one would not be it
    assert_whole(target)
    assert server.ranges[-1] is not None
    assert server.if_ranges[-1] == '"old"'


@pytest.mark.parametrize("etag", ["", 'W/"weak"', "unquoted"])
def test_a_server_without_a_strong_etag_is_asked_for_the_range_alone(server, target, etag):
    server.etag, server.cuts = etag, [HALF]
    fetch(server, target)
    assert_whole(target)
    assert server.if_ranges == [None, None]


def test_what_a_kill_leaves_of_a_note_is_taken_away(server, target, part):
    left = part.with_name(part.name + ".json.0123abcd.tmp")
    left.write_text("{")
    (other := part.with_name("thesis.tex.0123abcd.tmp")).write_text("years of work")
    fetch(server, target)
    assert {*target.parent.iterdir()} == {target, other}


def test_dropped_connections_go_on_where_they_stopped(server, target):
    server.cuts = [HALF, 70_000, 0]
    fetch(server, target)
    assert_whole(target)
    first, *rest = server.ranges
    starts = [int(value.removeprefix("bytes=").removesuffix("-")) for value in rest]
    assert first is None
    assert 0 < starts[0] <= HALF
    assert starts[0] < starts[1] == starts[2]


@pytest.mark.parametrize("says_length", [True, False])
def test_dropped_connection_without_ranges_starts_anew(server, target, says_length):
    server.knows_ranges, server.says_length, server.cuts = False, says_length, [HALF]
    fetch(server, target)
    assert_whole(target)
    assert len(server.ranges) == 2


def test_gives_up_after_three_retries_and_keeps_the_part(server, target):
    server.cuts = [100_000, 0, 0, 0]
    with pytest.raises(DataError, match=r"could not be downloaded .* of 300,000 bytes are kept in .*\.part"):
        fetch(server, target)
    assert len(server.ranges) == 4
    assert not target.exists()
    fetch(server, target)           # the next call goes on
    assert_whole(target)
    assert server.ranges[-1] == server.ranges[-2] is not None


def test_stalled_connection_is_a_dropped_one(server, target, monkeypatch):
    monkeypatch.setattr(importlib.import_module("minimixer.data.download"), "TIMEOUT", (5, 0.2))
    server.stalls, server.cuts = 1, [HALF]
    fetch(server, target)
    assert_whole(target)
    assert server.ranges[1] is not None


def test_server_out_of_reach(server, target):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"could not be downloaded \(ConnectionError\); 0 of 300,000 bytes are kept"):
        fetch(server, target)


def test_continues_a_part(server, target, part):
    begun(server, part, BODY[:HALF])
    fetch(server, target)
    assert_whole(target)
    assert server.ranges == [f"bytes={HALF}-"]


@pytest.mark.parametrize(("old", "options", "ranges"), [
    (BODY, {}, []),                                                             # whole: no request
    (b"x" * HALF, {"knows_ranges": False}, [f"bytes={HALF}-"]),                 # answered 200
    (BODY + b"too long", {}, [f"bytes={len(BODY) + 8}-", None]),                # answered 416
    (BODY[:HALF], {"shift": -1}, [f"bytes={HALF}-", None]),                     # answered another range
    (BODY[:HALF], {"shift": 1}, [f"bytes={HALF}-", None]),
])
def test_a_part_that_cannot_be_continued(server, target, part, old, options, ranges):
    vars(server).update(options)
    begun(server, part, old)
    fetch(server, target)
    assert_whole(target)
    assert server.ranges == ranges


def test_wrong_hash(server, target):
    with pytest.raises(DataError, match=f"sha256 {HASH}, expected {'0' * 64}"):
        fetch(server, target, sha256="0" * 64)
    assert list(target.parent.iterdir()) == []


def test_a_damaged_part_is_deleted_so_that_the_next_call_succeeds(server, target, part):
    begun(server, part, b"x" * HALF)
    with pytest.raises(DataError, match=f"expected {HASH}"):
        fetch(server, target)
    fetch(server, target)
    assert_whole(target)


@pytest.mark.parametrize("body", [BODY + b"more", BODY[:-1]])
def test_another_length_is_refused_before_a_byte_is_lost(server, target, part, body):
    server.body = body
    for knows_ranges in (True, False):
        server.knows_ranges = knows_ranges
        begun(server, part, BODY[:HALF])
        with pytest.raises(DataError, match=f"is {len(body)} bytes long, expected 300000"):
            fetch(server, target)
        assert part.read_bytes() == BODY[:HALF]


def test_too_long_body_of_unknown_length(server, target, part):
    server.body, server.says_length = BODY * 2, False
    with pytest.raises(DataError, match="longer than the expected 300,000 bytes"):
        fetch(server, target)
    assert part.stat().st_size <= len(BODY)


def test_too_short_body_of_unknown_length(server, target):
    server.body, server.says_length = BODY[:HALF], False
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch(server, target)
    assert not target.exists()


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (403, "Forbidden"), (500, "Internal Server"),
                                              (503, "Service Unavailable")])
def test_refused_by_the_server(server, target, part, status, reason):
    server.status = status
    begun(server, part, BODY[:HALF])
    with pytest.raises(DataError, match=f"was refused: {status} {reason}.*open it in a browser"):
        fetch(server, target)
    assert len(server.ranges) == 1      # asking again would not help
    assert part.read_bytes() == BODY[:HALF]


abandons_sockets = pytest.mark.filterwarnings(      # requests leaves a socket to the garbage collector
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@abandons_sockets
@pytest.mark.parametrize(("leads_to", "message"), [
    ("/again", "redirects in a loop: Exceeded 30 redirects.; open it in a browser"),
    ("file:///etc/passwd", "could not be downloaded .InvalidSchema"),
    ("http://[", "could not be downloaded .ValueError")])
def test_answers_that_lead_elsewhere(server, target, leads_to, message):
    server.leads_to = leads_to
    with pytest.raises(DataError, match=message):
        fetch(server, target)
    assert not target.exists()
    assert len(server.ranges) <= 31


@abandons_sockets
@pytest.mark.parametrize("says", [
    b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Range: bytes x-y/z\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-1/300000\r\n\r\n"])
def test_answers_that_are_hardly_http(server, target, says):
    server.says = says
    with pytest.raises(DataError, match=r"could not be downloaded .*run again to continue"):
        fetch(server, target)
    assert not target.exists()


def test_a_full_disk_keeps_what_was_fetched(server, target, part, monkeypatch):
    module = importlib.import_module("minimixer.data.download")
    append = module.Part.append

    def full(self, block):
        if self.length > HALF:
            raise OSError(28, "No space left on device")
        append(self, block)

    with monkeypatch.context() as patch:
        patch.setattr(module.Part, "append", full)
        with pytest.raises(DataError, match=r"cannot be written: .*No space.*are kept in .*\.part; free disk space"):
            fetch(server, target)
    assert HALF < part.stat().st_size < len(BODY)
    assert not target.exists()
    fetch(server, target)
    assert_whole(target)
    assert server.ranges[-1] is not None        # it went on


def test_a_disk_that_is_really_full(server, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder]
    if sys.platform != "linux" or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this process may not mount a small tmpfs")
    try:
        with pytest.raises(DataError, match=r"cannot be written: .*No space left.*free disk space"):
            fetch(server, folder / "file.tar.gz")
        kept = (folder / "file.tar.gz.part").read_bytes()
        assert len(kept) > 60_000
        assert BODY.startswith(kept)
        subprocess.run(["mount", "-o", "remount,size=1m", folder], check=True)
        fetch(server, folder / "file.tar.gz")
        assert_whole(folder / "file.tar.gz")
        assert server.ranges[-1] == f"bytes={len(kept)}-"
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_body_labelled_gzip_is_kept_as_sent(server, target):
    server.says_gzip = True
    fetch(server, target)
    assert_whole(target)


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        fetch(server, tmp_path / "file" / "file.tar.gz")


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_progress_bar_only_on_a_terminal(server, target, monkeypatch, terminal, quiet):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", screen)
    fetch(server, target, quiet=quiet)
    assert ("file.tar.gz" in screen.getvalue()) == (terminal and not quiet)
