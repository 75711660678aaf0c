"""3j symbols: known values, orthogonality, symmetries, a recurrence-free exact check."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from jaxnu.errors import InputError
from jaxnu.numerics.wigner import clebsch_gordan, squared_3j_zero, wigner_3j

rng = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("symbol", "sign", "square"),
    [
        ((1, 1, 0, 0, 0, 0), -1, Fraction(1, 3)),
        ((1, 1, 2, 0, 0, 0), 1, Fraction(2, 15)),
        ((1, 1, 2, 1, 1, -2), 1, Fraction(1, 5)),
        ((1, 1, 1, 1, -1, 0), 1, Fraction(1, 6)),
        ((2, 1, 1, 1, -1, 0), -1, Fraction(1, 10)),
        ((2, 2, 2, 0, 0, 0), -1, Fraction(2, 35)),
        ((3, 2, 1, 0, 0, 0), -1, Fraction(3, 35)),
        ((2, 6, 4, 0, 0, 0), 1, Fraction(5, 143)),
    ],
)
def test_known_values(symbol, sign, square):
    assert wigner_3j(*symbol) == pytest.approx(sign * math.sqrt(square), rel=1e-15)


def test_clebsch_gordan_of_two_unit_vectors():
    """Textbook 1 × 1 table."""
    half, third, sixth = math.sqrt(1 / 2), math.sqrt(1 / 3), math.sqrt(1 / 6)
    table = {
        (1, 1, 2, 2): 1.0, (1, 0, 2, 1): half, (1, 0, 1, 1): half, (0, 1, 1, 1): -half,
        (1, -1, 2, 0): sixth, (0, 0, 2, 0): math.sqrt(2 / 3), (1, -1, 1, 0): half,
        (0, 0, 1, 0): 0.0, (1, -1, 0, 0): third, (0, 0, 0, 0): -third, (-1, 1, 1, 0): -half,
    }  # fmt: skip
    for (m1, m2, L, M), value in table.items():
        assert clebsch_gordan(1, m1, 1, m2, L, M) == pytest.approx(value, abs=1e-15)


def test_largest_projection_closed_form():
    """(l L l+L; l L −l−L) = 1/sqrt(2(l+L)+1), to l + L = 223."""
    for l, L in [(3, 220), (0, 220), (2, 17), (100, 120)]:
        value = wigner_3j(l, L, l + L, l, L, -l - L)
        assert value == pytest.approx(1 / math.sqrt(2 * (l + L) + 1), rel=1e-14)


def test_orthogonality():
    """Σ_{m1} (2j+1) (l1 l2 j; m1 m2 −m)(l1 l2 j'; m1 m2 −m) = δ_jj'."""
    worst = 0.0
    for l, L in [(1, 4), (3, 3), (3, 57), (3, 220), (2, 219), (40, 42)]:
        for m in (0, 1, min(l, L)):
            lowest = max(m, L - l)
            allowed = range(lowest, min(L + l, lowest + 6) + 1)
            rows = np.array(
                [[wigner_3j(l, L, j, m1, m - m1, -m) for m1 in range(-l, l + 1)] for j in allowed]
            )
            overlap = (2 * np.array(allowed)[:, None] + 1) * rows @ rows.T
            worst = max(worst, np.max(np.abs(overlap - np.eye(len(rows)))))
    print(f"orthogonality: {worst:.2e}")
    assert worst < 1e-12


def test_symmetries():
    """Even permutations equal, odd permutations and m → −m carry (−1)^{l1+l2+l3}."""
    checked = 0
    for _ in range(400):
        l1, l2 = rng.integers(0, 5), rng.integers(0, 221)
        l3 = rng.integers(abs(l1 - l2), l1 + l2 + 1)
        m1, m2 = rng.integers(-l1, l1 + 1), rng.integers(-l2, l2 + 1)
        columns = [(l1, m1), (l2, m2), (l3, -m1 - m2)]
        value = wigner_3j(l1, l2, l3, m1, m2, -m1 - m2)
        sign = (-1) ** int(l1 + l2 + l3)
        for order in itertools.permutations(range(3)):
            (a, x), (b, y), (c, z) = (columns[i] for i in order)
            odd = order in [(0, 2, 1), (1, 0, 2), (2, 1, 0)]
            expected = value * (sign if odd else 1)
            assert wigner_3j(a, b, c, x, y, z) == pytest.approx(expected, rel=1e-14)
            assert wigner_3j(a, b, c, -x, -y, -z) == pytest.approx(expected * sign, rel=1e-14)
        checked += value != 0.0
    assert checked > 200


def test_gaunt_integral():
    """2 (l1 l2 l3; 0 0 0)² = ∫ P_l1 P_l2 P_l3 dx, by quadrature, to l' = 220."""
    x, w = np.polynomial.legendre.leggauss(240)
    P = np.polynomial.legendre.legvander(x, 224).T
    worst = 0.0
    for l in range(5):
        for L in (0, 1, 2, 3, 30, 101, 219, 220):
            for l3 in range(abs(L - l), L + l + 1):
                integral = 0.5 * np.sum(w * P[l] * P[L] * P[l3])
                values = wigner_3j(l, L, l3, 0, 0, 0) ** 2, squared_3j_zero(l, L, l3)
                worst = max(worst, *(abs(v - integral) / (abs(integral) + 1e-3) for v in values))
    print(f"Gaunt integral: {worst:.2e}")
    assert worst < 1e-11


def test_squared_table_agrees_with_exact_symbols():
    l, L = np.arange(4)[:, None, None], np.arange(0, 221, 5)[:, None]
    l3 = np.maximum(L - 4 + np.arange(9), 0)
    table = squared_3j_zero(l, L, l3)
    exact = np.vectorize(lambda *a: wigner_3j(*map(int, a), 0, 0, 0) ** 2)(l, L, l3)
    worst = np.max(np.abs(table - exact) / np.maximum(exact, 1e-300) * (exact > 0))
    print(f"squared table, relative: {worst:.2e}")
    assert worst < 1e-12
    assert not table[exact == 0].any()


def test_selection_rules():
    assert wigner_3j(1, 2, 4, 0, 0, 0) == 0.0
    assert wigner_3j(1, 1, 1, 0, 0, 0) == 0.0
    assert wigner_3j(1, 1, 2, 1, 1, -1) == 0.0
    assert wigner_3j(1, 1, 2, 2, -2, 0) == 0.0


@pytest.mark.parametrize(
    ("symbol", "word"), [((0.5, 0.5, 1, 0, 0, 0), "l1 = 0.5"), ((1, -1, 1, 0, 0, 0), "l2 = -1")]
)
def test_bad_inputs_are_named(symbol, word):
    with pytest.raises(InputError, match=word):
        wigner_3j(*symbol)
