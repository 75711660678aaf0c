"""An experiment as a workspace: the limits of pyhf."""

import dataclasses
import json

import pytest

from jaxnu import InputError, load_experiment, response
from jaxnu.cli import main
from jaxnu.inference import experiment_workspace


@pytest.mark.slow
def test_the_limit_of_xenonnt_is_that_of_pyhf(agree, tmp_path, monkeypatch, capsys):
    pyhf = pytest.importorskip("pyhf", reason="pyhf is not installed")
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-12))
    monkeypatch.chdir(tmp_path)
    words = "limit xenonnt-sr0 --response stepping --method cls --pyhf x.json --json"
    assert main(words.split()) == 0
    ours = json.loads(capsys.readouterr().out)
    workspace = pyhf.Workspace(json.loads((tmp_path / "x.json").read_text(encoding="utf-8")))
    model = workspace.model()
    data = workspace.data(model)
    scan = pyhf.infer.intervals.upper_limits.toms748_scan
    observed, expected = scan(data, model, 0.02, 5.0, level=0.1, rtol=1e-5)
    agree("observed μ²", ours["limit_mu2"] / 1e-22, observed, 1e-3)
    agree("bands of μ", ours["bands_mu_B"], [x**0.5 * 1e-11 for x in expected], 1e-3)


def test_what_a_workspace_cannot_say_is_refused():
    experiment = load_experiment("gemma-2010")
    atom = response("Ge", "free")
    with pytest.raises(InputError, match="difference measurement, which pyhf has not"):
        experiment_workspace(experiment, atom, "Asimov")
    with pytest.raises(InputError, match="no counts"):
        experiment_workspace(dataclasses.replace(load_experiment("gemma")), atom)
