import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from minimixer.parallel import host


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the page faults of glibc on Linux")
def test_arrays_that_come_and_go_cost_no_page_faults_once_freed_memory_is_kept():
    if not host.keep_freed_memory():
        pytest.skip("the C library is not glibc")

    import resource

    def faults():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            arrays = [np.ones(1 << 20, np.float32) for _ in range(4)]       # 4 MB each
            del arrays
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults()                        # the first time the memory has to come from the system
    assert faults() < 1000          # 80 arrays of 1,024 pages


@pytest.fixture
def started(monkeypatch):
    """What the process would have been started again as."""
    calls = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: calls.append((program, arguments)))
    for name in (host.CORETYPE, host.CHOSEN):
        monkeypatch.setenv(name, "")        # so that what the test sets is undone
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "minimixer.train", "digits"])
    return calls


def this_machine_has(monkeypatch, kernel, flags=("avx2", "avx512f")):
    monkeypatch.setattr(host, "blas_kernel", lambda: kernel)
    monkeypatch.setattr(host, "cpu_flags", lambda: set(flags))


def test_avx512_kernels_are_chosen_where_openblas_passed_them_over(started, monkeypatch, capsys):
    this_machine_has(monkeypatch, "Haswell")
    host.choose_blas_kernel([])
    assert started == [(sys.executable, [sys.executable, "-m", "minimixer.train", "digits"])]
    assert os.environ[host.CORETYPE] == "SkylakeX"
    (line,) = capsys.readouterr().err.splitlines()
    assert "Haswell" in line
    assert "--no-blas-tune" in line


@pytest.mark.parametrize(("kernel", "flags", "arguments", "environment"), [
    ("SkylakeX", ["avx512f"], [], {}),
    ("Haswell", ["avx2"], [], {}),
    ("", ["avx512f"], [], {}),
    ("Haswell", ["avx512f"], ["--no-blas-tune"], {}),
    ("Haswell", ["avx512f"], [], {host.CORETYPE: "Haswell"})])
def test_otherwise_nothing_happens(kernel, flags, arguments, environment, started, monkeypatch, capsys):
    this_machine_has(monkeypatch, kernel, flags)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    host.choose_blas_kernel(arguments)
    assert started == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("error", "restarts"), [(1e-7, 0), (1e-3, 1), (float("inf"), 1), (float("nan"), 1)])
def test_kernels_that_multiply_wrongly_are_taken_back(error, restarts, started, monkeypatch):
    monkeypatch.setenv(host.CHOSEN, "SkylakeX")
    monkeypatch.setattr(host, "product_error", lambda: error)
    host.choose_blas_kernel([])
    assert len(started) == restarts
    assert os.environ[host.CHOSEN] == ("Haswell" if restarts else "SkylakeX")


def test_products_are_right_here():
    assert host.product_error() < 1e-5


def test_products_that_are_no_number_are_an_error(monkeypatch):
    class Broken(np.ndarray):
        def __matmul__(self, other):
            return np.full((len(self), other.shape[1]), np.nan)

    drawn = np.random.default_rng(0)
    rng = SimpleNamespace(standard_normal=lambda shape: drawn.standard_normal(shape).view(Broken))
    monkeypatch.setattr(np.random, "default_rng", lambda seed: rng)
    assert not host.product_error() <= 1e-5


def test_blocks_that_overlap_in_two_threads_leave_blas_as_it_was():
    def blas_threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before = blas_threads()
    first, second = host.one_blas_thread(), host.one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) <= {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


def topology(folder, cores):
    """A /sys in which these logical CPUs share cores."""
    for cpu, core in enumerate(cores):
        place = folder / f"sys/devices/system/cpu/cpu{cpu}/topology"
        place.mkdir(parents=True)
        (place / "core_cpus_list").write_text(",".join(str(i) for i, other in enumerate(cores) if other == core) + "\n")


@pytest.fixture
def linux(tmp_path, monkeypatch):
    """A machine whose files lie in a temporary folder; call it with the CPUs that the process may use."""
    def start(cpus):
        monkeypatch.setattr(host, "Path", lambda path: tmp_path / str(path).lstrip("/"))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(cpus), raising=False)
        monkeypatch.setattr(sys, "platform", "linux")
        return tmp_path
    return start


@pytest.mark.parametrize(("cores", "cpus", "expected"), [
    ([0, 1, 2, 3], range(4), 4), ([0, 1, 0, 1], range(4), 2), ([0, 1, 0, 1], [0, 2], 1), ([0, 1, 0, 1], [1, 2], 2),
    ([0], [0], 1)])
def test_physical_cores_are_those_of_the_affinity(cores, cpus, expected, linux):
    topology(linux(cpus), cores)
    assert host.physical_cores() == expected


@pytest.mark.parametrize(("files", "expected"), [
    ({"cpu.max": "max 100000"}, 4), ({"cpu.max": "200000 100000"}, 2), ({"cpu.max": "150000 100000"}, 2),
    ({"cpu.max": "1000 100000"}, 1), ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 4),
    ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3), ({}, 4)])
def test_a_containers_quota_limits_them(files, expected, linux):
    folder = linux(range(4))
    topology(folder, [0, 1, 2, 3])
    for name, text in files.items():
        path = folder / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert host.physical_cores() == expected


def test_without_a_topology_logical_cpus_are_counted(linux, monkeypatch):
    linux(range(3))
    assert host.physical_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert host.physical_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert host.physical_cores() == 1


@pytest.mark.parametrize(("said", "expected"), [("10\n", 10), ("", 12), (OSError("no sysctl"), 12)])
def test_macos_is_asked(said, expected, monkeypatch):
    def run(command, **_):
        assert command == ["sysctl", "-n", "hw.physicalcpu"]
        if isinstance(said, OSError):
            raise said
        return SimpleNamespace(stdout=said)

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(host.subprocess, "run", run)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert host.physical_cores() == expected


def test_a_command_prepares_its_process(monkeypatch):
    calls = []
    monkeypatch.setattr(host, "choose_blas_kernel", lambda arguments: calls.append(list(arguments)))
    monkeypatch.setattr(host, "keep_freed_memory", lambda: calls.append("memory"))
    host.prepare_process(["--no-blas-tune"])
    assert calls == [["--no-blas-tune"], "memory"]
