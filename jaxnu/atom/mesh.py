"""The radial mesh t = ln r + a r: logarithmic at the nucleus, even in r far out."""

from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401

STENCIL = 8  # points of every local polynomial (interpolation, running integral, derivative)


@cache
def _running_weights() -> np.ndarray:
    """Weights of ∫_0^1 f dx from f(-3) … f(4), exact for degree 7."""
    x = np.arange(STENCIL) - STENCIL // 2 + 1.0
    powers = np.arange(STENCIL)
    return np.linalg.solve(x[None, :] ** powers[:, None], 1.0 / (powers + 1.0))


@cache
def _slope_weights() -> np.ndarray:
    """Weights of f'(0) from f(-4) … f(4), exact for degree 8."""
    x = np.arange(STENCIL + 1) - STENCIL / 2
    powers = np.arange(STENCIL + 1)
    return np.linalg.solve(x[None, :] ** powers[:, None], (powers == 1).astype(float))


@dataclass(frozen=True)
class EvenMesh:
    """Nodes r_i even in some t(r), t_i = start + i·step. The trapezoid rule in t converges faster
    than any power of the step for functions that vanish at both ends."""

    start: Float[Array, ""]
    step: Float[Array, ""]
    r: Float[Array, "r"]

    @property
    def jacobian(self) -> Float[Array, "r"]:
        """dr/dt."""
        raise NotImplementedError

    def coordinate(self, r: Float[Array, "..."]) -> Float[Array, "..."]:
        """t(r)."""
        raise NotImplementedError

    @property
    def weights(self) -> Float[Array, "r"]:
        """dr of the trapezoid rule, for integrals up to the last node."""
        return (self.step * self.jacobian).at[-1].multiply(0.5)

    def integral(self, f: Float[Array, "... r"]) -> Float[Array, "..."]:
        """∫ f dr over the mesh, for f that vanishes at both ends."""
        return self.step * jnp.sum(f * self.jacobian, axis=-1)

    def running_integral(self, f: Float[Array, "r"]) -> Float[Array, "r"]:
        """∫_0^r f dr' at every node, order step⁸, for f that vanishes at both ends."""
        g = jnp.pad(f * self.jacobian, (STENCIL // 2 - 1, STENCIL // 2))
        pieces = jnp.convolve(g, jnp.asarray(_running_weights()[::-1]), mode="valid")
        return self.step * jnp.concatenate([jnp.zeros(1), jnp.cumsum(pieces[:-1])])

    def position(self, r: Float[Array, "..."]) -> Float[Array, "..."]:
        """Index, with its fraction, of r."""
        return (self.coordinate(r) - self.start) / self.step

    def interpolate(
        self, f: Float[Array, "... r"], r: Float[Array, "points"]
    ) -> Float[Array, "... points"]:
        """f at radii inside the mesh by polynomials of degree 7 in t."""
        position = self.position(r)
        first = jnp.clip(
            jnp.floor(position).astype(int) - STENCIL // 2 + 1, 0, self.r.shape[0] - STENCIL
        )
        weights = lagrange_weights(position - first)
        index = first[:, None] + jnp.arange(STENCIL)
        return jnp.einsum("...pk,pk->...p", f[..., index], weights)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RadialMesh(EvenMesh):
    """Nodes even in t = ln r + a r, a the stretch; lengths in Bohr radii.

    With P(r) = sqrt(dr/dt) y(t) the radial equation P'' = [l(l+1)/r² + 2(V − E)] P becomes
    y'' = [(dr/dt)² (l(l+1)/r² + 2(V − E)) + (1/4 + a r)/(1 + a r)⁴] y, without a first derivative.
    """

    stretch: Float[Array, ""]

    @property
    def jacobian(self) -> Float[Array, "r"]:
        """dr/dt = r/(1 + a r)."""
        return self.r / (1.0 + self.stretch * self.r)

    def coordinate(self, r: Float[Array, "..."]) -> Float[Array, "..."]:
        """t = ln r + a r."""
        return jnp.log(r) + self.stretch * r

    @property
    def curvature(self) -> Float[Array, "r"]:
        """The term (1/4 + a r)/(1 + a r)⁴ that the change of variable adds to y''."""
        ar = self.stretch * self.r
        return (0.25 + ar) / (1.0 + ar) ** 4

    def thinned(self, factor: int) -> "RadialMesh":
        """Every factor-th node."""
        return RadialMesh(self.start, self.step * factor, self.r[::factor], self.stretch)

    def slope(self, f: Float[Array, "... r"]) -> Float[Array, "... r"]:
        """df/dr at every node, order step⁸, for f that is a power of r at the inner end and
        vanishes at the outer one."""
        margin = STENCIL // 2
        ratio = f[..., :1] / jnp.where(f[..., 1:2] == 0.0, 1.0, f[..., 1:2])
        before = f[..., :1] * ratio ** jnp.arange(margin, 0, -1)  # nodes are even in ln r there
        padded = jnp.concatenate([before, f, jnp.zeros_like(before)], axis=-1)
        size = f.shape[-1]
        weights = _slope_weights()
        total = sum(
            float(weights[i]) * padded[..., i : i + size] for i in range(STENCIL + 1) if i != margin
        )
        return total / (self.step * self.jacobian)


@cache
def _lagrange_denominators() -> np.ndarray:
    nodes = np.arange(STENCIL)
    differences = nodes[:, None] - nodes[None, :] + np.eye(STENCIL)
    return 1.0 / differences.prod(axis=1)


def lagrange_weights(x: Float[Array, "points"]) -> Float[Array, "points stencil"]:
    """Weights of f(x) from f(0) … f(7)."""
    differences = x[:, None] - jnp.arange(STENCIL)
    below = jnp.cumprod(differences, axis=1)
    above = jnp.cumprod(differences[:, ::-1], axis=1)[:, ::-1]
    one = jnp.ones_like(x)[:, None]
    product = jnp.concatenate([one, below[:, :-1]], 1) * jnp.concatenate([above[:, 1:], one], 1)
    return product * _lagrange_denominators()


@partial(jax.jit, static_argnames="points")
def log_linear_mesh(
    first: Float[Array, ""], last: Float[Array, ""], stretch: Float[Array, ""], points: int
) -> RadialMesh:
    """A mesh of `points` nodes from `first` to `last` [Bohr], even in ln r + stretch·r."""
    first, last, stretch = (jnp.asarray(v, dtype=float) for v in (first, last, stretch))
    start = jnp.log(first) + stretch * first
    step = (jnp.log(last) + stretch * last - start) / (points - 1)
    t = start + step * jnp.arange(points)

    def newton(_: int, x: Float[Array, "r"]) -> Float[Array, "r"]:
        ar = stretch * jnp.exp(x)  # x + a e^x = t is convex: one step from the right, then down
        return x - (x + ar - t) / (1.0 + ar)

    x = jax.lax.fori_loop(0, 40, newton, jnp.minimum(t, jnp.log(last)))
    return RadialMesh(start, step, jnp.exp(x), stretch)


def solve_log_linear(t: Float[np.ndarray, "points"], stretch: float) -> Float[np.ndarray, "points"]:
    """r with ln r + stretch·r = t, on the host: by Newton's method in ln r from the right."""
    x = np.minimum(t, np.log(np.maximum(t / stretch, 1.0)))
    for _ in range(60):
        ar = stretch * np.exp(x)
        x = x - (x + ar - t) / (1.0 + ar)
    return np.exp(x)
