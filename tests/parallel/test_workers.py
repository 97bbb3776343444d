import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import minimixer as mm
from minimixer.parallel import Workers, host


@pytest.mark.parametrize("count", [1, 3])
def test_an_exception_in_a_worker_surfaces_with_its_own_traceback_and_ends_the_threads(count):
    def work(i):
        if i == 2:
            raise ZeroDivisionError("shard 2")
        return i

    with pytest.raises(ZeroDivisionError, match="shard 2") as caught, Workers(count) as workers:
        list(workers.map(work, range(5)))
    assert caught.traceback[-1].name == "work"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("minimixer")]


def test_the_default_is_one_worker_per_physical_core(monkeypatch):
    assert Workers().count >= 1
    monkeypatch.setattr("minimixer.parallel.workers.physical_cores", lambda: 5)
    assert Workers().count == 5
    assert Workers(2).count == 2


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_nothing_outlives_the_block(monkeypatch):
    monkeypatch.setattr(host, "keep_freed_memory", lambda: pytest.fail("malloc belongs to the command line"))
    monkeypatch.setattr(host, "choose_blas_kernel", lambda _: pytest.fail("so does the BLAS kernel"))
    before = blas_threads()
    with Workers(2, "reference") as workers:
        assert set(blas_threads()) <= {1}
        assert list(workers.map(abs, [-1, 2])) == [1, 2]
    assert blas_threads() == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("minimixer")]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kernels", ["fast", "inplace", "reference"])
def test_every_thread_runs_the_form_that_was_asked_for(kernels, count, rng):
    if kernels == "fast":
        pytest.importorskip("numba", reason="Numba is not installed")
    x = rng.standard_normal((4, 8)).astype(np.float32)

    def gelu(_):
        return mm.functional.gelu(mm.Tensor(x)).data

    with mm.reference_kernels():
        expected = gelu(0)
    with Workers(count, kernels) as workers:
        assert workers.compiled == (kernels == "fast")
        here, threads = gelu(0), list(workers.map(gelu, range(6)))
    assert all(np.array_equal(here, found) for found in threads)
    assert np.allclose(here, expected, atol=1e-6)
    if kernels == "reference":
        assert np.array_equal(here, expected)
