"""Limits on the elements of the matrix of magnetic moments, from reactors and the Sun."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnu import checks
from jaxnu._version import __version__
from jaxnu.counts import check_parameters, check_target
from jaxnu.errors import FitError, InputError
from jaxnu.experiments.experiment import Experiment
from jaxnu.inference.asymptotics import level_words
from jaxnu.inference.crossing import CONVENTIONS, limit_value
from jaxnu.inference.experiment_model import MU2_UNIT, experiment_model
from jaxnu.inference.joint import joint_model
from jaxnu.inference.limit_inputs import atoms_of, check_experiment, listed, statistic_threshold
from jaxnu.inference.methods import plain_numbers
from jaxnu.mixing import (
    flavor_moment_squared,
    majorana_moments,
    pmns_matrix,
    solar_moment_weights,
    solar_shares,
)
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response

THETA12, THETA13 = 0.584, 0.149  # sin²θ12 = 0.304, sin²θ13 = 0.0220, as in global fits
# element → matrix with it alone, 1 μ_B; a Dirac moment μ_jk counts by its initial state k alone
ELEMENTS = {
    "dirac": {f"{k}{k}": np.diag(row) for k, row in enumerate(np.eye(3), start=1)},
    "majorana": {
        name: np.asarray(majorana_moments(*row))
        for name, row in zip(("12", "13", "23"), np.eye(3), strict=True)
    },
}


@dataclass(frozen=True)
class MomentLimits:
    """Upper limits on the elements of the matrix of moments, each with all others zero.

    limits_mu_B: element → limit on |μ_jk| [μ_B]: "11", "22", "33" of Dirac neutrinos (of μ_jk only
        the initial state k counts), "12", "13", "23" of Majorana ones.
    shares: experiment → element → mean of μ_eff²/|μ_jk|² over its flux.
    """

    limits_mu_B: dict[str, float]
    shares: dict[str, dict[str, float]]
    kind: str
    theta12: float
    theta13: float
    confidence_level: float
    convention: str
    data: str
    experiment: str
    response: str
    version: str = __version__

    def summary(self) -> str:
        """One line fit for a paper."""
        parts = ", ".join(f"|mu_{n}| < {value:.3g}" for n, value in self.limits_mu_B.items())
        data = "" if self.data == "observed" else ", Asimov data"
        return (
            f"{self.kind} neutrinos: {parts} mu_B at {level_words(self.confidence_level)}, one at "
            f"a time ({self.experiment}{data}, profile likelihood, {self.convention}, "
            f"atomic model: {self.response}; jaxnu {self.version})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for JSON."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain_numbers({"summary": self.summary(), **plain})


def moment_limits(
    experiment: Experiment | Sequence[Experiment],
    response: Response | Sequence[Response] | None = None,
    kind: str = "majorana",
    confidence_level: float = 0.90,
    convention: str = "two-sided",
    data: str = "observed",
    theta12: float = THETA12,
    theta13: float = THETA13,
    shared: Sequence[str] = (),
) -> MomentLimits:
    """Upper limits on the moments of mass eigenstates, one element of the matrix at a time.

    The signal is μ_eff²(E) = |μ_jk|² w(E), w of `mixing`: for the Sun, an incoherent mixture,
    w = Σ |A_k|² with |A_k|² linear in P_ee(E) of the flux (`Spectrum.incoherent`); for other
    sources, ν_e that have not oscillated, w = |U_ek|². Several experiments share |μ_jk|² in one
    likelihood.

    experiment, response, confidence_level, convention, shared: as in `limit`.
    kind: "dirac" or "majorana". data: "observed" or "Asimov", as in `sensitivity`.
    theta12, theta13: mixing angles [rad]; no phase matters to one element alone.
    Returns a MomentLimits. Raises InputError for a bad argument or experiment, FitError for a fit
        without a limit.
    Source: Borexino, PRD 96, 091103 (2017); Giunti and Studenikin, RMP 87, 531 (2015).
    """
    require_x64("moment_limits")
    if checks.is_traced(experiment, response):
        raise InputError(
            "experiment is traced: moment_limits decides on the host; allowed: concrete numbers; "
            "call it outside jit, grad and vmap"
        )
    checks.one_of("kind", kind, ELEMENTS)
    checks.one_of("convention", convention, CONVENTIONS)
    checks.one_of("data", data, ("observed", "Asimov"))
    statistic_threshold(confidence_level, convention)
    for name, angle in (("theta12", theta12), ("theta13", theta13)):
        checks.number_range(name, angle, 0.0, 0.78, "rad", "angles are in radians: 33.4° is 0.583")
    experiments = listed(experiment, shared)
    responses = atoms_of(experiments, response)
    for one, atom in zip(experiments, responses, strict=True):
        check_experiment(one, data)
        check_target(one, atom)
        check_parameters(one)
        _check_states(one, theta12, theta13)
    names = tuple(one.name for one in experiments)
    limits: dict[str, float] = {}
    shares: dict[str, dict[str, float]] = {name: {} for name in names}
    for element, matrix in ELEMENTS[kind].items():
        parts = []
        for one, atom in zip(experiments, responses, strict=True):
            weights = _weights(one, matrix, theta12, theta13)
            source = one.parameters.source
            seen = source.weighted(*weights).total() / source.total()
            shares[one.name][element] = float(seen)
            parts.append(_compiled(one, atom, data, moment_weights=weights))
        joint = joint_model(parts, names, tuple(shared))
        x = float(limit_value(joint, "profile", confidence_level, convention))
        if not np.isfinite(x):
            raise FitError(
                f"the fit of {' + '.join(names)} has no limit on |mu_{element}|; allowed: an "
                "experiment with a limit on mu_nu; look at that one first"
            )
        limits[element] = (x * MU2_UNIT) ** 0.5
    return MomentLimits(
        limits, shares, kind, float(theta12), float(theta13), confidence_level, convention, data,
        " + ".join(names), " + ".join(dict.fromkeys(one.model for one in responses)),
    )  # fmt: skip


_compiled = jax.jit(experiment_model, static_argnames=("data", "terms"))


def _weights(experiment: Experiment, matrix: np.ndarray, theta12: float, theta13: float) -> Any:
    """(w0, w1) of w0 + w1 P_ee for one element of 1 μ_B."""
    source = experiment.parameters.source
    if source.incoherent:
        return solar_moment_weights(matrix, theta12, theta13)
    mixing = pmns_matrix(theta12, theta13, 0.0)  # θ23 and phases do not enter
    return jnp.stack([flavor_moment_squared(matrix, mixing), jnp.zeros(())])


def _check_states(experiment: Experiment, theta12: float, theta13: float) -> None:
    """Refuse a P_ee that does not say which states arrive, or that no conversion gives."""
    source = experiment.parameters.source
    P = np.asarray(source.survival)
    if not source.incoherent and np.any(P != 1.0):
        raise InputError(
            f"survival = {P[P != 1.0][0]:g} of the source of {experiment.name} does not say which "
            'mass states arrive; allowed in moment_limits: the Sun, survival = "solar", or 1'
        )
    if source.incoherent and np.any(
        bad := np.any(np.asarray(solar_shares(P, theta12, theta13)) < 0.0, axis=-1)
    ):
        raise InputError(
            f"survival = {P[bad][0]:g} of the source of {experiment.name} makes one of |A_k|² "
            f"negative with theta12 = {theta12:g}, theta13 = {theta13:g} rad; allowed: what the "
            "Sun's conversion gives, about 0.29 to 0.67"
        )


__all__ = ["MomentLimits", "moment_limits"]
