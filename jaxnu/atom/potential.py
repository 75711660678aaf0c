"""The spherical field of an atom's electrons: Hartree, exchange and correlation, Latter tail.

Hartree atomic units.
"""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.atom.mesh import RadialMesh

MODELS = ("local-density", "herman-skillman")
_TAIL = 1e-10  # |r V + z| below which the tail is taken as −z/r
_SMALLEST_DENSITY = 1e-60  # keeps powers and logarithms finite where no electron is

# Vosko, Wilk, Nusair, Can. J. Phys. 58, 1200 (1980), paramagnetic fit to the Ceperley–Alder
# energies (their parametrisation V), in Hartree.
_VWN_A, _VWN_X0, _VWN_B, _VWN_C = 0.0310907, -0.10498, 3.72744, 12.9352


def hartree_potential(mesh: RadialMesh, sigma: Float[Array, "r"]) -> Float[Array, "r"]:
    """r V_H = ∫_0^r σ dr' + r ∫_r^∞ σ/r' dr', with σ = 4πr²ρ electrons per Bohr [Hartree·Bohr]."""
    inner = mesh.running_integral(sigma)
    outer = mesh.running_integral(sigma / mesh.r)
    return inner + mesh.r * (outer[-1] - outer)


def electron_density(mesh: RadialMesh, sigma: Float[Array, "r"]) -> Float[Array, "r"]:
    """ρ = σ/(4πr²) [Bohr⁻³]."""
    return jnp.maximum(sigma, 0.0) / (4.0 * jnp.pi * mesh.r**2) + _SMALLEST_DENSITY


def vwn_correlation(rho: Float[Array, "r"]) -> tuple[Float[Array, "r"], Float[Array, "r"]]:
    """Correlation energy per electron ε_c and potential d(ρ ε_c)/dρ of Vosko, Wilk and Nusair.

    ε_c = A {ln(x²/X) + (2b/q) θ − (b x0/X0) [ln((x − x0)²/X) + (2(b + 2x0)/q) θ]},
    x = sqrt(r_s), X = x² + bx + c, q = sqrt(4c − b²), θ = atan(q/(2x + b)).
    """
    A, x0, b, c = _VWN_A, _VWN_X0, _VWN_B, _VWN_C
    q = (4.0 * c - b * b) ** 0.5
    x = (3.0 / (4.0 * jnp.pi * rho)) ** (1.0 / 6.0)
    X, X0 = x * x + b * x + c, x0 * x0 + b * x0 + c
    angle = jnp.arctan(q / (2.0 * x + b))
    energy = A * (
        jnp.log(x * x / X)
        + 2.0 * b / q * angle
        - b * x0 / X0 * (jnp.log((x - x0) ** 2 / X) + 2.0 * (b + 2.0 * x0) / q * angle)
    )
    slope = A * (2.0 / x - (2.0 * x + b) / X - 4.0 * b / (q * q + (2.0 * x + b) ** 2)) - (
        A * b * x0 / X0
    ) * (2.0 / (x - x0) - (2.0 * x + b) / X - 4.0 * (b + 2.0 * x0) / (q * q + (2.0 * x + b) ** 2))
    return energy, energy - x / 6.0 * slope


def exchange_correlation(
    rho: Float[Array, "r"], exchange: Float[Array, ""], model: str
) -> tuple[Float[Array, "r"], Float[Array, "r"]]:
    """Energy per electron and potential of the model, exchange multiplied by `exchange`.

    local-density: V = −(3ρ/π)^{1/3} + VWN correlation; herman-skillman: Slater's
    V = −(3/2) (3ρ/π)^{1/3} without correlation. The exchange energy per electron is 3V/4.
    """
    scale = exchange * (1.0 if model == "local-density" else 1.5)
    V = -scale * (3.0 * rho / jnp.pi) ** (1.0 / 3.0)
    if model == "herman-skillman":
        return 0.75 * V, V
    energy, potential = vwn_correlation(rho)
    return 0.75 * V + energy, V + potential


def thomas_fermi(mesh: RadialMesh, Z: Float[Array, ""]) -> Float[Array, "r"]:
    """r V to start from: Latter's fit of the Thomas–Fermi function, one electron left out.

    R. Latter, Phys. Rev. 99, 510 (1955), eq 5; x = r (128 Z/9π²)^{1/3}.
    """
    x = mesh.r * (128.0 * Z / (9.0 * jnp.pi**2)) ** (1.0 / 3.0)
    s = jnp.sqrt(x)
    series = 1.0 + s * (
        0.02747 + s * (1.243 + s * (-0.1486 + s * (0.2302 + s * (0.007298 + s * 0.006944))))
    )
    return -1.0 - (Z - 1.0) / series


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CentralPotential:
    """A potential V(r) given by r V on a mesh, with or without the Latter tail.

    rV: smooth part of r V [Hartree·Bohr], −Z at the nucleus.
    latter: V = min(V_smooth, −1/r), which has a kink where r V_smooth = −1.
    kink: its radius [Bohr] and the step of V' there, if they are known (`with_kink`); they are
    found again at each use otherwise.
    """

    mesh: RadialMesh
    rV: Float[Array, "r"]
    Z: Float[Array, ""]
    latter: bool = field(metadata={"static": True})
    kink: tuple[Float[Array, ""], Float[Array, ""]] | None = None

    def with_kink(self) -> "CentralPotential":
        """The same potential, its kink found once for all."""
        return replace(self, kink=(self.kink_radius(), self.kink_step())) if self.latter else self

    def kink_step(self) -> Float[Array, ""]:
        """The step of V' at the kink: slope of −1/r less that of V_smooth [Hartree/Bohr]."""
        if self.kink is not None:
            return self.kink[1]
        radius = self.kink_radius()
        margin = 1e-3 * radius
        ahead, behind = self.smooth_rV(jnp.stack([radius + margin, radius - margin]))
        return -(ahead - behind) / (2.0 * margin) / radius

    def kink_radius(self) -> Float[Array, ""]:
        """Last radius with r V_smooth = −1 [Bohr], where the Latter tail begins."""
        if self.kink is not None:
            return self.kink[0]
        excess = self.rV + 1.0
        inside = excess < 0.0
        i = self.rV.shape[0] - 1 - jnp.argmax(inside[::-1])  # last node inside
        i = jnp.clip(i, 0, self.rV.shape[0] - 2)
        low, high = self.mesh.r[i], self.mesh.r[i + 1]

        def halve(_: int, ends: tuple) -> tuple:
            a, b = ends
            middle = 0.5 * (a + b)
            below = self.mesh.interpolate(self.rV, middle[None])[0] < -1.0
            return jnp.where(below, middle, a), jnp.where(below, b, middle)

        radius = jax.lax.stop_gradient(jax.lax.fori_loop(0, 50, halve, (low, high))[0])
        # a Newton step, of no size, that carries the derivative of the radius in rV
        margin = 1e-4 * radius
        below, at, above = self.mesh.interpolate(
            self.rV, radius + margin * jnp.array([-1.0, 0.0, 1.0])
        )
        slope = jax.lax.stop_gradient((above - below) / (2.0 * margin))
        found = inside.any() & ~inside[-1] & (slope > 0.0)
        return radius - jnp.where(found, (at + 1.0) / jnp.where(found, slope, 1.0), 0.0)

    def smooth_rV(self, r: Float[Array, "points"]) -> Float[Array, "points"]:
        """r V_smooth at any radius: linear to −Z below the mesh, constant beyond it."""
        first, last = self.mesh.r[0], self.mesh.r[-1]
        inside = self.mesh.interpolate(self.rV, jnp.clip(r, first, last))
        return jnp.where(r < first, -self.Z + (self.rV[0] + self.Z) * r / first, inside)

    @jax.jit
    def __call__(self, r: Float[Array, "points"]) -> Float[Array, "points"]:
        """V(r) [Hartree]."""
        rV = self.smooth_rV(r)
        return (jnp.minimum(rV, -1.0) if self.latter else rV) / r

    def tail(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """(R, z) with V = −z/r beyond R [Bohr]: the Latter kink and 1, else where r V dies out."""
        if self.latter:
            return self.kink_radius(), jnp.asarray(1.0)
        z = jnp.round(-self.rV[-1])  # a bare Coulomb field, or the neutral tail of an atom
        far = jnp.abs(self.rV + z) > _TAIL
        last = self.rV.shape[0] - 1 - jnp.argmax(far[::-1])
        return jnp.where(far.any(), self.mesh.r[last], 0.0), z

    @jax.jit
    def on_mesh(self, mesh: RadialMesh) -> Float[Array, "r"]:
        """V at the nodes of a mesh as Numerov's method needs it [Hartree].

        Numerov's weights (1, 10, 1)/12 assume a smooth integrand. A kink of V between nodes n and
        n+1, at fraction s, is missed by w ΔV' h q, with q_n = (1−s)³/6 − (1−s)/12 and
        q_{n+1} = s³/6 − s/12 (the exact hat integral of a ramp less Numerov's); added here to the
        two nodes, it keeps the fourth order. `mesh` needs r and stretch; steps may differ.
        """
        return self._corrected(self(mesh.r), mesh)

    def at_nodes(self) -> Float[Array, "r"]:
        """The same at the nodes of its own mesh, where nothing is interpolated."""
        rV = jnp.minimum(self.rV, -1.0) if self.latter else self.rV
        return self._corrected(rV / self.mesh.r, self.mesh)

    def _corrected(self, V, mesh):
        if not self.latter:
            return V
        radius, jump = self.kink_radius(), self.kink_step()
        t = jnp.log(mesh.r) + mesh.stretch * mesh.r
        t_kink = jnp.log(radius) + mesh.stretch * radius
        n = jnp.searchsorted(t, t_kink, side="right") - 1
        inside = (n >= 0) & (n < t.shape[0] - 1)
        n = jnp.clip(n, 0, t.shape[0] - 2)
        step = t[n + 1] - t[n]
        s = (t_kink - t[n]) / step
        w = radius / (1.0 + mesh.stretch * radius)
        missed = jnp.stack([(1 - s) ** 3 / 6 - (1 - s) / 12, s**3 / 6 - s / 12])
        return V.at[jnp.stack([n, n + 1])].add(jnp.where(inside, step * w * jump * missed, 0.0))


def coulomb_potential(mesh: RadialMesh, Z: float) -> CentralPotential:
    """The bare field −Z/r: hydrogen and hydrogen-like ions through the general machinery."""
    return CentralPotential(mesh, jnp.full_like(mesh.r, -Z), jnp.asarray(float(Z)), latter=False)
