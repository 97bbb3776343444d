"""The rooms of the package: who may import whom, how long a file may be, and what importing it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import minimixer

PACKAGE = Path(minimixer.__file__).parent

# Each room may import those before it on its line, and itself.  (gradcheck and kernels stand aside.)
ORDER = ["errors", "console", "backend", "ops", "kernels.registry", "autograd", "tensor", "functional", "gradcheck",
         "nn", "optim", "kernels", "weights", "data", "plots", "train", "exercises", "bench", "experiments", "commands",
         "cli", "__main__"]
FORBIDDEN = {("autograd", "ops"), ("autograd", "kernels.registry"), ("plots", "data"), ("data", "nn"),
             ("kernels", "nn")}


def room_of(module):
    name = module.removeprefix("minimixer").removeprefix(".")
    if name.endswith("__main__"):       # an entry point, wherever its file is
        return "__main__"
    return name if name == "kernels.registry" else name.split(".")[0]


def imports():
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(("minimixer", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("minimixer"):
                for alias in node.names:
                    inside = (PACKAGE.parent / node.module.replace(".", "/") / alias.name)
                    is_module = inside.is_dir() or inside.with_suffix(".py").exists()
                    yield room_of(module), room_of(f"{node.module}.{alias.name}" if is_module else node.module)


def test_arrows_only_go_down():
    for source, target in set(imports()):
        if source and target and source != target:
            assert ORDER.index(target) < ORDER.index(source), f"{source} imports {target}"
            assert (source, target) not in FORBIDDEN, f"{source} imports {target}"


def test_only_the_backend_and_the_cuda_kernels_know_cupy():
    users = {path.name for path in PACKAGE.rglob("*.py") if "cupy" in path.read_text().replace("or cupy", "")
             and any("cupy" in ast.unparse(node) for node in ast.walk(ast.parse(path.read_text()))
                     if isinstance(node, (ast.Import, ast.ImportFrom))
                     or (isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func)))}
    assert users <= {"backend.py", "cuda.py", "products.py"}


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
    assert min(float(r.stderr) for r in results) - float(empty.stdout) < 0.25
    assert set(result.stdout.split()).isdisjoint({"matplotlib", "sklearn", "scipy", "rich", "tyro", "cupy", "requests",
                                                  "safetensors", "threadpoolctl", "joblib"})


def test_importing_prints_nothing():
    result = subprocess.run([sys.executable, "-c", "import minimixer"], capture_output=True, text=True, check=True)
    assert result.stdout == result.stderr == ""
