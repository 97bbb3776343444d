"""Intervals are Student's, and each verdict follows from made-up values by the rule."""

import math

import numpy as np
import pytest
from scipy import stats

from minimixer.experiments.intervals import interval
from minimixer.experiments.runs import Runs, number, paired, ratio
from minimixer.experiments.verdicts import RULE, Claim, Part, decide, judge, together

POSITIVE = {"low": 0.0, "high": math.inf}


@pytest.mark.parametrize("count", [2, 3, 5, 30])
def test_the_interval_is_that_of_scipy(rng, count):
    values = rng.normal(3, 2, count)
    found = interval(values.tolist())
    assert np.allclose(found[1:], stats.t.interval(0.95, count - 1, np.mean(values), stats.sem(values)), rtol=1e-12)
    assert math.isclose(found.mean, np.mean(values))


def test_the_interval_holds_the_mean_in_95_of_100_samples(rng):
    samples = rng.normal(1, 3, (2000, 5)).tolist()
    inside = [found.low < 1 < found.high for found in map(interval, samples)]
    assert 0.935 < np.mean(inside) < 0.965


def test_one_value_has_no_limits_and_none_has_no_interval():
    assert interval([0.3]) == (0.3, -math.inf, math.inf)
    for values in ([], [1.0, math.nan], [math.inf]):
        with pytest.raises(ValueError, match="expected one or more finite numbers"):
            interval(values)


@pytest.mark.parametrize(("values", "limits", "expected", "why"), [
    ([1.0, 1.2, 0.9, 1.1, 1.0], POSITIVE, "holds", "lies between"),
    ([-1.0, -1.2, -0.9], POSITIVE, "does not hold", "lies outside"),
    ([1.0, -1.2, 0.9], POSITIVE, "cannot be told", "includes a limit"),
    ([2.0, 2.1, 1.9], {"low": -1, "high": 1}, "does not hold", "lies outside"),
    ([0.1, -0.1, 0.2, 0.0], {"low": -1, "high": 1}, "holds", "lies between"),
    ([0.9, 1.1, 1.0], {"low": -1, "high": 1}, "cannot be told", "includes a limit"),
    ([5.0, -5.0], {"low": -1, "high": 1}, "cannot be told", "includes a limit"),        # both limits
    ([7.0], POSITIVE, "cannot be told", "one seed"),
    ([7.0, 7.0, 7.0], POSITIVE, "cannot be told", "same number"),
    ([0.0, 0.0], POSITIVE, "cannot be told", "same number"),
    ([], POSITIVE, "cannot be told", "not measured"),
    ([7.0, 7.1, None], POSITIVE, "cannot be told", "1 of 3 runs failed"),
    ([math.nan, math.inf, 1.0], POSITIVE, "cannot be told", "2 of 3 runs failed"),
    ([None], POSITIVE, "cannot be told", "1 of 1 runs failed")])
def test_each_verdict(values, limits, expected, why):
    verdict, because, found = decide(values, **limits)
    assert verdict == expected
    assert why in because
    assert (found is not None) == ("interval" in because)


@pytest.mark.parametrize(("values", "expected"), [
    ([1e-15], "holds"), ([0.0, 0.0], "holds"), ([1e-15, 2e-9], "cannot be told"), ([1e-12], "does not hold"),
    ([math.nan], "cannot be told"), ([], "cannot be told")])
def test_what_is_computed_needs_one_value(values, expected):
    verdict, _, found = decide(values, -math.inf, 1e-12, exact=True)
    assert verdict == expected
    if found:
        assert found[1:] == (min(values), max(values))


def test_a_limit_itself_is_outside():
    half = interval([0.0, 2.0]).high - 1                        # moves the interval so that its end is the limit
    assert decide([half, half + 2], low=interval([half, half + 2]).low, high=math.inf)[0] == "cannot be told"
    assert decide([half, half + 2], low=interval([half, half + 2]).high, high=math.inf)[0] == "does not hold"


@pytest.mark.parametrize(("verdicts", "expected"), [
    (["holds", "holds"], "holds"), (["holds", "cannot be told"], "cannot be told"), ([], "cannot be told"),
    (["cannot be told", "does not hold"], "does not hold"), (["holds", "does not hold"], "does not hold")])
def test_several_quantities(verdicts, expected):
    assert together(verdicts) == expected


def test_arms_are_paired_by_seed():
    one, other = {0: 0.5, 1: 0.7, 2: 0.4, 4: 1.0}, {2: 0.1, 0: 0.4, 1: None, 3: 0.2}
    assert paired(one, other, 100) == pytest.approx({0: 10.0, 1: None, 2: 30.0})
    assert ratio(one, other | {0: 0.0}) == pytest.approx({0: None, 1: None, 2: 4.0})


def test_pairs_tell_what_unpaired_values_hide():
    one, other = [0.30, 0.50, 0.70, 0.90], [0.29, 0.48, 0.69, 0.88]           # seeds differ more than arms
    assert decide(list(paired(dict(enumerate(one)), dict(enumerate(other))).values()), **POSITIVE)[0] == "holds"
    assert stats.ttest_ind(one, other).pvalue > 0.9


@pytest.mark.parametrize(("value", "expected"), [
    (3, 3.0), ([1, 2.5], 2.5), ([], None), (None, None), ("3", None), (math.nan, None), ([0.1, None], None)])
def test_what_counts_as_a_number(value, expected):
    assert number(value) == expected


def line(arm, seed, accuracy):
    result = {"failed": "the loss is no number"} if accuracy is None else {"result": {"test_accuracy": [0.1, accuracy]}}
    return {"arm": arm, "seed": seed, "settings": {}, "seconds": 1.0, **result}


@pytest.mark.parametrize(("accuracies", "expected"), [
    ([(0.5, 0.4), (0.6, 0.49), (0.55, 0.44)], "holds"), ([(0.4, 0.5), (0.49, 0.6), (0.44, 0.55)], "does not hold"),
    ([(0.5, 0.4), (0.4, 0.5)], "cannot be told"), ([(0.5, 0.4)], "cannot be told"), ([], "cannot be told"),
    ([(0.5, 0.4), (0.6, None), (0.55, 0.44)], "cannot be told")])
def test_a_claim_is_judged_from_runs(accuracies, expected):
    claim = Claim("small is better", "table 3", "5 points", "small - large", lambda runs: [
        Part("gain", paired(runs.values("small"), runs.values("large"), 100))], low=0)
    runs = Runs([line(arm, seed, value) for seed, pair in enumerate(accuracies)
                 for arm, value in zip(("small", "large"), pair, strict=True)])
    found = judge(claim, runs)
    assert found["verdict"] == expected
    assert found["limits"] == "above 0"
    assert len(found["parts"][0]["values"]) == len(accuracies)


def test_the_rule_names_the_verdicts():
    assert all(f"**{verdict}**" in RULE for verdict in ("holds", "does not hold", "cannot be told"))
