"""Models of the atomic responses S(T,Q) and R(T,Q) behind one interface."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxnu import checks
from jaxnu.atom.configuration import Z_MAX
from jaxnu.atom.table import TABLE_FILES
from jaxnu.elements import composition, element
from jaxnu.errors import InputError
from jaxnu.precision import require_x64
from jaxnu.responses.base import Lines, Response, Shell
from jaxnu.responses.central_field import CentralField, central_field_atom, file_atom
from jaxnu.responses.compound import Compound
from jaxnu.responses.equivalent_photon import frozen_photon
from jaxnu.responses.hydrogenic import hydrogenic_ion
from jaxnu.responses.on_shell import free_electrons, stepping
from jaxnu.responses.sum_rules import f_sum, static_sum

MODELS: dict[str, Callable[..., Response]] = {
    "central-field": central_field_atom,
    "stepping": stepping,
    "free": free_electrons,
    "hydrogenic": hydrogenic_ion,
    "equivalent-photon": frozen_photon,
}
DEFAULT_MODEL = "central-field"


def response(target: str | Path, model: str | None = None, **options: Any) -> Response:
    """The responses S(T,Q) and R(T,Q) of one atom of `target` in a given model.

    target: element symbol, "Xe"; a compound, "CaWO4", per formula unit and with free atoms, those
        beyond Cs by stepping where the model is central-field (its `model` says so); or the
        path of a table of S and R: a pathlib.Path, or a string that ends in .npz or .txt (format:
        jaxnu.atom.table_files). A file is its own model "table" (option thresholds).
    model: "central-field" (default, H to Cs; options source, thresholds, exchange, progress),
        "stepping", "free", "hydrogenic" (options electrons, last_n) or "equivalent-photon"
        (options variant, photoabsorption); see each class for formula, validity and source.
    Returns a Response: a pytree with target, model, Z, shells and the methods longitudinal,
        transverse [1/keV per atom], on_shell, lines, line_longitudinal, line_transverse.
    Raises InputError for an unknown element, model or option, and for a bad file.
    """
    require_x64("response")
    if isinstance(target, Path) or (isinstance(target, str) and target.endswith(TABLE_FILES)):
        if model not in (None, "table"):
            raise InputError(
                f"model = {model!r} does not read files such as target = {str(target)!r}; "
                "allowed: None; leave the model out, or give an element symbol"
            )
        _check_options("table", file_atom, options)
        return file_atom(target, **options)
    model = DEFAULT_MODEL if model is None else model
    checks.one_of("model", model, MODELS)
    _check_options(model, MODELS[model], options)
    atoms = composition(target)
    if list(atoms.values()) == [1]:
        return MODELS[model](*atoms, **options)
    if "photoabsorption" in options:
        raise InputError(
            f"option 'photoabsorption' with the compound target = {target!r}: one table cannot be "
            "that of each atom; leave it out, or join the atoms with Compound.of"
        )
    parts = tuple(_atom_of_compound(symbol, model, options) for symbol in atoms)
    return Compound.of(target, parts)


def _atom_of_compound(symbol: str, model: str, options: dict[str, Any]) -> Response:
    if model == "central-field" and element(symbol).Z > Z_MAX:
        return stepping(symbol)
    return MODELS[model](symbol, **options)


def _check_options(model: str, build: Callable[..., Response], options: dict[str, Any]) -> None:
    allowed = list(inspect.signature(build).parameters)[1:]
    for option in options:
        if option not in allowed:
            raise InputError(
                f"option {option!r} = {options[option]!r} is unknown to model {model!r}; "
                f"allowed: {', '.join(allowed) or 'none'}; remove it or choose another model"
            )


__all__ = [
    "MODELS",
    "CentralField",
    "Compound",
    "Lines",
    "Response",
    "Shell",
    "f_sum",
    "response",
    "static_sum",
]
