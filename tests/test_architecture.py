"""The rooms of the package: who may import whom, how long a file may be, and what importing it costs."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minimixer
from tests.support.arrows import arrows, circles, modules

PACKAGE = Path(minimixer.__file__).parent

# From the ground up: each room may import those before it, and itself.
ORDER = ["text", "errors", "version", "files", "owned", "options", "backend", "console", "ops", "grad_mode", "autograd",
         "advice", "protocols", "tensor", "functional", "gradcheck", "optim", "nn", "data", "weights", "gpu", "play",
         "plots", "parallel", "train", "exercises", "bench", "experiments", "commands", "cli", ""]
FORBIDDEN = {("autograd", "ops"), ("plots", "data"), ("data", "nn"), ("gpu", "nn"), ("optim", "nn"), ("nn", "optim")}
CUPY = {"ops/cuda.py", "gpu/enable.py"}         # who may import CuPy; what else needs it is handed the module


def room_of(module):
    """The room of a module; "" for the package root and every __main__, which stand on top of all."""
    parts = module.split(".")
    return "" if len(parts) == 1 or parts[-1] == "__main__" else parts[1]


def test_arrows_only_go_down():
    for source, targets in arrows(PACKAGE).items():
        for target in targets:
            pair = room_of(source), room_of(target)
            if pair[0] != pair[1]:
                assert ORDER.index(pair[1]) < ORDER.index(pair[0]), f"{source} imports {target}"
                assert pair not in FORBIDDEN, f"{source} imports {target}"


def test_no_circle():
    assert circles(arrows(PACKAGE)) == []


@pytest.mark.parametrize(("file", "line", "members"), [
    ("autograd.py", "def later():\n    from minimixer.tensor import Tensor\n",
     {"minimixer.autograd", "minimixer.tensor"}),
    ("train/callbacks.py",
     "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from minimixer.train.loop import fit\n",
     {"minimixer.train.callbacks", "minimixer.train.loop"}),
    ("backend.py", 'import importlib\ndef later():\n    importlib.import_module("minimixer.gpu.graph")\n',
     {"minimixer.backend", "minimixer.gpu.graph"})], ids=["lazy", "TYPE_CHECKING", "string"])
def test_a_planted_circle_is_found(file, line, members, tmp_path):
    copy = tmp_path / "minimixer"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors", "*.npz"))
    with open(copy / file, "a") as planted:
        planted.write(f"\n\n{line}")
    found = circles(arrows(copy))
    assert len(found) == 1
    assert members <= set(found[0])


def test_every_room_is_in_the_order_and_begins_with_what_it_is_for():
    rooms = {room_of(name) for name in modules(PACKAGE)}
    assert rooms == set(ORDER)
    for name, path in modules(PACKAGE).items():
        if path.name == "__init__.py" and name.count(".") == 1:
            assert ast.get_docstring(ast.parse(path.read_text())), f"{path} says nothing"


def test_few_files_know_cupy():
    def knows(path):
        return any("cupy" in ast.unparse(node) for node in ast.walk(ast.parse(path.read_text()))
                   if isinstance(node, (ast.Import, ast.ImportFrom))
                   or (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module"))

    users = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if knows(path)}
    assert users <= {*CUPY, "ops/cublas.py", "gpu/nccl.py"}


def test_no_file_is_longer_than_can_be_read_in_one_sitting():
    lengths = {path.relative_to(PACKAGE): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: n for path, n in lengths.items() if n > 280} == {}


def test_importing_the_core_is_quick_and_takes_numpy_only():
    code = "import sys, minimixer; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    code += "; import time; print(time.process_time(), file=sys.stderr)"       # a busy machine does not count
    results = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
               for _ in range(5)]
    empty = subprocess.run([sys.executable, "-c", "import time; print(time.process_time())"],
                           capture_output=True, text=True, check=True)
    result = results[0]
    assert min(float(r.stderr) for r in results) - float(empty.stdout) < 0.2
    installed = {"matplotlib", "scipy", "rich", "tyro", "cupy", "requests", "safetensors", "threadpoolctl", "numba",
                 "PIL", "platformdirs", "filelock"}
    assert set(result.stdout.split()).isdisjoint(installed)


def test_importing_prints_nothing():
    result = subprocess.run([sys.executable, "-c", "import minimixer"], capture_output=True, text=True, check=True)
    assert result.stdout == result.stderr == ""
