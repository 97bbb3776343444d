"""Training in any thread, beside any other, gives the same bytes: BLAS computes with one thread per shard."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from minimixer.data import load_digits
from minimixer.parallel import Workers, host
from minimixer.train import PRESETS, Callback, fit, load_run, report

CONFIG = replace(PRESETS["digits"], max_steps=24, batch_size=256, log_every=8)
FILES = ("last.safetensors", "best.safetensors")


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    monkeypatch.setattr(report, "write", lambda run, best_logits: None)


def set_blas_threads(counts):
    for library, count in counts:
        getattr(library, "clear_controlling_thread", lambda force: None)(force=True)
        library.set_num_threads(count)
        getattr(library, "clear_controlling_thread", lambda force: None)(force=True)


@pytest.fixture(autouse=True)
def several_blas_threads():
    """As on any machine with several cores, and no thread owns the limit."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    before = [(library, library.num_threads) for library in libraries]
    set_blas_threads((library, 2) for library in libraries)
    if blas_threads() != {2}:
        pytest.skip("this BLAS takes no limit")
    yield
    set_blas_threads(before)


class Counts(Callback):
    def __init__(self):
        self.seen = set()

    def step(self, progress, loss, correct):
        self.seen |= blas_threads()


def in_thread(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return SimpleNamespace(join=lambda: (thread.join(), results[0])[1])


def content(folder):
    return [(folder / name).read_bytes() for name in FILES]


def test_fit_in_a_thread_after_fit_in_the_main_thread(tmp_path):
    counts = Counts(), Counts()
    fit(replace(CONFIG, out=tmp_path / "main"), [counts[0]])
    in_thread(lambda: fit(replace(CONFIG, out=tmp_path / "thread"), [counts[1]])).join()
    assert [c.seen for c in counts] == [{1}, {1}]
    assert content(tmp_path / "thread") == content(tmp_path / "main")
    assert blas_threads() == {2}


@pytest.mark.slow
def test_fit_beside_a_thread_that_predicts_and_one_that_trains(tmp_path):
    fit(replace(CONFIG, out=tmp_path / "alone"))
    trained, images, ended = load_run(tmp_path / "alone"), load_digits().test_images[:64], threading.Event()
    expected = trained.logits(images)

    def predict():
        found = []
        while not ended.is_set() or not found:
            found.append(np.array_equal(trained.logits(images, workers=2), expected))
        return all(found)

    predicting, counts = in_thread(predict), (Counts(), Counts())
    beside = in_thread(lambda: fit(replace(CONFIG, out=tmp_path / "beside", workers=2), [counts[0]]))
    fit(replace(CONFIG, out=tmp_path / "main", workers=1), [counts[1]])
    beside.join()
    ended.set()
    assert predicting.join()
    assert [c.seen for c in counts] == [{1}, {1}]
    assert content(tmp_path / "main") == content(tmp_path / "beside") == content(tmp_path / "alone")
    assert blas_threads() == {2}


def test_the_last_of_blocks_in_several_threads_restores_the_limit():
    inside, leave = threading.Barrier(5), threading.Event()

    def hold(i):
        with host.one_blas_thread():
            inside.wait()
            seen = blas_threads()
            leave.wait()
            return seen, i

    threads = [in_thread(lambda i=i: hold(i)) for i in range(4)]
    inside.wait()
    with host.one_blas_thread():
        assert blas_threads() == {1}
    assert blas_threads() == {1}
    leave.set()
    assert [thread.join()[0] for thread in threads] == [{1}] * 4
    assert blas_threads() == {2}


def test_a_limit_that_another_thread_has_set_for_good_does_not_hold_ours_off():
    stay = threading.Event()
    limited = threading.Event()

    def own():
        limits = threadpool_limits(3, user_api="blas")         # without a block: it owns OpenBLAS until it ends
        limited.set()
        stay.wait()
        return limits

    owner = in_thread(own)
    limited.wait()
    before = blas_threads()
    with Workers(2) as workers:
        assert list(workers.map(lambda _: blas_threads(), range(6))) == [{1}] * 6
    assert blas_threads() == before
    stay.set()
    owner.join()
