"""From expected counts and data to limits: on μ_ν, and on any signal strength x ≥ 0."""

from importlib import import_module
from typing import Any

from jaxnu.inference.limit_result import LimitResult
from jaxnu.inference.limits import convergence, limit, sensitivity

# several parameters, toys of experiments, and the statistics layer, arrays in and results out;
# loaded on first use
_LATER = {
    "ParameterFit": "parameters",
    "fit_parameters": "parameters",
    "MomentLimits": "moments",
    "moment_limits": "moments",
    "Sample": "model",
    "Measurement": "model",
    "Model": "model",
    "binned": "measurements",
    "difference": "measurements",
    "on_off": "measurements",
    "unbinned": "measurements",
    "build_model": "measurements",
    "asimov": "pseudodata",
    "simulate": "pseudodata",
    "Fit": "maximum_likelihood",
    "fit": "maximum_likelihood",
    "limit_value": "crossing",
    "Inference": "methods",
    "infer": "methods",
    "limit_impacts": "methods",
    "significance": "methods",
    "expected_limits": "methods",
    "counting_interval": "counting",
    "Samples": "nuts",
    "sample_posterior": "nuts",
    "Toys": "toys",
    "run_toys": "toys",
    "coverage": "toys",
    "start_processes": "toys",
    "ExperimentToys": "toy_limits",
    "experiment_workspace": "workspace",
    "experiment_toys": "toy_limits",
    "to_pyhf": "exchange",
    "to_hepdata": "exchange",
    "write_pyhf": "exchange",
    "write_json": "exchange",
    "write_hepdata": "exchange",
    "Statistics": "settings",
}

__all__ = ["LimitResult", "convergence", "limit", "sensitivity", *_LATER]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"jaxnu.inference.{_LATER[name]}"), name)
    raise AttributeError(f"module 'jaxnu.inference' has no attribute {name!r}")
