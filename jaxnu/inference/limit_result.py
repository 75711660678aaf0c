"""An upper limit on μ_ν with everything needed to quote, check and draw it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from jaxnu._version import __version__
from jaxnu.inference.asymptotics import level_words
from jaxnu.inference.methods import plain_numbers

METHOD_WORDS = {  # in a summary
    "profile": "profile likelihood",
    "cls": "CL_s, asymptotic",
    "clsb": "CL_s+b, asymptotic",
    "bayes": "Bayesian, flat prior in mu_nu^2",
    "nuts": "Bayesian by NUTS, flat prior in mu_nu^2",
    "feldman-cousins": "Feldman-Cousins, toys",
}


@dataclass(frozen=True)
class LimitResult:
    """An upper limit on μ_ν with everything needed to quote, check and draw it.

    limit_mu_B: upper limit on μ_ν [μ_B]; limit_mu2, best_fit_mu2: its square, and μ̂² ≥ 0 [μ_B²].
    expected_mu_B: the limit that the expected background alone would give (Asimov data, nuisances
        nominal) [μ_B].
    nuisances: best-fit values: "background", a factor, where there is one, and each systematic in
        units of its 1σ.
    scan_mu2, scan_q: test statistic q(μ²) on a grid [μ_B²].
    derivatives: d ln(limit)/d ln(parameter) for threshold_keV, exposure, resolution, background,
        flux (an array counts as one parameter: a common factor); None for the methods "bayes",
        "nuts" and "feldman-cousins", and for a limit of zero (CL_s+b excludes every μ²). For the
        derivative in every number use jax.grad of the limit, see `limit`.
    data: "observed" (counts, bins and background shape stay fixed when a parameter moves) or
        "Asimov" (the expected background is the data, and moves too).
    delta: the threshold on q; None where the method has none.
    residual: what is left of the equations solved, in units of 1σ.
    threshold_keV, exposure_kg_day: of the experiment that was fitted.
    counts, errors, background, signal: per bin; the data (ON − OFF where they are a difference)
        with their 1σ, the background at the best fit (zero in a difference), signal at the limit.
    With details, by another method than "profile", or where the norm of a background ends at zero,
        else None:
    interval_mu2: both ends of the interval [μ_B²]. significance, p0: Z = √q0 of a discovery and its
        p-value; None where the data cannot be without a signal.
    pulls: nuisance → ((α̂ − a)/1σ of the constraint, uncertainty of α̂ in the same unit).
    impacts_mu_B: nuisance → limits with it held 1σ below and above its best fit [μ_B]. A nuisance
        at its bound has neither uncertainty nor impact: NaN, null in JSON.
    bands_mu_B: limits that background alone would give at −2σ … +2σ [μ_B], from Asimov data with
        the nuisances fitted at μ = 0; None with fewer than 3 counts of it under the signal.
    accuracy: relative error of limit_mu_B by quadrature, chains or toys.
    sampling: of the method "nuts", see `inference.Inference`. seed: of toys or chains, else None.
    shared: nuisances that are one in several experiments.
    notes: what to know before quoting the limit, see `inference.Inference`; in the summary too.
    Of several experiments: names are joined by " + ", what each has for its own (threshold, bins,
    counts, …) is a tuple, nuisances and derivatives carry "name: " before their own.
    Inside traced code (grad, jit, vmap) numbers are tracers, a failed fit gives NaN, and
    derivatives and expected_mu_B are None.
    """

    limit_mu_B: Any
    expected_mu_B: float | None
    best_fit_mu2: Any
    nuisances: dict[str, Any]
    scan_mu2: Any
    scan_q: Any
    derivatives: dict[str, float] | None
    status: str
    experiment: str
    title: str
    target: str
    response: str
    method: str
    convention: str
    confidence_level: float
    delta: float | None
    data: str
    residual: Any
    threshold_keV: Any
    exposure_kg_day: Any
    bin_edges_keV: Any
    counts: Any
    errors: Any
    background: Any
    signal: Any
    interval_mu2: tuple[float, ...] | None = None
    significance: float | None = None
    p0: float | None = None
    pulls: dict[str, tuple[float, float]] | None = None
    impacts_mu_B: dict[str, tuple[float, ...]] | None = None
    bands_mu_B: tuple[float, ...] | None = None
    accuracy: float | None = None
    sampling: dict[str, Any] | None = None
    seed: int | None = None
    shared: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = __version__

    @property
    def limit_mu2(self) -> Any:
        return self.limit_mu_B**2

    @property
    def method_words(self) -> str:
        """Method and convention in words."""
        threshold = "" if self.delta is None else f" q = {self.delta:.4g}"
        return f"{METHOD_WORDS[self.method]}, {self.convention}{threshold}"

    def summary(self) -> str:
        """One line fit for a paper."""
        notes = "".join(f"; {note}" for note in self.notes)
        kind = "upper limit" if self.data == "observed" else "expected upper limit (Asimov data)"
        return (
            f"mu_nu < {self.limit_mu_B:.3g} mu_B at {level_words(self.confidence_level)} "
            f"({self.experiment}, {kind}, {self.method_words}, "
            f"atomic model: {self.response}{notes}; jaxnu {self.version})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for JSON."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain_numbers({"limit_mu2": self.limit_mu2, **plain})
