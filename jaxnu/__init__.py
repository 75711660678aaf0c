"""jaxnu: neutrino magnetic-moment scattering on atoms, spectra and limits, in JAX.

import jaxnu
xenon = jaxnu.response("Xe")
jaxnu.cross_section(1.0, 400.0, xenon, mu=1e-11)            # cm²/keV per atom
jaxnu.limit(jaxnu.load_experiment("xenonnt-sr0"), xenon)    # LimitResult
"""

from importlib import import_module
from typing import Any

from jaxnu._guards import refuse_broken_environment
from jaxnu._version import __version__ as __version__

refuse_broken_environment()

# public name → module; loaded on first use, so that `jaxnu --help` needs no jax
_PUBLIC = {
    "response": "jaxnu.responses",
    "Response": "jaxnu.responses",
    "Shell": "jaxnu.responses",
    "Lines": "jaxnu.responses",
    "cross_section": "jaxnu.cross_sections",
    "cross_section_lines": "jaxnu.cross_sections",
    "effective_charge": "jaxnu.cross_sections",
    "weak_with_charges": "jaxnu.cross_sections",
    "nuclear_cross_section": "jaxnu.cross_sections",
    "electron_cloud": "jaxnu.cross_sections",
    "Spectrum": "jaxnu.flux",
    "rate": "jaxnu.rates",
    "nuclear_rate": "jaxnu.nuclear_rates",
    "expected_counts": "jaxnu.counts",
    "Experiment": "jaxnu.experiments",
    "Parameters": "jaxnu.experiments",
    "load_experiment": "jaxnu.experiments",
    "LimitResult": "jaxnu.inference",
    "limit": "jaxnu.inference",
    "sensitivity": "jaxnu.inference",
    "convergence": "jaxnu.inference",
    "ParameterFit": "jaxnu.inference",
    "fit_parameters": "jaxnu.inference",
    "MomentLimits": "jaxnu.inference",
    "moment_limits": "jaxnu.inference",
    "enable_compilation_cache": "jaxnu.precision",
    "InputError": "jaxnu.errors",
    "FitError": "jaxnu.errors",
    "Numerics": "jaxnu.settings",
}
_MODULES = ("flux", "mixing", "constants")

__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return import_module(f"jaxnu.{name}")
    raise AttributeError(f"module 'jaxnu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
