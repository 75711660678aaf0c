"""Mean 1/(4πr²) over detectors: closed forms, Monte Carlo, limits, gradients, refusals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad

from jaxnu.errors import InputError
from jaxnu.flux import Cylinder, Point, Sphere, mean_inverse_square

SAMPLES = 400_000


def sampled(geometry):
    """(mean, its standard error) of 1/(4πr²) in 1/cm² over random points of the detector."""
    rng = np.random.default_rng(20)
    if isinstance(geometry, Sphere):
        direction = rng.normal(size=(SAMPLES, 3))
        direction /= np.linalg.norm(direction, axis=1)[:, None]
        low, high = geometry.inner_radius_m**3, geometry.radius_m**3
        x = direction * np.cbrt(low + (high - low) * rng.random(SAMPLES))[:, None]
        x[:, 0] -= geometry.distance_m
    else:
        rho = geometry.radius_m * np.sqrt(rng.random(SAMPLES))
        phi = 2.0 * np.pi * rng.random(SAMPLES)
        z = geometry.height_m * (rng.random(SAMPLES) - 0.5) - geometry.elevation_m
        x = np.stack([rho * np.cos(phi) - geometry.distance_m, rho * np.sin(phi), z], axis=1)
    values = 1e-4 / (4.0 * np.pi * np.sum(x**2, axis=1))
    return values.mean(), values.std() / math.sqrt(SAMPLES)


@pytest.mark.parametrize(
    "geometry",
    [
        Sphere(1.0, 3.0), Sphere(1.0, 1.2), Sphere(1.0, 1.6, 0.8), Sphere(2.0, 0.0, 1.0),
        Sphere(2.0, 0.5, 1.0), Cylinder(1.0, 2.0, 3.0), Cylinder(0.6, 1.5, 1.0, 0.9),
        Cylinder(1.0, 0.5, 0.4, 0.8), Cylinder(0.3, 4.0, 1.0), Cylinder(1.0, 0.1, 1.3, 0.0),
    ],
    ids=repr,
)  # fmt: skip
def test_against_random_points(geometry):
    mean, error = sampled(geometry)
    got = float(mean_inverse_square(geometry))
    pull = (got - mean) / error
    print(f"{geometry}: {got:.6e} /cm², sampled {mean:.6e} ± {error:.1e}, {pull:+.1f} σ")
    assert abs(pull) < 4.0 and error < 0.01 * mean


def test_point_is_the_inverse_square():
    assert float(mean_inverse_square(Point(10.0))) == pytest.approx(1 / (4 * math.pi * 1e6))


def test_closed_forms_with_the_source_inside(agree):
    """A sphere and a shell around the source, and the source in the middle of a cylinder."""
    four_pi_cm2 = 4.0 * math.pi * 1e4
    agree("ball", mean_inverse_square(Sphere(2.0)), 3 / (4 * four_pi_cm2), 1e-13)
    shell = 3 * (2.0 - 0.5) / ((8.0 - 0.125) * four_pi_cm2)
    agree("shell", mean_inverse_square(Sphere(2.0, 0.0, 0.5)), shell, 1e-13)
    R, h = 0.7, 0.9  # half of the height
    # ∫ ln(1 + R²/ζ²) dζ = ζ ln(1 + R²/ζ²) + 2R arctan(ζ/R)
    primitive = h * math.log(1 + (R / h) ** 2) + 2 * R * math.atan(h / R)
    middle = 2 * primitive / (four_pi_cm2 * R**2 * 2 * h)
    agree("cylinder", mean_inverse_square(Cylinder(R, 2 * h)), middle, 1e-11)


def test_surface_of_a_sphere():
    """Three times 1/(8πR²): continuous from both sides."""
    exact = 3.0 / (8.0 * math.pi * 1e4)
    values = [float(mean_inverse_square(Sphere(1.0, d))) for d in (1 - 1e-9, 1.0, 1 + 1e-9)]
    np.testing.assert_allclose(values, exact, rtol=1e-7)


@pytest.mark.parametrize("x", [0.2999999, 0.3000001])
def test_series_and_closed_form_meet(x, agree):
    closed = 1.5 * (x - (1 - x**2) * math.atanh(x)) / x**3
    got = float(mean_inverse_square(Sphere(x, 1.0))) * 4 * math.pi * 1e4
    agree(f"h({x})", got, closed, 1e-13)


@pytest.mark.parametrize("elevation", [0.0, 0.6, 3.0])
@pytest.mark.parametrize("distance", [0.5, 0.9, 1.1, 4.0])
def test_cylinder_against_an_adaptive_rule(distance, elevation, agree):
    """Over ρ and ζ, the angle done: ∫dφ/(A − B cos φ) = 2π/√(A² − B²)."""
    R, H, s, z = 1.0, 1.0, distance, elevation
    low, high = -0.5 * H - z, 0.5 * H - z

    def ring(u, zeta):
        """u = ρ², so that ρ dρ = du/2."""
        A = u + s**2 + zeta**2
        return 1.0 / math.sqrt(max(A**2 - 4.0 * u * s**2, 1e-300))

    parts = [(low, 0.0), (0.0, high)] if low < 0.0 < high else [(low, high)]
    total = 0.0
    for a, b in parts:
        for c, d in ((0.0, min(s**2, R**2)), (min(s**2, R**2), R**2)):
            if d > c:
                total += dblquad(ring, a, b, c, d, epsabs=0, epsrel=1e-7)[0]
    exact = 1e-4 * total / (4.0 * math.pi * R**2 * H)
    got = float(mean_inverse_square(Cylinder(R, H, s, z)))
    agree(f"s = {s} m, z = {z} m", got, exact, 1e-6)


@pytest.mark.parametrize(
    "geometry", [Sphere(0.5, 500.0, 0.2), Cylinder(0.5, 0.4, 300.0, 400.0)], ids=repr
)
def test_far_away_a_detector_is_a_point(geometry):
    ratio = float(mean_inverse_square(geometry) / mean_inverse_square(Point(500.0)))
    print(f"{geometry}: {ratio - 1:+.1e} beside a point")
    assert abs(ratio - 1) < 1e-6


def test_a_sphere_far_away_to_second_order(agree):
    """1/d² (1 + R²/(5d²)): what is left after the point."""
    ratio = mean_inverse_square(Sphere(1.0, 100.0)) / mean_inverse_square(Point(100.0))
    agree("second order", float(ratio) - 1.0, 2e-5, 1e-4)


CASES = {
    "Point": (Point, (3.0,)),
    "Sphere outside": (Sphere, (1.0, 2.5, 0.3)),
    "Sphere inside": (Sphere, (2.0, 0.7, 0.3)),
    "Shell": (Sphere, (2.0, 0.3, 1.0)),
    "Cylinder outside": (Cylinder, (1.0, 2.0, 1.7, 0.4)),
    "Cylinder above": (Cylinder, (1.0, 2.0, 0.3, 1.9)),
    "Cylinder inside": (Cylinder, (1.0, 2.0, 0.3, 0.4)),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_against_differences(case, slope, agree):
    kind, lengths = CASES[case]
    lengths = np.array(lengths)
    value = jax.jit(lambda x: 1e4 * mean_inverse_square(kind(*x)))
    got = jax.grad(value)(jnp.asarray(lengths))
    for i, unit in enumerate(np.eye(len(lengths))):
        moved = slope(lambda h, unit=unit: float(value(lengths + h * unit)), 0.0, 1e-3)
        agree(f"{case}, d/d length {i}", got[i], moved, 1e-7, scale=np.max(np.abs(got)))


def test_gradients_are_finite_at_the_symmetric_places():
    for kind, lengths in (
        (Sphere, (1.0, 0.0, 0.0)), (Cylinder, (1.0, 2.0, 0.0, 0.0)),
        (Cylinder, (1.0, 2.0, 0.0, 1.0)), (Cylinder, (1.0, 2.0, 3.0, 1.0)),
    ):  # fmt: skip
        gradient = jax.grad(lambda x, kind=kind: mean_inverse_square(kind(*x)))(list(lengths))
        print(kind.__name__, lengths, [float(g) for g in gradient])
        assert np.all(np.isfinite(gradient))
        # a greater detector around or beside the source has a smaller mean flux
        assert float(gradient[0]) < 0.0 or kind is Cylinder


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (Point(0.0), "distance_m = 0"),
        (Point(-1.0), "distance_m = -1"),
        (Point([1.0, 2.0]), "not one number"),
        (Sphere(float("nan")), "radius_m = nan"),
        (Sphere(1.0, 2.0, 1.0), "inner_radius_m = 1"),
        (Sphere(1.0, -2.0), "distance_m = -2"),
        (Cylinder(0.0, 1.0), "radius_m = 0"),
        (Cylinder(1.0, -1.0), "height_m = -1"),
        (Cylinder(1.0, 1.0, "near"), "distance_m = 'near'"),
        (10.0, "Point, Sphere, Cylinder"),
    ],
)
def test_bad_lengths_are_named_in_one_line(geometry, words):
    with pytest.raises(InputError, match=words) as raised:
        mean_inverse_square(geometry)
    print(raised.value)
    assert "\n" not in str(raised.value)
