"""An import, an export or a shipment that is killed at any moment leaves nothing that blocks the next."""

import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from minimixer import nn
from minimixer.train import PRESETS, fit, load_run
from minimixer.weights import model_from, save_official

pytestmark = pytest.mark.slow
ROUNDS = 12


def killed(arguments, moment):
    process = subprocess.Popen([sys.executable, "-m", "minimixer", *map(str, arguments)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(moment)
    process.kill()
    process.wait()


def finished(arguments):
    done = subprocess.run([sys.executable, "-m", "minimixer", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["import", "export", "ship"])
def test_the_next_one_does_its_work(name, tmp_path):
    run = fit(replace(PRESETS["digits"], max_steps=2, workers=1, out=tmp_path / "run")).out
    save_official(nn.mixer("pico"), tmp_path / "a.npz")
    rng = random.Random(0)
    for number in range(ROUNDS):
        out = tmp_path / f"out{number}"
        arguments, read = {
            "import": (["import", tmp_path / "a.npz", "--out", out], lambda out=out: load_run(out)),
            "export": (["export", run, "--format", "official", "--out", out / "x.npz"],
                       lambda out=out: model_from(out / "x.npz")),
            "ship": (["ship", run, "--out", out, "--no-blas-tune"],
                     lambda out=out: load_run(out / "digits-pico.safetensors"))}[name]
        start = time.monotonic()
        if not number:                          # how long it takes
            finished(arguments)
            whole = time.monotonic() - start
            continue
        killed(arguments, rng.uniform(0.5 * whole, whole))
        if name == "import" and (out / "best.safetensors").exists():
            read()                              # it was done
            continue
        finished(arguments)
        read()
