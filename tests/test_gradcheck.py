import numpy as np
import pytest

import minimixer as mm
from minimixer.ops.op import Op
from minimixer.tensor import apply


class Square(Op):
    """Its gradient is wrong by a factor."""

    factor = 1.0

    @staticmethod
    def forward(xp, x):
        return x * x, (x,)

    @staticmethod
    def backward(xp, gy, x):
        return gy * 2 * x * Square.factor


@pytest.fixture
def square(monkeypatch):
    def of_factor(factor):
        monkeypatch.setattr(Square, "factor", factor)
        return lambda x: apply(Square, x)
    return of_factor


def test_a_right_gradient_passes_and_the_report_reads_well(square, rng):
    report = mm.gradcheck(square(1.0), rng.standard_normal((3, 4)))
    assert report
    assert report.ok
    (row,) = report.inputs
    assert (row.shape, row.checked) == ((3, 4), 12)
    assert "(3, 4)" in str(report)
    assert "ok" in str(report)


@pytest.mark.parametrize("factor", [1.01, 0.999, -1.0, 0.0, np.nan])
def test_a_wrong_gradient_fails(square, factor, rng):
    report = mm.gradcheck(square(factor), rng.standard_normal((3, 4)))
    assert not report
    assert "WRONG" in str(report)


def test_one_wrong_entry_among_many_is_found_by_the_direction(rng):
    class OneWrong(Square):
        @staticmethod
        def backward(xp, gy, x):
            gx = gy * 2 * x
            gx[7] *= 1.5
            return gx

    x = rng.uniform(1, 2, 2000)
    report = mm.gradcheck(lambda x: apply(OneWrong, x), x, max_entries=5, seed=1)
    (row,) = report.inputs
    assert row.checked == 5
    assert row.direction_error > report.tolerance
    assert not report.ok


def test_every_input_has_a_row_and_only_the_wrong_one_fails(rng):
    class Product(Op):
        @staticmethod
        def forward(xp, a, b):
            return a * b, (a, b)

        @staticmethod
        def backward(xp, gy, a, b):
            return gy * b, gy * a * 2

    report = mm.gradcheck(lambda a, b: apply(Product, a, b), rng.standard_normal(5), rng.standard_normal(5))
    assert [row.ok for row in report.inputs] == [True, False]


def test_float32_inputs_are_checked_in_float64_and_left_alone(square, rng):
    x = rng.standard_normal((4, 3)).astype(np.float32).T
    before = x.copy()
    seen = []

    def fn(t):
        seen.append((t.dtype, t.data.flags.f_contiguous))
        return square(1.0)(t)

    assert mm.gradcheck(fn, x)
    assert set(seen) == {(np.dtype(np.float64), True)}
    assert np.array_equal(x, before)
