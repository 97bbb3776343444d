"""``minimixer lessons open`` where there is no browser, as root, on another machine."""

import contextlib
import os
import signal
import subprocess
import sys
import webbrowser

import pytest

from minimixer import cli
from minimixer.commands import lessons


@pytest.fixture
def started(monkeypatch):
    """The commands that were started; the first entry is what they return."""
    commands = [0]

    def serve(command):
        commands.append(command)
        return commands[0], 0

    monkeypatch.setattr(lessons.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(lessons, "serve", serve)
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    return commands


def test_options_reach_jupyter(started, tmp_path):
    assert cli.main(["lessons", "open", "02", "--folder", str(tmp_path), "--allow-root", "--no-browser",
                     "--ip", "0.0.0.0", "--port", "8899"]) == 0
    assert started[1][4:-1] == ["--no-browser", "--allow-root", "--ip=0.0.0.0", "--port=8899"]
    assert cli.main(["lessons", "open", "02", "--folder", str(tmp_path)]) == 0
    assert started[2][4:-1] == []
    for port in ("0", "65536", "x"):
        assert cli.main(["lessons", "open", "--folder", str(tmp_path), "--port", port]) == 2
    assert len(started) == 3


def test_without_a_browser_the_place_is_printed(started, tmp_path, monkeypatch, capsys):
    def none():
        raise webbrowser.Error("could not locate runnable browser")
    monkeypatch.setattr(webbrowser, "get", none)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lessons", "open", "02"]) == 0
    said = capsys.readouterr().out
    assert f"serves {tmp_path}/minimixer-lessons/02_" in said.replace(os.sep, "/")
    assert "open the address that it prints below" in said
    assert "--no-browser" in started[1]


def test_root_learns_which_option_is_missing(started, tmp_path, monkeypatch, capsys):
    started[0] = 1
    for user, options, hint in ((0, [], True), (0, ["--allow-root"], False), (1000, [], False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user, raising=False)
        assert cli.main(["lessons", "open", "--folder", str(tmp_path), *options]) == 1
        said = capsys.readouterr().err
        assert ("add --allow-root" in said) == hint
        assert f"the notebooks are in {tmp_path}" in said


SERVER = """
import signal, sys, time
def end(number, frame):
    print("shut down by", number, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, signal.SIG_IGN)        # what a terminal sends to all
print("serving", flush=True)
time.sleep(30)
"""
OURS = f"""
import sys
from minimixer.commands.lessons import serve
print(serve([sys.executable, "-c", {SERVER!r}]), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_server_is_shut_down_with_the_command(number):
    with subprocess.Popen([sys.executable, "-c", OURS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "serving\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"shut down by {int(signal.SIGTERM)}\n"
        assert process.stdout.read() == f"(0, {int(number)})\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_ctrl_c_is_how_it_ends_and_no_error(number, code, started, tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "serve", lambda command: (0, number))
    assert cli.main(["lessons", "open", "--folder", str(tmp_path)]) == code


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals")
@pytest.mark.parametrize("options", [["--allow-root"], []])
def test_the_real_jupyter_on_a_terminal(options, tmp_path):
    """It prints its address, and one Ctrl-C ends it, with all that it started; as root it says what is missing."""
    pytest.importorskip("jupyterlab")
    import pty
    if not options and os.geteuid() != 0:
        pytest.skip("only root is refused")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ["JUPYTER_RUNTIME_DIR"] = os.environ["JUPYTER_CONFIG_DIR"] = str(tmp_path / "jupyter")
        os.execv(sys.executable, [sys.executable, "-m", "minimixer", "lessons", "open", "02", "--no-browser", *options])
    said = b""
    with contextlib.suppress(OSError):                  # Linux says EIO at the end of a terminal
        while piece := os.read(terminal, 1 << 16):
            ready = b"127.0.0.1" in said and b"token=" in said
            said += piece
            if not ready and b"127.0.0.1" in said and b"token=" in said:
                os.write(terminal, b"\x03")             # Ctrl-C
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert f"serves {tmp_path}/minimixer-lessons/02_autograd.ipynb" in said.decode().replace("\r\n", "")
    assert code == (0 if options else 1), said.decode()
    assert b"Traceback" not in said
    if not options:
        assert b"add --allow-root" in said
