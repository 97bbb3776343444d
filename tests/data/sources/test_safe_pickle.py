"""The reader of pickles: data come through, and nothing else does anything."""

import math
import os
import pickle
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimixer.data.sources import safe_pickle
from minimixer.data.sources.pickle_values import PickleRefusedError
from tests.support.hostile_pickles import CANARY, HOSTILE, Reduced

HARMLESS = {"a list in itself", "a list of itself, doubled 50 times", "a dict in itself", "a frame of an exabyte",
            "a million lists in each other", "a million tuples in each other", "a million dicts", "a memo far away",
            "a million memos", "a memo with a huge number"}


def test_there_are_a_hundred_and_real_ones_among_them(tmp_path, monkeypatch):
    assert len(HOSTILE) >= 100
    monkeypatch.chdir(tmp_path)
    pickle.loads(HOSTILE["os.system, protocol 2"])
    assert os.path.exists(CANARY)                   # the canary sings for a reader that does what it is told


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_do_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(safe_pickle, "MOST_INSTRUCTIONS", 20_000)       # tracing memory takes its time
    content = HOSTILE[name]
    tracemalloc.start()
    try:
        refused = refuses(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused or name in HARMLESS
    assert list(tmp_path.iterdir()) == []
    assert peak < 4_000_000 + 4 * len(content)                          # bytes


def refuses(content):
    try:
        safe_pickle.load(content)
    except PickleRefusedError as error:
        return len(str(error)) < 300
    return False


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_no_pickle_takes_long(name):
    start = time.process_time()
    assert refuses(HOSTILE[name]) or name in HARMLESS
    assert time.process_time() - start < 20                             # seconds, of a slow machine


def plain(value):
    """A value of Python 3 as it comes back: bytearrays are bytes."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return bytes(value) if isinstance(value, bytearray) else value


numbers = st.integers(-2**120, 2**120) | st.floats(allow_nan=False)
leaves = st.none() | st.booleans() | numbers | st.binary() | st.text() | st.binary().map(bytearray)
data = st.recursive(leaves, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(
    st.text() | st.binary(), inner), max_leaves=20)


@settings(max_examples=30)
@given(value=data, protocol=st.sampled_from([2, 3, 4, 5]))
def test_data_come_back(value, protocol):
    assert safe_pickle.load(pickle.dumps(value, protocol)) == plain(value)


@settings(max_examples=30)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=50), st.lists))
def test_data_come_back_from_protocol_0(value):
    expected = value
    if not _too_long(value):
        assert safe_pickle.load(pickle.dumps(value, 0)) == expected


def _too_long(value):
    if isinstance(value, list):
        return any(map(_too_long, value))
    return isinstance(value, int) and abs(value) > 10**900


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i4", "i8", "f4", ">f8", "?"])
def test_arrays_come_back(dtype, protocol, rng):
    kind = np.dtype(dtype)
    for array in (rng.integers(0, 2, (3, 4)).astype(kind), rng.integers(0, 2, (2, 3, 2)).astype(kind, "F"),
                  np.zeros((0, 5), kind), np.array(1, kind), rng.integers(0, 2, 9).astype(kind)[::2]):
        again = safe_pickle.load(pickle.dumps({b"data": array, "n": array.ravel()[:1].sum()}, protocol))
        np.testing.assert_array_equal(again[b"data"], array)
        assert again[b"data"].dtype == array.dtype
        assert again[b"data"].shape == array.shape


def test_the_pickles_of_python_2_are_read():
    """As the authors of CIFAR wrote them: byte strings, and arrays of numpy.core."""
    pixels = bytes(range(6))
    array = (b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01"
             b"K\x02K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xff"
             b"J\xff\xff\xff\xffK\x00tb\x89U\x06" + pixels + b"tb")
    content = b"\x80\x02}q\x01(U\x04dataq\x02" + array + b"U\x06labelsq\x08]q\x09(K\x06K\x09eu."
    found = safe_pickle.load(content)
    assert found[b"labels"] == [6, 9]
    np.testing.assert_array_equal(found[b"data"], np.frombuffer(pixels, np.uint8).reshape(2, 3))


def test_the_text_of_protocol_0_is_read():
    """As Python 2 wrote ``batches.meta``."""
    content = (b"(dp1\nS'label_names'\np2\n(lp3\nS'airplane'\np4\naS\"it's\"\np5\naS'\\xff\\n\\\\\\'\\0'\np6\nas"
               b"S'num_vis'\np7\nI3072\nsS'old'\nL5L\nsS'yes'\nI01\nsS'half'\nF0.5\nsS'again'\ng2\ns.")
    assert safe_pickle.load(content) == {
        b"label_names": [b"airplane", b"it's", b"\xff\n\\'\0"], b"num_vis": 3072, b"old": 5, b"yes": True, b"half": 0.5,
        b"again": b"label_names"} == pickle.loads(content, encoding="bytes")


@given(text=st.binary(max_size=40))
def test_quoted_bytes_are_those_that_were_quoted(text):
    quoted = repr(text)[1:].encode()
    assert safe_pickle.load(b"S" + quoted + b"\n.") == text


@settings(max_examples=150)
@given(content=st.binary(max_size=60) | st.lists(st.sampled_from(
    [*safe_pickle.INSTRUCTIONS, b"\x01", b"\x00", b"numpy\n", b"dtype\n", b"u1", b"\n", b"'"])).map(b"".join))
def test_random_bytes_raise_nothing_else(content):
    try:
        value = safe_pickle.load(content)
    except PickleRefusedError:
        return
    assert only_data(value)


def only_data(value):
    waiting, seen = [value], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            waiting += item
        elif not (item is None or type(item) in (bool, int, float, str, bytes, np.ndarray)):
            return False
    return True


def test_a_reader_that_does_what_it_is_told_would_be_noticed(tmp_path, monkeypatch):
    """The negative control of ``only_data``."""
    assert not only_data([math])
    assert not only_data(pickle.loads(pickle.dumps(Reduced(complex, 1))))
