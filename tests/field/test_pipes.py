"""Each file that a command reads, replaced by a pipe, a socket, a terabyte of nothing: it ends at once."""

import ast
import json
import os
import shutil
import signal
import socket
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minimixer
from minimixer import nn
from minimixer.cli import COMMANDS, main
from minimixer.commands import lessons
from minimixer.train import PRESETS, fit
from minimixer.weights import save_official

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
SECONDS = 10
TRAIN = ("train", "--max-steps", "3", "--workers", "1")
SEEDS = ("seeds", "digits", "--seeds", "1", "--out", "seeds")


class TooLongError(BaseException):
    """Nothing that a command catches."""


@contextmanager
def limit():
    """Raise TooLongError in what waits for the other end of a pipe."""
    def stop(number, frame):
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pipe(path):
    os.mkfifo(path)


def hole(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def taken_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(path.parent)               # the whole path may be too long for a socket
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


PLANTS = [pipe, hole, taken_socket]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with all that the commands below read."""
    folder = tmp_path_factory.mktemp("prepared")
    fit(replace(PRESETS["digits"], max_steps=2, workers=1, out=folder / "run"))
    save_official(nn.mixer("pico"), folder / "weights.npz")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "a.png")
    for name in ("class/ann", "class/bob", "seeds", "stored", "shipped", "cifar", "mine"):
        (folder / name).mkdir(parents=True)
    fit(replace(PRESETS["digits"], max_steps=2, workers=1, seed=1, out=folder / "seeds" / "seed-1"))
    (folder / "class" / "bob" / "ex01_broadcasting.py").write_text("")
    (folder / "run.toml").write_text("max_steps = 3\n")
    (folder / "labels.txt").write_text("a\n")
    return folder


# The file that is replaced, and a command that reads it.
READ = [
    ("run/config.json", *TRAIN, "--resume", "--out", "run"),
    ("run/metrics.jsonl", *TRAIN, "--resume", "--out", "run"),
    ("run/last.safetensors", *TRAIN, "--resume", "--out", "run"),
    ("run/.lock", *TRAIN, "--resume", "--out", "run"),
    ("run/.lease", *TRAIN, "--resume", "--out", "run"),
    ("run/config.json", *TRAIN, "--overwrite", "--out", "run"),
    ("run.toml", "train", "--config", "run.toml"),
    ("run/best.safetensors", *TRAIN, "--init-from", "run/best.safetensors", "--out", "new"),
    ("cifar/cifar-10-binary.tar.gz", "train", "cifar10-pico", "--data-dir", "cifar/cifar-10-binary.tar.gz"),
    ("cifar/cifar-10-binary.tar.gz", "train", "cifar10-pico", "--data-dir", "cifar"),
    ("cifar/data_batch_1.bin", "train", "cifar10-pico", "--data-dir", "cifar"),
    ("seeds/seed-1/config.json", *SEEDS),
    ("seeds/seed-1/metrics.jsonl", *SEEDS, "--max-steps", "2", "--workers", "1"),
    ("seeds/seeds.json", *SEEDS, "--max-steps", "2", "--workers", "1"),
    ("seeds/seeds.md", *SEEDS, "--max-steps", "2", "--workers", "1"),
    ("run/config.json", "eval", "run"),
    ("run/best.safetensors", "eval", "run/best.safetensors"),
    ("a.png", "predict", "run", "a.png"),
    ("run/best.safetensors", "predict", "run/best.safetensors", "a.png"),
    ("seen.png", "predict", "run", "a.png", "--seen", "seen.png"),
    ("run/best.safetensors", "inspect", "run/best.safetensors"),
    ("run/best.safetensors", "play", "run/best.safetensors", "--no-open"),
    ("run/play.html", "play", "run", "--no-open"),
    ("run/config.json", "ship", "run", "--out", "shipped"),
    ("run/metrics.jsonl", "ship", "run", "--out", "shipped"),
    ("shipped/digits-pico.json", "ship", "run", "--out", "shipped"),
    ("shipped/digits-pico.md", "ship", "run", "--out", "shipped"),
    ("shipped/digits-pico.safetensors", "ship", "run", "--out", "shipped"),
    ("run/best.safetensors", "export", "run/best.safetensors", "--format", "timm", "--out", "new.safetensors"),
    ("mine/a.npz", "export", "run", "--format", "official", "--out", "mine/a.npz"),
    ("weights.npz", "import", "weights.npz", "--out", "new"),
    ("labels.txt", "import", "weights.npz", "--labels", "labels.txt", "--out", "new"),
    ("new/config.json", "import", "weights.npz", "--out", "new"),
    ("cifar/cifar-10-binary.tar.gz", "data", "verify", "cifar10", "--data-dir", "cifar"),
    ("cifar/cifar-10-binary.tar.gz.part", "data", "download", "cifar10", "--data-dir", "cifar"),
    ("cifar/cifar-10-binary.tar.gz.part.json", "data", "download", "cifar10", "--data-dir", "cifar"),
    ("cifar/cifar-10-binary.tar.gz.part.lock", "data", "download", "cifar10", "--data-dir", "cifar"),
    ("stored/cnn-identity.json", "experiments", "cnn-identity", "--redraw", "--out", "stored"),
    ("stored/cnn-identity-quick.jsonl", "experiments", "cnn-identity", "--quick", "--out", "stored"),
    ("stored/cnn-identity-quick.png", "experiments", "cnn-identity", "--quick", "--out", "stored"),
    ("run/best.safetensors", "experiments", "token-weights", "--run", "run/best.safetensors", "--out", "new"),
    ("mine/scaling.json", "bench", "scaling", "--again", "mine/scaling.json"),
    ("mine/race.json", "bench", "race", "--json", "mine/race.json"),
    ("mine/race.md", "bench", "race", "--markdown", "mine/race.md"),
    ("mine/ex01.py", "exercises", "check", "ex01", "mine/ex01.py"),
    ("ex01_unbroadcast.py", "exercises", "start", "ex01"),
    ("class/grades.csv", "exercises", "grade", "class", "--out", "class/grades.csv"),
    ("class/grades.csv.part", "exercises", "grade", "class", "--out", "class/grades.csv"),
    ("roster.csv", "exercises", "grade", "class", "--out", "class/grades.csv", "--roster", "roster.csv"),
    ("class/pages/bob.html", "exercises", "grade", "class", "--out", "grades.csv", "--feedback", "class/pages"),
]


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("case", READ, ids=lambda case: f"{case[1]} {case[0]}")
def test_it_is_refused_at_once_in_one_sentence(case, plant, prepared, tmp_path, monkeypatch, capsys):
    name, *command = case
    if name == "run/.lock" and plant is hole:
        pytest.skip("a lock is locked, and not read")
    monkeypatch.setenv("MINIMIXER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    folder = tmp_path / "folder"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.unlink(missing_ok=True)
    plant(path)
    before = path.lstat()
    with limit():
        code = main(command)
    said = capsys.readouterr().err
    assert code in (1, 2, 3), said
    assert len(said.strip().splitlines()) <= (5 if "was not found in" in said else 2), said     # how to download
    assert "Traceback" not in said
    assert "memory" not in said                     # it was not even tried
    assert os.path.samestat(before, path.lstat())
    assert path.name in said or path.parent.name in said or command[1] == "check"      # which reports on stdout


@pytest.mark.parametrize("plant", PLANTS)
def test_a_notebook_that_is_none_is_kept(plant, tmp_path, capsys):
    lessons.copy(tmp_path)
    path = sorted(tmp_path.iterdir())[0]
    path.unlink()
    plant(path)
    with limit():
        assert main(["lessons", "copy", str(tmp_path)]) == 0
    assert f"kept 1 of yours that differ ({path.name})" in capsys.readouterr().out


def test_every_command_that_reads_files_is_here():
    nothing = {"doctor"}
    assert {case[1] for case in READ} | nothing | {"lessons"} == COMMANDS.keys()


# Who opens files without files.read_text and files.read_json, and why that is safe: a file of a user's is asked for its
# kind and size first.
READERS = {
    "exercises/source.py": "asks what it has opened", "exercises/collect/gather.py": "read_bytes of source.py",
    "exercises/show/roster.py": "after "
    "check_regular", "exercises/show/html.py": "of the package", "exercises/course/kit.py": "of the package",
    "exercises/formats.py": "of the package", "exercises/grading.py": "after check_regular",
    "exercises/processes.py": "/proc", "exercises/process.py": "of the package", "nn/pretrained.py": "of the package",
    "exercises/answers/shell.py": "writes, in the process of an answer", "exercises/collect/archives.py": "after "
    "walk.py has asked for its kind",
    "ops/loop_cache.py": "after check_regular", "ops/cuda.py": "of the package", "parallel/host.py": "/proc and /sys",
    "bench/memory.py": "/proc", "bench/children.py": "/sys",
    "weights/kinds.py": "asks for the kind of file", "weights/files.py": "after kind_of", "plots/style.py": "after "
    "check_regular", "train/checkpoint.py": "after check_regular", "train/resume.py": "after check_regular",
    "experiments/corruptions.py": "of the memory",
    "data/images.py": "after check_regular", "data/sources/digits.py": "of the package",
    "data/sources/members.py": "is_file, and its size", "data/sources/class_folders.py": "S_ISREG",
    "data/sources/idx.py": "after check_regular",
    "data/sources/decode.py": "after check_regular",
    "data/sources/npz.py": "after check_regular", "data/sources/pixel_table.py": "after check_regular",
    "data/sources/paths.py": "after check_regular",
    "data/sources/image_cache.py": "after check_regular", "data/memory.py": "/proc", "gpu/check.py": "of the package",
    "commands/play.py": "opens a browser", "play/page.py": "of the package, or is_file",
    "weights/onnx_export.py": "after check_regular",
    "data/known.py": "what was read already", "commands/notebooks.py": "of the package, or is_file and its size",
    "commands/exercises.py": "of the package", "parallel/mpi.py": "a scratch folder of these processes",
    "errors.py": "its own streams"}


def reads(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            if name in ("read_bytes", "safe_open", "ZipFile") or (name == "read_text" and owner not in ("", "files")):
                yield name
            elif (name == "open" and owner != "os") or (name, owner) in (("load", "np"), ("load", "json")):
                modes = [part.value for part in node.args if isinstance(part, ast.Constant)]
                if not any(str(mode)[:1] in "wax" for mode in modes):
                    yield name


def test_nothing_else_opens_files():
    package = Path(minimixer.__file__).parent
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py")
             if "student" not in path.parts and any(reads(ast.parse(path.read_text())))}
    assert found - {"files.py"} == READERS.keys()              # no entry outlives its code


@pytest.mark.parametrize("line", ["path.read_text()", "path.read_bytes()", "open(path)", "path.open('rb')",
                                  "np.load(path)", "json.load(file)", "zipfile.ZipFile(path)"])
def test_a_planted_reader_is_found(line):
    assert [*reads(ast.parse(line))]


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in READ if case[0].endswith(("config.json", ".toml", "labels.txt"))
                                  and case[1] in ("train", "eval", "ship", "import")],
                         ids=lambda case: f"{case[1]} {case[0]}")
def test_a_byte_order_mark_and_utf_16_change_nothing(case, prepared, tmp_path, monkeypatch, capsys):
    """What a text file says does not depend on the editor that saved it."""
    name, *command = case
    ends = []
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        folder = tmp_path / encoding
        shutil.copytree(prepared, folder)
        monkeypatch.chdir(folder)
        path = folder / name
        text = path.read_text() if path.exists() else json.dumps({"import": {}, "config": {}})
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
        with limit():
            ends.append((main(command), capsys.readouterr().err))
    assert ends[0] == ends[1] == ends[2]
