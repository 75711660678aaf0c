"""Models of the atomic responses S(T,Q) and R(T,Q) behind one interface."""

import inspect
from collections.abc import Callable
from typing import Any

from jaxnu import checks
from jaxnu.errors import InputError
from jaxnu.precision import require_x64
from jaxnu.responses.base import Lines, Response, Shell
from jaxnu.responses.equivalent_photon import frozen_photon
from jaxnu.responses.hydrogenic import hydrogenic_ion
from jaxnu.responses.on_shell import free_electrons, stepping

MODELS: dict[str, Callable[..., Response]] = {
    "stepping": stepping,
    "free": free_electrons,
    "hydrogenic": hydrogenic_ion,
    "equivalent-photon": frozen_photon,
}


def response(target: str, model: str = "stepping", **options: Any) -> Response:
    """The responses S(T,Q) and R(T,Q) of one atom of `target` in a given model.

    target: element symbol, "Xe".
    model: "stepping" (default), "free", "hydrogenic" (options electrons, last_n) or
        "equivalent-photon" (options variant, photoabsorption); see each class for formula,
        validity and source.
    Returns a Response: a pytree with target, model, Z, shells and the methods longitudinal,
        transverse [1/keV per atom], on_shell, lines, line_longitudinal, line_transverse.
    Raises InputError for an unknown element, model or option.
    """
    require_x64("response")
    checks.one_of("model", model, MODELS)
    build = MODELS[model]
    allowed = list(inspect.signature(build).parameters)[1:]
    for option in options:
        if option not in allowed:
            raise InputError(
                f"option {option!r} = {options[option]!r} is unknown to model {model!r}; "
                f"allowed: {', '.join(allowed) or 'none'}; remove it or choose another model"
            )
    return build(target, **options)


__all__ = ["MODELS", "Lines", "Response", "Shell", "response"]
