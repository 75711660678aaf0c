"""The f-sum and the static sum of a response, by quadrature over T at fixed Q."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.errors import InputError
from jaxnu.numerics.quadrature import panel_nodes
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response

KINETIC_PANELS = 192  # even in x = ln(1 + ε/1 eV): as dense as the energy nodes of a table
RIDGE_PANELS = 32  # even in asinh(p_z/p0): the Bethe ridge at any Q
ORDER = 8
FAR = 1e4  # a response without an end is integrated to FAR (I + Q²/2m), where T S ~ T^-3.5
PER_keV = 1e3
_M = ELECTRON_MASS_keV


def f_sum(
    response: Response, Q_keV: ArrayLike, physical: bool = False, *, refine: int = 1
) -> Float[Array, "... shells"]:
    """[Σ_lines T_n S_n + ∫ T S dT] 2m/Q² of each subshell.

    Over all subshells it is the number of electrons (Thomas, Reiche, Kuhn; Bethe 1930), for any Q
    and any local potential, if every transition counts.

    Q_keV: any shape. physical=False: with model thresholds, transitions into filled subshells and
        downward ones; True: only transitions that the atom makes, with the response's own
        thresholds. refine: factor of the number of panels, for a convergence check.
    The integral ends at response.T_max_keV; what is missing above is no more than the tail of the
    ridge as long as Q²/2m is well below it (Q ≤ 200 keV for a table to 100 keV).
    """
    return _sums(response, Q_keV, physical, refine, 1)


def static_sum(
    response: Response, Q_keV: ArrayLike, physical: bool = False, *, refine: int = 1
) -> Float[Array, "... shells"]:
    """Σ_lines S_n + ∫ S dT of each subshell: electrons less the elastic part Σ|<a|e^{iq·r}|a>|².

    For 1s of a hydrogen-like ion 1 − |F_11(Q)|² = 1 − (1 + Q²/4p0²)^-4 per electron.
    Arguments as in `f_sum`.
    """
    return _sums(response, Q_keV, physical, refine, 0)


def _sums(response: Response, Q_keV: ArrayLike, physical: bool, refine: int, power: int) -> Array:
    require_x64("f_sum" if power else "static_sum")
    checks.instance("response", response, Response, "response('Xe', 'central-field') gives one")
    checks.number_range("Q_keV", Q_keV, 0.0, 1e6, "keV", "give Q > 0", open_low=True)
    if response.magnetic_only:
        raise InputError(
            f"response = {response.model!r} has no longitudinal part S, whose sums are asked; "
            "allowed: any other model"
        )
    chosen = response if physical else response.independent_particle()
    Q = jnp.asarray(Q_keV, dtype=float)
    value = _map_sums(Q.ravel(), chosen, power, refine)
    return value.reshape(*Q.shape, len(response.labels))


@partial(jax.jit, static_argnames=("power", "refine"))
def _map_sums(Q: Array, response: Response, power: int, refine: int) -> Array:
    def one(q: Array) -> Array:
        unit = (q**2 / (2.0 * _M)) ** power
        at_rest = response.on_shell(q**2 / (2.0 * _M))[1]  # all of a shell at T = Q²/2m
        if not response.has_continuum:
            return at_rest
        smooth = (_continuum(response, q, power, refine) + _lines(response, q, power)) / unit
        return smooth + at_rest if at_rest.shape[-1] else smooth

    return jax.lax.map(one, Q)


def _lines(response: Response, Q: Array, power: int) -> Array:
    T, shell = response.lines()
    strength = jax.vmap(response.line_longitudinal, (0, None))(jnp.arange(T.shape[0]), Q)
    return jnp.zeros(len(response.labels)).at[shell].add(T**power * strength)


def _continuum(response: Response, Q: Array, power: int, refine: int) -> Array:
    """∫ T^power S dT of each subshell, on panels of its own."""

    def one(shell: Array, threshold: Array, width: Array) -> Array:
        end = response.T_max_keV
        end = FAR * (threshold + Q**2 / (2.0 * _M)) if end is None else end
        x_end = jnp.log1p(PER_keV * jnp.maximum(end - threshold, 0.0))
        steps = jnp.linspace(0.0, x_end, KINETIC_PANELS * refine + 1)
        p = jnp.array([_M * threshold, _M * end]) / Q - 0.5 * Q
        first, last = jnp.arcsinh(p / width)
        p = width * jnp.sinh(jnp.linspace(first, last, RIDGE_PANELS * refine + 1)[1:-1])
        ridge = jnp.log1p(PER_keV * jnp.maximum(Q * (p + 0.5 * Q) / _M - threshold, 0.0))
        edges = jnp.sort(jnp.append(steps, jnp.clip(ridge, 0.0, x_end)))
        x, dx = (a.ravel() for a in panel_nodes(edges, ORDER))
        T = threshold + jnp.expm1(x) / PER_keV
        S = response.longitudinal(T, Q, by_shell=True)[:, shell]
        return jnp.sum(dx * jnp.exp(x) / PER_keV * T**power * S)

    shells = jnp.arange(len(response.labels))
    return jax.lax.map(
        lambda s: one(*s), (shells, response.thresholds_keV, response.momentum_scales_keV)
    )
