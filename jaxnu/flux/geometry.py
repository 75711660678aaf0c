"""Flux of a point source, averaged over a detector near it."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks, precision
from jaxnu.errors import InputError
from jaxnu.flux.spectrum import check_scalar
from jaxnu.numerics.quadrature import panel_nodes

LENGTH_MAX_m = 1e4
SERIES_BELOW = 0.3  # the closed form of `_sphere_factor` loses digits like x² below
SERIES_TERMS = 20  # 0.3^40 is below rounding
HEIGHT_PANELS, HEIGHT_ORDER = 8, 16  # of the integral over the height of a cylinder
# ζ = x t⁴: the logarithm at the source's height, and a source beside the wall, need fine steps
HEIGHT_POWER = 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Point:
    """A detector that is small beside its distance from the source."""

    distance_m: ArrayLike


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sphere:
    """A ball, or a spherical shell with a hollow of inner_radius_m.

    distance_m: from its centre to the source, which may stand inside: 0 for a shell around it.
    """

    radius_m: ArrayLike
    distance_m: ArrayLike = 0.0
    inner_radius_m: ArrayLike = 0.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Cylinder:
    """An upright cylinder.

    distance_m: of the source from its axis. elevation_m: of the source above its middle. The
    source may stand inside.
    """

    radius_m: ArrayLike
    height_m: ArrayLike
    distance_m: ArrayLike = 0.0
    elevation_m: ArrayLike = 0.0


Geometry = Point | Sphere | Cylinder


def mean_inverse_square(geometry: Geometry) -> Float[Array, ""]:
    """Mean of 1/(4πr²) over the volume of a detector, r being the distance from a point source.

    Point: 1/(4πd²). Sphere of radius R, with h(x) = 3 [x − (1−x²) artanh x]/(2x³):
    h(R/d)/(4πd²) outside, 3 [1 − (d/R)² h(d/R)/3]/(4πR²) inside; a hollow is subtracted by
    volume, so that a shell around the source has 3 (R − r)/(4π (R³ − r³)). Cylinder of radius R
    and height H, the source at s from its axis and ζ from a disc, w² = (R²−s²+ζ²)² + 4ζ²s²:
    ∫ ln[(w + R² − s² + ζ²)/(2ζ²)] dζ / (4πR²H), by Gauss–Legendre quadrature (to 1e-11).

    Args:
        geometry: Point, Sphere or Cylinder, lengths in m.

    Returns:
        1/cm²: times neutrinos per second, the mean flux. Differentiable in all lengths, except for
        a source exactly on a surface.

    Raises:
        InputError: for a length outside its range, or a hollow that is not smaller than its sphere.

    The mean of the flux is what a detector of uniform density sees; attenuation is nil.
    Source: elementary integrals; docs/sources.md.
    """
    precision.require_x64("mean_inverse_square")
    if isinstance(geometry, Point):
        _check_length("distance_m", geometry.distance_m)
        per_m2 = 1.0 / (4.0 * jnp.pi * jnp.asarray(geometry.distance_m, float) ** 2)
    elif isinstance(geometry, Sphere):
        per_m2 = _sphere(geometry)
    elif isinstance(geometry, Cylinder):
        per_m2 = _cylinder(geometry)
    else:
        raise InputError(
            f"geometry = {geometry!r:.60} is a {type(geometry).__name__}; allowed: Point, Sphere, "
            "Cylinder; give flux.Point(distance_m=10.0) for a small detector"
        )
    return 1e-4 * per_m2


def _check_length(name: str, value: Any, low: float = 0.0, *, may_vanish: bool = False) -> None:
    checks.number_range(
        name, value, low, LENGTH_MAX_m, "m", "give a length in m; 30 cm is 0.3",
        open_low=not may_vanish,
    )  # fmt: skip
    check_scalar(name, value, low, LENGTH_MAX_m, "m", "give a length in m; 30 cm is 0.3")


def _sphere(geometry: Sphere) -> Float[Array, ""]:
    _check_length("radius_m", geometry.radius_m)
    _check_length("distance_m", geometry.distance_m, may_vanish=True)
    _check_length("inner_radius_m", geometry.inner_radius_m, may_vanish=True)
    R, d, r = (
        jnp.asarray(x, float)
        for x in (geometry.radius_m, geometry.distance_m, geometry.inner_radius_m)
    )
    if not checks.is_traced(R, r) and r >= R:
        raise InputError(
            f"inner_radius_m = {float(r):g} m is not below radius_m = {float(R):g} m; give the "
            "hollow's radius, 0 for a full sphere"
        )
    hollow = r > 0.0
    inner = jnp.where(hollow, _ball_integral(jnp.where(hollow, r, 1.0), d), 0.0)
    volume = 4.0 * jnp.pi / 3.0 * (R**3 - r**3)
    return (_ball_integral(R, d) - inner) / volume


def _ball_integral(R: Float[Array, ""], d: Float[Array, ""]) -> Float[Array, ""]:
    """∫ dV/(4πr²) over a full sphere, in m."""
    outside = d >= R
    far = R**3 / 3.0 / jnp.where(outside, d, R) ** 2
    x = jnp.where(outside, R / jnp.where(outside, d, 1.0), d / R)
    h = _sphere_factor(x)
    return jnp.where(outside, far * h, R * (1.0 - x**2 * h / 3.0))


def _sphere_factor(x: Float[Array, ""]) -> Float[Array, ""]:
    """h(x) = 3 [x − (1−x²) artanh x]/(2x³) = Σ_k 3 x^{2k−2}/(4k²−1), from 1 at 0 to 3/2 at 1."""
    k = np.arange(1, SERIES_TERMS + 1)
    small = x < SERIES_BELOW
    inside = jnp.where(small, x, 0.0)
    series = jnp.polyval(jnp.asarray((3.0 / (4.0 * k**2 - 1.0))[::-1]), inside**2)
    closed = (x >= SERIES_BELOW) & (x < 1.0)
    y = jnp.where(closed, x, 0.5)
    value = 1.5 * (y - (1.0 - y**2) * jnp.arctanh(y)) / y**3
    return jnp.where(small, series, jnp.where(closed, value, 1.5))


def _cylinder(geometry: Cylinder) -> Float[Array, ""]:
    _check_length("radius_m", geometry.radius_m)
    _check_length("height_m", geometry.height_m)
    _check_length("distance_m", geometry.distance_m, may_vanish=True)
    _check_length("elevation_m", geometry.elevation_m, -LENGTH_MAX_m, may_vanish=True)
    R, H, s, z = (
        jnp.asarray(x, float)
        for x in (
            geometry.radius_m, geometry.height_m, geometry.distance_m, geometry.elevation_m
        )
    )  # fmt: skip
    low, high = -0.5 * H - z, 0.5 * H - z
    nearest = jnp.clip(0.0, low, high)
    t, weight = panel_nodes(jnp.linspace(0.0, 1.0, HEIGHT_PANELS + 1), HEIGHT_ORDER)
    step, weight = t**HEIGHT_POWER, HEIGHT_POWER * t ** (HEIGHT_POWER - 1) * weight
    total = sum(
        (end - nearest) * sign * jnp.sum(weight * _disc(nearest + (end - nearest) * step, R, s))
        for end, sign in ((high, 1.0), (low, -1.0))
    )
    return total / (4.0 * jnp.pi * R**2 * H)


def _disc(
    zeta: Float[Array, "..."], R: Float[Array, ""], s: Float[Array, ""]
) -> Float[Array, "..."]:
    """ln[(w + a)/(2ζ²)] with a = R² − s² + ζ²: ∫dA/(πr²) over a disc at height ζ from the source.

    As ln(1 + R² n), without cancellation far away; for a < 0 in the form of the conjugate,
    2s²/(w − a).
    """
    zeta2 = jnp.where(zeta == 0.0, 1.0, zeta) ** 2  # only where the weight is zero
    a = R**2 - s**2 + zeta2
    w = jnp.sqrt(a**2 + 4.0 * zeta2 * s**2)
    above = a > 0.0
    near = (a + 2.0 * zeta2 + w) / (2.0 * zeta2)
    beside = (w - zeta2 + 3.0 * s**2 - R**2) / jnp.where(above, 1.0, w - a)
    return jnp.log1p(R**2 * jnp.where(above, near, beside) / (w + zeta2 + s**2))
