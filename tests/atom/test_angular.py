"""Angular factors of S and R against closure and brute-force integration in three dimensions."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import loggamma, sph_harm_y, spherical_jn

from jaxnu.atom.angular import current_factors, density_factors, gradient_parts
from jaxnu.errors import InputError

FINAL_MAX = 220


@pytest.mark.parametrize("l", [0, 1, 2, 3])
def test_density_closure(l):
    """Σ_{l'} (2l'+1)(l L l'; 000)² = 1 for each L whose l' are all in the table."""
    factors = density_factors(l, FINAL_MAX)
    total = np.zeros(FINAL_MAX + l + 1)
    np.add.at(total, np.asarray(factors.order), np.asarray(factors.weight))
    complete = np.arange(FINAL_MAX - l + 1)
    worst = np.max(np.abs(total[complete] / (2 * complete + 1) - 1.0))
    print(f"closure, l = {l}: {worst:.2e}")
    assert factors.weight.shape == (FINAL_MAX + 1, l + 1)
    assert worst < 1e-12


def test_s_shell_closed_forms():
    """l = 0: S weight 2l'+1 at L = l'; R is the square of one combination of j_{l'∓1}."""
    final = np.arange(FINAL_MAX + 1)
    density, current = density_factors(0, FINAL_MAX), current_factors(0, FINAL_MAX)
    np.testing.assert_array_equal(density.order[:, 0], final)
    np.testing.assert_allclose(density.weight[:, 0], 2 * final + 1, rtol=1e-13)
    # by parts ∫ sin²θ P_l'(c)' e^{ixc} dc = l'(l'+1) 2i^{l'−1} j_l'/x, and (2l'+1) j_l'/x is
    # j_{l'−1} + j_{l'+1}
    size = 0.5 * final * (final + 1) / (2 * final + 1.0)
    expected = size[:, None, None] * np.ones((2, 2))
    np.testing.assert_allclose(current.matrix, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("l", [0, 1, 2, 3])
def test_current_matrices_are_positive_semidefinite(l):
    factors = current_factors(l, FINAL_MAX)
    matrix = np.asarray(factors.matrix)
    assert matrix.shape == (FINAL_MAX + 1, 2 * l + 2, 2 * l + 2)
    assert np.asarray(factors.raised).tolist() == [False] * l + [True] * (l + 2)
    np.testing.assert_array_equal(matrix, np.swapaxes(matrix, 1, 2))
    values = np.linalg.eigvalsh(matrix)
    lowest = np.min(values[:, 0] / np.maximum(values[:, -1], 1e-300) * (values[:, -1] > 0))
    print(f"lowest eigenvalue over highest, l = {l}: {lowest:.2e}")
    assert lowest > -1e-13
    # slots outside the triangle carry nothing
    orders, final = np.asarray(factors.order), np.arange(FINAL_MAX + 1)[:, None]
    lam = np.where(factors.raised, l + 1, l - 1)
    outside = (orders < np.abs(final - lam)) | (orders > final + lam)
    assert not matrix[outside].any()


@pytest.mark.parametrize("l", [0, 1, 2, 3])
def test_current_trace_closure(l):
    """At given L the final states are complete: Σ_{l'} matrix_aa is a mean of (2L+1)² P_L².

    Its angular weight is Σ_M |e·Y_{lλM}|²/(2l+1) = A + B sin²θ/2 with 3A + B = 1/4π (the norm)
    and A + B = (l+1)/(2l+1)/4π for λ = l + 1, l/(2l+1)/4π for λ = l − 1 (the radial part).
    """
    factors = current_factors(l, 120)
    x, w = np.polynomial.legendre.leggauss(130)
    for raised in (False, True):
        columns = np.asarray(factors.raised) == raised
        if not columns.any():
            continue
        diagonal = np.einsum("faa->fa", np.asarray(factors.matrix))[:, columns]
        total = np.zeros(120 + l + 2)
        np.add.at(total, np.asarray(factors.order)[:, columns], diagonal)
        radial = (l + 1 if raised else l) / (2 * l + 1)
        A = 0.5 * (1.0 - radial)
        weight = 0.5 * w * (A + (radial - A) * 0.5 * (1.0 - x**2))
        L = np.arange(100)
        P = np.polynomial.legendre.legvander(x, 99)
        expected = (2 * L + 1) ** 2 * (weight @ P**2)
        worst = np.max(np.abs(total[:100] / expected - 1.0))
        print(f"trace closure, l = {l}, raised = {raised}: {worst:.2e}")
        assert worst < 1e-12


# Real solid harmonics (unnormalised polynomials) with gradients, for an independent ∇ψ
def _polynomials(l):
    if l == 0:
        c = 1 / (4 * np.pi)
        return [(lambda x, y, z: 1.0 + 0 * x, lambda x, y, z: (0 * x, 0 * x, 0 * x), c)]
    if l == 1:
        c, zero = 3 / (4 * np.pi), lambda x: 0 * x
        return [
            (lambda x, y, z: x, lambda x, y, z: (1 + zero(x), zero(x), zero(x)), c),
            (lambda x, y, z: y, lambda x, y, z: (zero(x), 1 + zero(x), zero(x)), c),
            (lambda x, y, z: z, lambda x, y, z: (zero(x), zero(x), 1 + zero(x)), c),
        ]
    if l == 3:
        return _cubic_polynomials()
    c = 15 / (4 * np.pi)
    return [
        (lambda x, y, z: x * y, lambda x, y, z: (y, x, 0 * x), c),
        (lambda x, y, z: y * z, lambda x, y, z: (0 * x, z, y), c),
        (lambda x, y, z: z * x, lambda x, y, z: (z, 0 * x, x), c),
        (lambda x, y, z: x * x - y * y, lambda x, y, z: (2 * x, -2 * y, 0 * x), c / 4),
        (
            lambda x, y, z: 2 * z * z - x * x - y * y,
            lambda x, y, z: (-2 * x, -2 * y, 4 * z),
            c / 12,
        ),
    ]


def _cubic_polynomials():
    """f functions; each gradient by hand, r² = x² + y² + z²."""
    c = 7 / (32 * np.pi)

    def r2(x, y, z):
        return x * x + y * y + z * z

    return [
        (lambda x, y, z: x * y * z, lambda x, y, z: (y * z, x * z, x * y), 120 * c),
        (
            lambda x, y, z: z * (x * x - y * y),
            lambda x, y, z: (2 * x * z, -2 * y * z, x * x - y * y),
            30 * c,
        ),
        (
            lambda x, y, z: x * (5 * z * z - r2(x, y, z)),
            lambda x, y, z: (4 * z * z - 3 * x * x - y * y, -2 * x * y, 8 * x * z),
            3 * c,
        ),
        (
            lambda x, y, z: y * (5 * z * z - r2(x, y, z)),
            lambda x, y, z: (-2 * x * y, 4 * z * z - x * x - 3 * y * y, 8 * y * z),
            3 * c,
        ),
        (
            lambda x, y, z: z * (5 * z * z - 3 * r2(x, y, z)),
            lambda x, y, z: (-6 * x * z, -6 * y * z, 6 * z * z - 3 * x * x - 3 * y * y),
            2 * c,
        ),
        (
            lambda x, y, z: x * (x * x - 3 * y * y),
            lambda x, y, z: (3 * x * x - 3 * y * y, -6 * x * y, 0 * z),
            5 * c,
        ),
        (
            lambda x, y, z: y * (3 * x * x - y * y),
            lambda x, y, z: (6 * x * y, 3 * x * x - 3 * y * y, 0 * z),
            5 * c,
        ),
    ]


def _bound_radial(s):
    """h(s), h'(s) with ψ = h(r²) · solid harmonic; a node makes it less special than a Gaussian."""
    return (1.0 - 0.4 * s) * np.exp(-0.7 * s), (-0.4 - 0.7 * (1.0 - 0.4 * s)) * np.exp(-0.7 * s)


def _final_radial(r, final):
    """A stand-in for P_εl'/r."""
    return r**final * np.exp(-0.45 * r**2) * (1.0 + 0.3 * r)


Q = 1.7
GRID = 60


@pytest.mark.parametrize(("l", "final"), [*itertools.product([0, 1, 2, 3], [0, 1, 2, 3, 5])])
def test_against_integration_in_three_dimensions(l, final):
    """Σ_{M m'} |<l'm'| e^{iQz} ∂_x |nlM>|²/(2l+1) and the same for the density, by quadrature."""
    x, wx = np.polynomial.legendre.leggauss(GRID)
    r, wr = 4.5 * (x + 1.0), 4.5 * wx
    phi = 2 * np.pi * np.arange(24) / 24
    R, C, F = np.meshgrid(r, x, phi, indexing="ij")
    weight = wr[:, None, None] * wx[:, None] * R**2 * (2 * np.pi / 24)
    X, Y, Z = R * np.sqrt(1 - C**2) * np.cos(F), R * np.sqrt(1 - C**2) * np.sin(F), R * C
    wave = np.exp(1j * Q * Z) * _final_radial(R, final) * weight
    finals = [sph_harm_y(final, m, np.arccos(C), F).conj() * wave for m in range(-final, final + 1)]
    h, dh = _bound_radial(R**2)
    S = R_x = R_y = 0.0
    for shape, gradient, norm in _polynomials(l):
        value = shape(X, Y, Z)
        gx, gy, _ = gradient(X, Y, Z)
        for state in finals:
            S += norm * abs(np.sum(state * h * value)) ** 2
            R_x += norm * abs(np.sum(state * (h * gx + 2 * X * dh * value))) ** 2
            R_y += norm * abs(np.sum(state * (h * gy + 2 * Y * dh * value))) ** 2
    S, R_x, R_y = S / (2 * l + 1), R_x / (2 * l + 1), R_y / (2 * l + 1)

    h, dh = _bound_radial(r**2)
    P = r ** (l + 1) * h
    dP = (l + 1) * r**l * h + 2 * r ** (l + 2) * dh
    P_final = r * _final_radial(r, final)
    j = np.stack([spherical_jn(L, Q * r) for L in range(final + l + 2)])
    density, current = density_factors(l, final), current_factors(l, final)
    integrals = np.sum(wr * P_final * P * j[np.asarray(density.order)[final]], axis=-1)
    S_formula = np.sum(np.asarray(density.weight)[final] * integrals**2)
    g = np.asarray(gradient_parts(l, r, P, dP))[np.asarray(current.raised).astype(int)]
    v = np.sum(wr * P_final * g * j[np.asarray(current.order)[final]], axis=-1)
    R_formula = v @ np.asarray(current.matrix)[final] @ v
    label = f"l = {l}, l' = {final}"
    print(f"{label}: ΔS {S_formula - S:.1e} of {S:.1e}, ΔR {R_formula - R_x:.1e} of {R_x:.1e}")
    assert S_formula == pytest.approx(S, rel=1e-9)
    assert R_x == pytest.approx(R_y, rel=1e-9, abs=1e-20)
    assert R_formula == pytest.approx(R_x, rel=1e-9, abs=1e-20)


@pytest.mark.parametrize(
    ("T", "Q", "S", "R"),
    [
        (0.75, 1.0, 0.589676953553, 0.20884392105),
        (1.0, 0.5, 0.0485802887065, 0.143532671178),
        (2.0, 2.0, 0.408780093275, 0.102195023319),
    ],
)
def test_hydrogen_continuum(T, Q, S, R):
    """1s with exact Coulomb waves, integrated outward per unit energy, against closed forms."""
    k = math.sqrt(2 * T - 1.0)
    eta, final_max = -1.0 / k, 24
    x, w = np.polynomial.legendre.leggauss(160)
    r, w = 22.0 * (x + 1.0) + 1e-9, 22.0 * w
    P, dP = 2 * r * np.exp(-r), 2 * (1 - r) * np.exp(-r)
    density, current = density_factors(0, final_max), current_factors(0, final_max)
    g = np.asarray(gradient_parts(0, r, P, dP))[1]
    total_S = total_R = 0.0
    for l in range(final_max + 1):
        log_C = l * math.log(2) - math.pi * eta / 2 + loggamma(l + 1 + 1j * eta).real
        start = 0.02 * (l + 1)
        value, slope = _series(eta, l, k * start)
        C = math.sqrt(2 / (math.pi * k)) * math.exp(log_C - math.lgamma(2 * l + 2)) * k ** (l + 1)
        run = solve_ivp(
            lambda r, y, l=l: [y[1], (l * (l + 1) / r**2 - 2 / r - k * k) * y[0]],
            (start, r[-1]), [C * value * start ** (l + 1), C * slope * start**l],
            method="DOP853", rtol=1e-11, atol=1e-300, dense_output=True,
        )  # fmt: skip
        # below the start the power series itself
        inner = r < start
        P_final = np.where(inner, 0.0, run.sol(np.maximum(r, start))[0])
        P_final[inner] = C * r[inner] ** (l + 1) * _series(eta, l, k * r[inner])[0]
        j = np.stack([spherical_jn(L, Q * r) for L in range(l + 2)])
        row = np.asarray(density.order)[l]
        if l == 0:
            overlap = np.sum(w * P_final * P * (j[0] - 1.0))
            total_S += overlap**2
        else:
            total_S += np.asarray(density.weight)[l, 0] * np.sum(w * P_final * P * j[row[0]]) ** 2
        v = np.sum(w * P_final * g * j[np.asarray(current.order)[l]], axis=-1)
        total_R += v @ np.asarray(current.matrix)[l] @ v
    print(f"T = {T}, Q = {Q}: S {total_S / S - 1:.1e}, R {total_R / R - 1:.1e}")
    assert total_S == pytest.approx(S, rel=1e-8)
    assert total_R == pytest.approx(R, rel=1e-8)


def _series(eta, l, rho):
    """F_l/(C ρ^{l+1}) and F_l'/(C ρ^l), DLMF 33.6."""
    value, slope, a, b = 0.0 * rho, 0.0 * rho, 1.0, eta / (l + 1)
    for n in range(60):
        value, slope = value + a * rho**n, slope + (n + l + 1) * a * rho**n
        a, b = b, (2 * eta * b - a) / ((n + 2) * (n + 2 * l + 3))
    return value, slope


@pytest.mark.parametrize(("l", "final_max", "word"), [(-1, 3, "l = -1"), (1, 999, "final_max")])
def test_bad_inputs_are_named(l, final_max, word):
    for table in (density_factors, current_factors):
        with pytest.raises(InputError, match=word):
            table(l, final_max)
