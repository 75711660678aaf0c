"""Feldman–Cousins intervals against the tables of Phys. Rev. D 57 (1998) 3873 (90%)."""

import numpy as np
import pytest
from scipy.stats import poisson

from jaxnu import InputError
from jaxnu.inference.counting import counting_interval

TABLE = {
    (0, 0): ("0", "2.44"),
    (1, 0): ("0.11", "4.36"),
    (3, 0): ("1.10", "7.42"),
    (5, 0): ("1.84", "9.99"),
    (10, 0): ("5.50", "16.50"),
    (1, 3): ("0", "1.88"),
    (3, 3): ("0", "4.42"),
    (5, 3): ("0", "6.99"),
    (10, 3): ("2.63", "13.50"),
    (5, 5): ("0", "4.99"),
    (10, 5): ("1.19", "11.50"),
    (0, 3): ("0", "1.08"),
}


@pytest.mark.parametrize(("n", "b"), TABLE)
def test_published_intervals_to_the_digits_shown(n, b):
    low, high = counting_interval(n, b)
    expected = TABLE[n, b]
    print(f"n = {n}, b = {b}: [{low:.4f}, {high:.4f}], published {expected}")
    for got, text in zip((low, high), expected, strict=True):
        # the paper's own steps of 0.005 may move the last digit's rounding
        assert abs(got - float(text)) <= 0.0051, (n, b)


def test_the_plain_construction_differs_where_the_paper_says_so():
    plain, published = (counting_interval(0, 3.0, rule=r)[1] for r in ("plain", "published"))
    print(f"n = 0, b = 3: plain {plain:.4f}, published {published:.4f}")
    assert round(plain, 2) == 0.95 and round(published, 2) == 1.08


def test_published_limits_do_not_rise_with_b():
    limits = np.array([[counting_interval(n, b)[1] for b in (0, 1, 2, 2.5, 3, 4)] for n in (0, 2)])
    print(limits)
    assert np.all(np.diff(limits, axis=1) <= 1e-6)
    plain = [counting_interval(0, b, rule="plain")[1] for b in np.arange(2.0, 4.0, 0.25)]
    assert np.any(np.diff(plain) > 0.0), "the plain construction is known to rise"


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_coverage_of_the_plain_construction(confidence):
    """At least CL at every μ: the intervals that hold μ have CL of the probability."""
    b, worst = 1.3, 1.0
    intervals = [counting_interval(n, b, confidence, "plain") for n in range(25)]
    for mu in np.linspace(0.05, 6.0, 40):
        inside = [low <= mu <= high for low, high in intervals]
        worst = min(worst, float(np.sum(poisson.pmf(np.arange(25), mu + b)[inside])))
    print(f"CL {confidence}: least coverage {worst:.4f}")
    assert worst >= confidence - 1e-9


BAD = ({"n": -1}, {"n": 1.5}, {"b": -1.0}, {"b": np.nan}, {"confidence": 1.0}, {"rule": "exact"})


@pytest.mark.parametrize("change", BAD)
def test_bad_input(change):
    with pytest.raises(InputError, match=next(iter(change))):
        counting_interval(**{"n": 1, "b": 1.0, **change})
