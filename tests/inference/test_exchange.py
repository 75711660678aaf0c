"""Workspaces against pyhf's own likelihood and CL_s; results as JSON and YAML."""

import json

import numpy as np
import pytest

from jaxnu import InputError
from jaxnu.inference.crossing import limit_value
from jaxnu.inference.exchange import to_hepdata, to_pyhf, write_hepdata, write_json, write_pyhf
from jaxnu.inference.measurements import binned, build_model, on_off
from jaxnu.inference.methods import expected_limits, infer
from jaxnu.inference.model import Sample


@pytest.fixture(scope="module")
def pyhf():
    found = pytest.importorskip("pyhf", reason="pyhf is not installed")
    found.set_backend("numpy", found.optimize.scipy_optimizer(tolerance=1e-12))
    return found


@pytest.fixture(scope="module")
def model(arrays):
    """Two measurements, every modifier that HistFactory has."""
    a, c = arrays(3, bins=6), arrays(4, bins=4)
    one = binned("one", a["counts"], [
        Sample("signal", a["signal"], signal=True, norms={"efficiency": 0.1}),
        Sample("first", a["first"], norms={"first": 1.0}, variance=0.02 * a["first"]),
        Sample("second", a["second"], shapes={"efficiency": 0.1 * a["second"]},
               variance=0.05 * a["second"]),
    ])  # fmt: skip
    two = binned("two", c["counts"], [
        Sample("signal", c["signal"], signal=True, norms={"efficiency": 0.1}),
        Sample("first", c["first"], norms={"first": 1.0}, shapes={"tilt": c["tilt"]}),
    ])  # fmt: skip
    return build_model([one, two], free=("first",))


def upper(pyhf, workspace, data, level=0.1):
    """x where pyhf's asymptotic CL_s is the level: observed, and the five expected ones."""
    scan = pyhf.infer.intervals.upper_limits.toms748_scan
    return scan(data, workspace.model(), 0.02, 5.0, level=level, rtol=1e-5)


@pytest.mark.slow
def test_cls_limits_are_those_of_pyhf(pyhf, model, agree):
    workspace = pyhf.Workspace(to_pyhf(model))
    data = workspace.data(workspace.model())
    observed, expected = upper(pyhf, workspace, data)
    agree("observed CL_s limit", limit_value(model, "cls"), observed, 1e-3)
    agree("expected CL_s limits", expected_limits(model, "cls"), expected, 1e-3)


def test_likelihood_differences_are_those_of_pyhf(pyhf, model, agree):
    """At fixed parameters, with every γ profiled by pyhf's own fit of a fixed rest."""
    plain = build_model([m for m in model.measurements if m.name == "two"], free=("first",))
    workspace = pyhf.Workspace(to_pyhf(plain))
    theirs = workspace.model()
    data = workspace.data(theirs)
    order = list(theirs.config.par_order)
    print("parameters of pyhf:", order)
    values, ours = [], []
    for point in ({"x": 0.0, "efficiency": 0.0, "first": 1.0, "tilt": 0.0},
                  {"x": 0.8, "efficiency": -0.7, "first": 1.2, "tilt": 0.4},
                  {"x": 0.3, "efficiency": 1.5, "first": 0.8, "tilt": -1.1}):  # fmt: skip
        values.append(-float(theirs.logpdf([point[n] for n in order], data)[0]))
        theta = [point[n] - (n == "first") for n in plain.names]
        ours.append(float(plain.minus_log_likelihood(np.array(theta))))
    agree("−ln L differences", np.diff(ours), np.diff(values), 1e-9)


def test_what_a_workspace_cannot_say_is_refused(model, arrays, build):
    with pytest.raises(InputError, match="product"):
        to_pyhf(build_model(binned("sr", [1.0], [
            Sample("s", [1.0], signal=True, norms={"a": 0.1, "b": 0.2})
        ])))  # fmt: skip
    with pytest.raises(InputError, match="allowed: binned"):
        to_pyhf(build_model(on_off("o", [1.0], [1.0], 1.0, [
            Sample("s", [1.0], signal=True), Sample("b", [1.0])
        ])))  # fmt: skip
    with pytest.raises(InputError, match="auxiliary"):
        to_pyhf(model.with_data({}, auxiliary=np.ones(len(model.nuisances))))


@pytest.mark.slow
def test_files(tmp_path, model):
    result = infer(model, "cls")
    write_json(result, tmp_path / "result.json")
    held = json.loads((tmp_path / "result.json").read_text())
    assert held["value"] == result.value and held["convention"] == "one-sided"
    write_pyhf(model, tmp_path / "workspace.json")
    assert json.loads((tmp_path / "workspace.json").read_text())["version"] == "1.0.0"
    write_hepdata([result], tmp_path / "table.yaml", x_unit="1e-22 MUB**2")
    assert (tmp_path / "table.yaml").read_text() == to_hepdata([result], "1e-22 MUB**2")
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    table = yaml.safe_load((tmp_path / "table.yaml").read_text())
    rows = {d["header"]["name"]: d["values"] for d in table["dependent_variables"]}
    assert rows["Upper limit on x"][0]["value"] == result.value
    band = rows["Expected upper limit on x"][0]
    assert band["value"] + band["errors"][0]["asymerror"]["plus"] == pytest.approx(
        result.expected[3]
    )
    with pytest.raises(InputError, match="results"):
        to_hepdata([])
