import subprocess
import sys

import pytest


@pytest.mark.slow
def test_doctor_tells_what_matters():
    command = [sys.executable, "-m", "minimixer.cli", "doctor"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for word in ("CPU", "BLAS", "GFLOP/s", "channel mixing", "GPU", "OpenBLAS"):
        assert word in result.stdout
