"""The XENONnT experiment, its limits and an independent fit, computed once."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import poisson

from jaxnu import limit, load_experiment, response
from jaxnu.counts import templates

UNIT = 1e-22  # μ² in (1e-11 μ_B)²


class PlainFit:
    """−2 ln L of x = μ²/UNIT and a background norm in numpy, fitted by iminuit."""

    def __init__(self, counts, signal, background):
        self.counts, self.signal, self.background = map(np.asarray, (counts, signal, background))

    def __call__(self, x, norm):
        rate = np.maximum(x * self.signal + norm * self.background, 1e-12)
        return 2.0 * np.sum(rate - self.counts * np.log(rate))

    def migrad(self, x=None):
        """(x, norm, −2 ln L) at the minimum over x ≥ 0, or at a given x."""
        from iminuit import Minuit

        fit = Minuit(self, x=0.5 if x is None else x, norm=1.0)
        fit.errordef = Minuit.LEAST_SQUARES
        fit.tol = 1e-8
        fit.strategy = 2
        fit.limits["x"] = (0.0, None)
        fit.limits["norm"] = (1e-3, None)
        fit.fixed["x"] = x is not None
        fit.migrad()
        return fit.values["x"], fit.values["norm"], fit.fval

    def best(self):
        """The minimum over x ≥ 0; the bound is tried too, MIGRAD itself never ends on it."""
        return min(self.migrad(), self.migrad(0.0), key=lambda fit: fit[2])

    def upper(self, delta):
        x, _, lowest = self.best()
        return brentq(lambda t: self.migrad(t)[2] - lowest - delta, x, x + 20.0, xtol=1e-10)


@pytest.fixture(scope="session")
def unit():
    return UNIT


@pytest.fixture(scope="session")
def plain_fit():
    pytest.importorskip("iminuit", reason="iminuit is not installed")
    return PlainFit


@pytest.fixture(scope="session")
def xenonnt():
    return load_experiment("xenonnt-sr0")


@pytest.fixture(scope="session")
def stepping():
    return response("Xe", "stepping")


@pytest.fixture(scope="session")
def xenon_templates(xenonnt, stepping):
    """(signal per UNIT of μ², background) per bin as numpy arrays."""
    signal, background = templates(xenonnt, stepping)
    return np.asarray(signal) * UNIT, np.asarray(background)


@pytest.fixture(scope="session")
def observed(xenonnt, stepping):
    return limit(xenonnt, stepping)


@pytest.fixture(scope="session")
def pseudo(xenonnt, xenon_templates):
    """XENONnT with counts drawn at μ = 1.3e-11: an interior minimum."""
    signal, background = xenon_templates
    counts = poisson.rvs(1.69 * signal + background, random_state=np.random.default_rng(20220722))
    return xenonnt.replace(counts=counts)
