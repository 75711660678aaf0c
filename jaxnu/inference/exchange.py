"""Models and results for other programs: pyhf workspaces, JSON, HEPData tables."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnu import checks
from jaxnu.errors import InputError
from jaxnu.files import write_text
from jaxnu.inference.methods import Inference
from jaxnu.inference.model import POI, Measurement, Model

FACTOR_MAX = 10.0  # of a free norm factor


def to_pyhf(model: Model, x_max: float = 10.0) -> dict[str, Any]:
    """The model as a pyhf workspace (HistFactory JSON schema 1.0.0), the same likelihood.

    x is the normfactor "x". A free norm becomes a normfactor, a constrained one, or a shape, a
    histosys with template ± δ (linear in α for pyhf's default code4p); Monte Carlo errors become
    staterror.

    Args:
        model: of binned measurements.
        x_max: upper bound of x in the workspace, above any limit to be looked for.

    Returns:
        A dictionary for json.dump or pyhf.Workspace.

    Raises:
        InputError: for what HistFactory's usual modifiers cannot say: measurements that are not
            binned, a sample with a constrained norm and another modifier of a constrained nuisance
            (a product), a shape of a free nuisance, data with shifted constraints, counts whose
            Monte Carlo factors have shifted centres.
    """
    checks.instance("model", model, Model, "build_model(measurements) gives one")
    if np.any(np.asarray(model.auxiliary) != 0.0):
        raise InputError(
            "auxiliary is not zero: a workspace is written for observed data; remedy: with_data"
        )
    channels = [_channel(model, m) for m in model.measurements]
    parameters = [{"name": POI, "inits": [1.0], "bounds": [[0.0, float(x_max)]]}]
    for name, high in zip(model.nuisances, np.asarray(model.upper), strict=True):
        if name in model.free:
            top = min(1.0 + float(high), FACTOR_MAX)
            parameters.append({"name": name, "inits": [1.0], "bounds": [[0.0, top]]})
    return {
        "channels": channels,
        "observations": [
            {"name": m.name, "data": _list(m.data["counts"])} for m in model.measurements
        ],
        "measurements": [{"name": "jaxnu", "config": {"poi": POI, "parameters": parameters}}],
        "version": "1.0.0",
    }


def _channel(model: Model, m: Measurement) -> dict[str, Any]:
    if m.kind != "binned":
        raise InputError(
            f"{m.name} is a {m.kind} measurement, which pyhf has not; allowed: binned ones"
        )
    if m.power_names:
        raise InputError(
            f"{m.name}: powers of {', '.join(m.power_names)} have no form in pyhf; allowed: "
            "samples linear in x; remedy: leave these parameters out"
        )
    if m.mc_error is not None and np.any(np.asarray(m.data["mc_centre"]) != 1.0):
        raise InputError(f"{m.name}: mc_centre is not 1; a workspace is written for observed data")
    template, norm, shift = (np.asarray(a) for a in (m.template, m.norm, m.shift))
    # pyhf adds the errors of the samples in squares and divides by their sum: split the sum so
    with_variance = np.asarray(m.with_variance)
    samples = []
    for row, name in enumerate(m.samples):
        modifiers: list[dict[str, Any]] = []
        if m.signal[row]:
            modifiers.append({"name": POI, "type": "normfactor", "data": None})
        shapes = [k for k, n in enumerate(m.shape_names) if np.any(shift[row, k] != 0.0)]
        norms = [k for k, n in enumerate(m.norm_names) if norm[row, k] != 0.0]
        bound = [k for k in norms if m.norm_names[k] not in model.free]
        if len(bound) > 1 or (bound and shapes):
            raise InputError(
                f"{m.name}: {name} has a product of constrained modifiers, which a histosys cannot "
                "say; remedy: one constrained norm, or shapes with δ = σ × template"
            )
        for k in norms:
            nuisance, sigma = m.norm_names[k], norm[row, k]
            if nuisance in model.free:
                if sigma != 1.0:
                    raise InputError(
                        f"{m.name}: {name} has σ = {sigma:g} for the free {nuisance!r}; allowed in "
                        "a workspace: 1"
                    )
                modifiers.append({"name": nuisance, "type": "normfactor", "data": None})
            else:
                modifiers.append(_histosys(nuisance, template[row], sigma * template[row]))
        for k in shapes:
            if m.shape_names[k] in model.free:
                raise InputError(
                    f"{m.name}: {name} has a shape of the free {m.shape_names[k]!r}; histosys is "
                    "always constrained; remedy: split the sample"
                )
            modifiers.append(_histosys(m.shape_names[k], template[row], shift[row, k]))
        if with_variance[row]:
            total = template[with_variance].sum(axis=0)
            error = np.asarray(m.mc_error) * total / np.sqrt(with_variance.sum())
            modifiers.append(
                {"name": f"staterror_{m.name}", "type": "staterror", "data": _list(error)}
            )
        samples.append({"name": name, "data": _list(template[row]), "modifiers": modifiers})
    return {"name": m.name, "samples": samples}


def _histosys(name: str, template: np.ndarray, delta: np.ndarray) -> dict[str, Any]:
    data = {"hi_data": _list(template + delta), "lo_data": _list(template - delta)}
    return {"name": name, "type": "histosys", "data": data}


def _list(values: Any) -> list[float]:
    return [float(v) for v in np.asarray(values)]


def write_pyhf(model: Model, path: Path | str, x_max: float = 10.0) -> None:
    """Write `to_pyhf` to a file."""
    write_text(Path(path), json.dumps(to_pyhf(model, x_max), indent=1) + "\n")


def write_json(result: Inference, path: Path | str) -> None:
    """Write all of a result as JSON; infinities are strings."""
    write_text(Path(path), json.dumps(result.as_dict(), indent=1, allow_nan=False) + "\n")


def to_hepdata(results: Sequence[Inference], x_unit: str = "") -> str:
    """Limits as a HEPData data table (YAML): one row per result.

    Args:
        results: from infer.
        x_unit: unit of x, for the header, e.g. "1e-22 MUB**2".

    Returns:
        YAML text: independent variables method, convention and CL; upper limit, lower end, best
        fit, and the expected limit with its 1σ and 2σ bands where there is one.
    """
    results = list(results)
    if not results:
        raise InputError("results = [] is empty; give what infer returned")

    def numbers(values: Sequence[float]) -> list[str]:
        return [f"  - {{value: {_yaml(value)}}}" for value in values]

    lines = ["independent_variables:"]
    for name, texts in (
        ("Method", [r.method for r in results]),
        ("Convention", [r.convention for r in results]),
    ):
        lines += [f"- header: {{name: {name}}}", "  values:"]
        lines += [f"  - {{value: {json.dumps(text)}}}" for text in texts]
    lines += ["- header: {name: Confidence level}", "  values:"]
    lines += numbers([r.confidence for r in results])
    lines += ["dependent_variables:"]
    units = f", units: {json.dumps(x_unit)}" if x_unit else ""
    for name, values in (
        ("Upper limit on x", [r.value for r in results]),
        ("Lower end of x", [r.interval[0] for r in results]),
        ("Best fit x", [r.best_fit for r in results]),
    ):
        lines += [f"- header: {{name: {name}{units}}}", "  values:", *numbers(values)]
    lines += [f"- header: {{name: Expected upper limit on x{units}}}", "  values:"]
    for r in results:
        if r.expected is None:
            lines.append("  - {value: '-'}")
            continue
        two_down, down, middle, up, two_up = r.expected
        lines += [
            f"  - value: {_yaml(middle)}",
            "    errors:",
            f"    - {{asymerror: {{minus: {_yaml(down - middle)}, plus: {_yaml(up - middle)}}}, "
            "label: 1 sigma}",
            f"    - {{asymerror: {{minus: {_yaml(two_down - middle)}, "
            f"plus: {_yaml(two_up - middle)}}}, label: 2 sigma}}",
        ]
    return "\n".join(lines) + "\n"


def _yaml(value: float) -> str:
    """A float that YAML 1.1 reads as one: 1e-11 would be a string, 1.0e-11 is a number."""
    text = repr(float(value))
    if "e" in text and "." not in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}.0e{exponent}"
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)


def write_hepdata(results: Sequence[Inference], path: Path | str, x_unit: str = "") -> None:
    """Write `to_hepdata` to a file."""
    write_text(Path(path), to_hepdata(results, x_unit))
