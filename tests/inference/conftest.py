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


def random_arrays(seed, bins=20, x=0.5):
    """Templates of a signal over two backgrounds, with counts drawn at x."""
    rng = np.random.default_rng(seed)
    energy = np.linspace(1.0, 30.0, bins)
    signal = 40.0 * np.exp(-energy / rng.uniform(2.0, 8.0)) / bins * 5.0
    first = rng.uniform(4.0, 12.0) * (1.0 + 0.02 * energy)
    second = rng.uniform(1.0, 4.0) * np.exp(-(((energy - rng.uniform(8.0, 25.0)) / 6.0) ** 2))
    tilt = 0.1 * first * (energy - 15.0) / 15.0
    counts = rng.poisson(x * signal + first + second).astype(float)
    return {"signal": signal, "first": first, "second": second, "tilt": tilt, "counts": counts}


def three_nuisances(a, counts=None):
    """A free norm, a constrained one that signal and background share, and a tilt."""
    from jaxnu.inference.measurements import binned, build_model
    from jaxnu.inference.model import Sample

    samples = (
        Sample("signal", a["signal"], signal=True, norms={"efficiency": 0.05}),
        Sample("first", a["first"], norms={"first": 1.0}, shapes={"tilt": a["tilt"]}),
        Sample("second", a["second"], norms={"efficiency": 0.05}),
    )
    counts = a["counts"] if counts is None else counts
    return build_model(binned("sr", counts, samples), free=("first",))


@pytest.fixture(scope="session")
def arrays():
    return random_arrays


@pytest.fixture(scope="session")
def build():
    return three_nuisances
