from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimixer.parallel.tree_sum import add_up, combine, cover


def begin(leaf):
    return leaf.copy()


def add(total, leaf):
    total += leaf


@given(st.integers(1, 40), st.integers(1, 12))
def test_the_spans_of_all_processes_are_the_shards_in_order(count, ranks):
    ends = [count * rank // ranks for rank in range(ranks + 1)]
    spans = [span for a, b in pairwise(ends) for span in cover(a, b, (0, count))]
    assert [i for a, b in spans for i in range(a, b)] == list(range(count))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 9))
def test_however_the_shards_are_shared_out_the_sum_has_the_same_bits(count, ranks, seed):
    rng = np.random.default_rng(seed)
    leaves = (rng.standard_normal((count, 50)) * 10.0 ** rng.integers(-4, 5, (count, 1))).astype(np.float32)
    whole = add_up((0, count), iter(leaves), begin, add)
    parts = {}
    for rank in range(ranks):
        first, stop = count * rank // ranks, count * (rank + 1) // ranks
        mine = iter(leaves[first:stop])
        parts |= {span: add_up(span, mine, begin, add) for span in cover(first, stop, (0, count))}
        assert next(mine, None) is None
    assert combine((0, count), parts).tobytes() == whole.tobytes()
    assert whole == pytest.approx(leaves.astype(float).sum(0), rel=1e-4, abs=0.05)


def test_another_order_would_give_other_bits():
    leaves = np.random.default_rng(0).standard_normal((8, 1000)).astype(np.float32)
    one_by_one = leaves[0].copy()
    for leaf in leaves[1:]:
        one_by_one += leaf
    assert one_by_one.tobytes() != add_up((0, 8), iter(leaves), begin, add).tobytes()


def test_two_and_four_processes_hold_one_span_each():
    for count in range(1, 65):
        for ranks in (1, 2, 4):
            cuts = [cover(count * r // ranks, count * (r + 1) // ranks, (0, count)) for r in range(ranks)]
            assert max(map(len, cuts)) <= 1
