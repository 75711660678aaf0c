"""From expected counts and data to limits on μ_ν."""

from jaxnu.inference.limits import LimitResult, convergence, limit, sensitivity

__all__ = ["LimitResult", "convergence", "limit", "sensitivity"]
