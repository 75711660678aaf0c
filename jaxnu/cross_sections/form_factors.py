"""How charge is spread: the nucleus, and the electrons of an atom."""

from dataclasses import dataclass, field
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import precision
from jaxnu.atom.bound import bound_orbitals
from jaxnu.atom.configuration import Z_MAX, ground_state
from jaxnu.atom.field import AtomicField, atom_mesh, radial_density, self_consistent_field
from jaxnu.atom.mesh import STENCIL, RadialMesh, lagrange_weights, solve_log_linear
from jaxnu.atom.potential import hartree_potential
from jaxnu.atom.settings import ATOM_NUMERICS
from jaxnu.constants import ATOMIC_MOMENTUM_keV, HBARC_keV_cm
from jaxnu.elements import element as lookup
from jaxnu.errors import FitError, InputError

_FM_keV = HBARC_keV_cm / 1e-13  # ħc in keV fm
# momenta of an ElectronCloud: 0.01 to 300 a.u.; 8 points every 3.4% give 1e-10
FIRST_keV, LAST_keV, NODES = 0.01 * ATOMIC_MOMENTUM_keV, 300.0 * ATOMIC_MOMENTUM_keV, 301
FINER = 8  # points per step of the atom's mesh


def helm(Q_keV: Float[Array, "..."], A: Float[Array, "..."]) -> Float[Array, "..."]:
    """F = 3 j_1(QR)/(QR) exp(−Q²s²/2) of a nucleus of mass number A, F(0) = 1.

    R² = c² + 7π²a²/3 − 5s², c = 1.23 A^{1/3} − 0.60 fm, a = 0.52 fm, s = 0.9 fm (Helm, Phys. Rev.
    104, 1466; parameters of Lewin and Smith, Astropart. Phys. 6, 87). One F for charge and weak
    charge; for A < 4 only a guide.
    """
    c, a, s = 1.23 * A ** (1.0 / 3.0) - 0.60, 0.52, 0.9
    R = jnp.sqrt(c**2 + 7.0 / 3.0 * (jnp.pi * a) ** 2 - 5.0 * s**2)
    Q = Q_keV / _FM_keV
    x = Q * R
    small = x < 0.1  # series to 1e-13: below, sin x − x cos x loses its digits
    y = jnp.where(small, 1.0, x)
    direct = 3.0 * (jnp.sin(y) - y * jnp.cos(y)) / y**3
    x2 = x**2
    series = 1.0 - x2 / 10.0 * (1.0 - x2 / 28.0 * (1.0 - x2 / 54.0 * (1.0 - x2 / 88.0)))
    return jnp.where(small, series, direct) * jnp.exp(-0.5 * (Q * s) ** 2)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ElectronCloud:
    """The charge distribution of an atom's electrons in the ground state, spherical.

    values: F_el at momenta even in ln Q, first_keV … last_keV; the polynomial of degree 7 through
    the next eight in between, Z − F_el ∝ Q² below, ∝ 1/Q⁴ above, as the cusp at the nucleus has it.
    """

    values: Float[Array, "Q"]
    Z: Float[Array, ""]
    target: str = field(metadata={"static": True})

    def form_factor(self, Q_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        """F_el(Q) = Σ_nl n_e ∫P_nl² sin(Qr)/(Qr) dr, F_el(0) = Z, of Q in keV."""
        Q = jnp.asarray(Q_keV, dtype=float)
        inside = jnp.clip(Q, FIRST_keV, LAST_keV)
        size = self.values.shape[0]
        place = jnp.log(inside / FIRST_keV) * ((size - 1) / np.log(LAST_keV / FIRST_keV))
        start = jnp.clip(jnp.floor(place).astype(int) - STENCIL // 2 + 1, 0, size - STENCIL)
        weights = lagrange_weights((place - start).ravel()).reshape((*Q.shape, STENCIL))
        value = jnp.sum(weights * self.values[start[..., None] + jnp.arange(STENCIL)], axis=-1)
        below = self.Z - (self.Z - value) * (jnp.minimum(Q, FIRST_keV) / FIRST_keV) ** 2
        return below * (LAST_keV / jnp.maximum(Q, LAST_keV)) ** 4


def electron_cloud(element: str) -> ElectronCloud:
    """The electrons of a neutral atom in its self-consistent field, H to Cs.

    One or two electrons: Hartree–Fock, where exchange takes away the electron's action on itself
    and nothing else: V = −Z/r + (1 − 1/Z) V_H. Others: the Herman–Skillman field of `jaxnu.atom`
    (Slater exchange, Latter tail): within 2% of Z of relativistic Hartree–Fock ones, the more so
    for heavy atoms (0.5% of Z for Xe). Nonrelativistic.

    element: symbol. Takes seconds for the first atom, and is kept.
    Raises InputError for an unknown element and for Z > 55.
    """
    precision.require_x64("electron_cloud")
    Z = lookup(element).Z
    if Z > Z_MAX:
        raise InputError(
            f"target = {element!r} has Z = {Z}; allowed: Z ≤ {Z_MAX}, H to Cs, for the electrons "
            "of an atom; leave electrons=None for the bare nucleus"
        )
    return _cloud(element)


@cache
def _cloud(element: str) -> ElectronCloud:
    Z = lookup(element).Z
    mesh, sigma = _one_orbital(Z) if Z <= 2 else _density(self_consistent_field(element))
    # finer than the orbitals need: sin(Qr) at the largest Q
    steps = np.arange((mesh.r.shape[0] - STENCIL) * FINER) / FINER + STENCIL // 2
    t, step, stretch = float(mesh.start), float(mesh.step), float(mesh.stretch)
    r = solve_log_linear(t + step * steps, stretch)
    weight = np.asarray(mesh.interpolate(sigma, jnp.asarray(r))) * r / (1.0 + stretch * r)
    weight *= Z / np.sum(weight)
    Q = np.geomspace(FIRST_keV, LAST_keV, NODES) / ATOMIC_MOMENTUM_keV
    values = np.array([np.sinc(q / np.pi * r) @ weight for q in Q])
    return ElectronCloud(jnp.asarray(values), jnp.asarray(float(Z)), element)


def _density(atom: AtomicField) -> tuple[RadialMesh, Float[Array, "r"]]:
    return atom.mesh, radial_density(atom.bound, atom.occupation)


def _one_orbital(Z: int) -> tuple[RadialMesh, Float[Array, "r"]]:
    """Mesh and 4πr²ρ of H or He: a fixed point in V = −Z/r + (1 − 1/Z) V_H."""
    n, l, occupation = (jnp.asarray(column) for column in ground_state(Z).padded())
    mesh = atom_mesh(jnp.asarray(float(Z)))
    rV = jnp.full_like(mesh.r, -float(Z))
    for _ in range(ATOM_NUMERICS.field_iterations):
        bound = bound_orbitals(mesh, rV / mesh.r, n, l, ATOM_NUMERICS)
        sigma = radial_density(bound, occupation)
        change = -Z + (1.0 - 1.0 / Z) * hartree_potential(mesh, sigma) - rV
        if float(jnp.max(jnp.abs(change))) < ATOM_NUMERICS.field_tolerance:
            return mesh, sigma
        rV = rV + 0.7 * change  # damped: the plain iteration overshoots
    raise FitError(f"the field of Z = {Z} is not converged; raise AtomNumerics.field_iterations")
