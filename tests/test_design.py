"""The cheapest detector against brute force; what a cost file must hold."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from jaxnu import FitError, InputError, load_experiment, response, sensitivity
from jaxnu.cli import main
from jaxnu.costs import read_costs
from jaxnu.design import changed, cheapest_detector, log_derivatives, parameters_of

COSTS = """
currency = "kEUR"
fixed = 50
[exposure]
lowest = "100 kg d"
highest = "20000 kg d"
amount = 0.3
reference = "1 kg d"
power = 1.0
[threshold]
lowest = "1.7 keV"
highest = "6 keV"
values = { unit = "keV", values = [1.5, 2.5, 4.0, 6.0] }
costs = [900.0, 300.0, 120.0, 80.0]
[background]
lowest = 0.2
highest = 1.0
amount = 100.0
reference = 1.0
power = -1.0
"""


@pytest.fixture(scope="module")
def gemma():
    return load_experiment("gemma")


@pytest.fixture(scope="module")
def atom():
    return response("Ge", "free")


@pytest.fixture(scope="module")
def priced(gemma, tmp_path_factory):
    path = tmp_path_factory.mktemp("costs") / "cost.toml"
    path.write_text(COSTS)
    return read_costs(path, parameters_of(gemma))


@pytest.fixture(scope="module")
def limit_at(gemma, atom):
    """ln(limit) of exposure [kg d] and threshold [keV], without any of the design's own code."""

    @jax.jit
    def value(exposure, threshold):
        moved = gemma.replace(exposure_kg_day=exposure, threshold_keV=threshold)
        return jnp.log(sensitivity(moved, atom).limit_mu_B)

    return lambda exposure, threshold: float(value(exposure, threshold))


@pytest.fixture(scope="module")
def both_free(gemma, atom, priced):
    return cheapest_detector(gemma, priced, ("threshold", "exposure"), 4e-11, atom)


@pytest.mark.slow
def test_one_parameter_ends_on_the_target(gemma, atom, priced, limit_at, agree):
    found = cheapest_detector(gemma, priced, ("exposure",), 4e-11, atom)
    threshold = float(gemma.parameters.threshold_keV)
    exposure = brentq(lambda e: limit_at(e, threshold) - np.log(4e-11), 100.0, 20000.0, xtol=1e-9)
    agree("exposure", found.values["exposure"], exposure, 1e-6)
    agree("cost", found.cost, 50.0 + 0.3 * exposure, 1e-6)
    agree("limit", found.limit_mu_B, 4e-11, 2e-7)
    assert found.at_bound == {} and found.stationarity <= 1e-6


@pytest.mark.slow
def test_two_parameters_are_those_of_brute_force(both_free, priced, limit_at, agree):
    """For each threshold the exposure that reaches the target, then the least cost of all."""

    def cost(threshold):
        e = brentq(lambda e: limit_at(e, threshold) - np.log(4e-11), 10.0, 1e6, xtol=1e-9)
        return float(priced.total({"exposure": np.log(e), "threshold": np.log(threshold)}))

    grid = np.linspace(1.7, 6.0, 40)
    costs = [cost(t) for t in grid]
    k = int(np.clip(np.argmin(costs), 1, 38))
    best = minimize_scalar(cost, bounds=(grid[k - 1], grid[k + 1]), method="bounded",
                           options={"xatol": 1e-7})  # fmt: skip
    print(both_free)
    agree("least cost", both_free.cost, best.fun, 1e-6)
    agree("threshold", both_free.values["threshold"], best.x, 1e-3)


@pytest.mark.slow
def test_the_price_of_a_lower_target(both_free, gemma, atom, priced, agree):
    """λ = −d ln(cost)/d ln(target)."""
    lower, higher = (
        cheapest_detector(gemma, priced, ("threshold", "exposure"), 4e-11 * f, atom).cost
        for f in (0.999, 1.001)
    )
    slope = -np.log(higher / lower) / np.log(1.001 / 0.999)
    agree("multiplier", both_free.multiplier, slope, 1e-3)


@pytest.mark.slow
def test_a_target_that_costs_nothing(gemma, atom, priced):
    found = cheapest_detector(gemma, priced, ("exposure", "background"), 2e-10, atom)
    print(found)
    assert found.at_bound == {"exposure": "lowest", "background": "highest"}
    assert found.multiplier == 0.0 and found.limit_mu_B < 2e-10


def test_a_target_out_of_reach(gemma, atom, priced):
    with pytest.raises(FitError, match="is not reached within the bounds") as failure:
        cheapest_detector(gemma, priced, ("exposure",), 1e-12, atom)
    print(failure.value)
    assert len(str(failure.value).splitlines()) == 1 and "exposure = 2e+04" in str(failure.value)


def test_a_search_cut_short_fails(gemma, atom, priced, monkeypatch):
    monkeypatch.setattr("jaxnu.design.ROUNDS", 1)
    with pytest.raises(FitError, match="did not converge"):
        cheapest_detector(gemma, priced, ("exposure",), 4e-11, atom)


def test_log_derivatives(gemma, atom, agree):
    """Those of the forecast, and of a distance: the flux falls with its square."""
    found, plain = log_derivatives(gemma, atom), sensitivity(gemma, atom).derivatives
    for name in ("exposure", "resolution", "background", "flux"):
        agree(name, found[name], plain[name], 1e-8, scale=1.0)
    agree("threshold", found["threshold"], plain["threshold_keV"], 1e-8, scale=1.0)
    agree("distance", found["distance"], -2.0 * found["flux"], 1e-12)
    assert set(found) == {*parameters_of(gemma), *(f"shells {x[0]}" for x in atom.labels)}


@pytest.mark.slow
def test_a_spectrum_that_is_uncertain_stays_relatively_so(gemma, atom, agree):
    """The flux moves the variations with it, as in the limit's own derivative."""
    source = gemma.parameters.source
    tilt = 0.1 * jnp.linspace(-1.0, 1.0, len(source.density))[:, None] * source.density
    uncertain = gemma.replace(
        systematics=(("model", "spectrum"),),
        systematic_uncertainty=[1.0],
        source_variations=dataclasses.replace(
            source, density=tilt[None], line_flux=0.1 * source.line_flux[None]
        ),
    )
    found, plain = log_derivatives(uncertain, atom), sensitivity(uncertain, atom).derivatives
    agree("flux", found["flux"], plain["flux"], 1e-7, scale=1.0)
    agree("flux", found["flux"], -0.5, 1e-7)


@pytest.mark.slow
def test_resolution_moves_within_panels_made_for_it(gemma, atom, tmp_path, agree):
    """A detector with half the resolution's width is the one loaded with it."""
    from jaxnu.design import _with_room
    from jaxnu.experiments.experiment import transfer_edges

    path = tmp_path / "cost.toml"
    path.write_text("currency = 'EUR'\n[resolution]\nlowest = 0.5\nhighest = 2.0\namount = 1.0\n"
                    "reference = 1.0\npower = -1.0\n")  # fmt: skip
    room = _with_room(gemma, read_costs(path, parameters_of(gemma)))
    p = gemma.parameters
    for factor in (0.5, 2.0):
        sigma = factor * np.asarray(p.resolution_keV)
        edges = np.asarray(p.bin_edges_keV)
        top = float(p.source.edges_keV[-1])
        direct = gemma.replace(
            resolution_keV=sigma,
            transfer_edges_keV=transfer_edges(sigma, edges[0], edges[-1], top),
        )
        got = sensitivity(changed(room, {"resolution": factor}), atom).limit_mu_B
        agree(f"σ × {factor}", got, sensitivity(direct, atom).limit_mu_B, 1e-7)


def test_parameters_that_cannot_be_free(gemma, atom, priced):
    for free, words in (
        ((), "free = nothing"),
        (("exposure", "exposure"), "each once"),
        (("treshold",), "did you mean 'threshold'"),
        (("resolution",), "'resolution' has no cost"),
        (("off_exposure",), "'off_exposure' is unknown"),
    ):
        with pytest.raises(InputError) as refusal:
            cheapest_detector(gemma, priced, free, 4e-11, atom)
        print(refusal.value)
        assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
    for target in (0.0, -1e-11, 40.0, float("nan")):
        with pytest.raises(InputError, match="target_mu_B"):
            cheapest_detector(gemma, priced, ("exposure",), target, atom)


MISTAKES = {
    "not TOML": ("currency = ", "is not TOML"),
    "an unknown table": ("currency='EUR'\n[expsure]\n", "did you mean 'exposure'"),
    "no currency": ("fixed = 1\n", "cost.toml: currency = ''; give a text"),
    "nothing priced": ("currency = 'EUR'\n", "prices no parameter"),
    "a negative sum": ("currency = 'EUR'\nfixed = -1\n", "cost.toml: fixed = -1; give a number in"),
    "a number for a table": ("currency = 'EUR'\nexposure = 3\n", "exposure = 3 is not a table"),
}
KEYS = {  # line of [exposure] or [threshold] → what is put there, and what is said
    "an unknown key": ('power = 1.0', 'powr = 1.0', "did you mean 'power'"),
    "no unit": ('lowest = "100 kg d"', "lowest = 100", "exposure.lowest = 100 has no unit"),
    "another unit": ('lowest = "100 kg d"', 'lowest = "100 keV"', "is not an exposure"),
    "a range upside down": ('lowest = "100 kg d"', 'lowest = "1e6 kg d"', "not below highest"),
    "nothing missing": ('reference = "1 kg d"\n', "", "exposure.reference is missing"),
    "zero": ('highest = "20000 kg d"', 'highest = "0 kg d"', "is not above zero"),
    "a cost of zero": ("amount = 0.3", "amount = 0", "exposure.amount = 0; give a number in (0"),
    "not a number": ("amount = 0.3", "amount = nan", "exposure.amount = nan"),
    "a wild power": ("power = 1.0", "power = 1e3", "exposure.power = 1000.0; give a number in"),
    "two laws": ("power = 1.0", "power = 1.0\ncosts = [1.0]", "give either amount"),
    "no law": ("costs = [900.0, 300.0, 120.0, 80.0]", "", "threshold.costs is missing"),
    "too few": ("300.0, 120.0,", "", "give a list of 4 numbers"),
    "not increasing": ("[1.5, 2.5, 4.0, 6.0]", "[2.5, 1.5, 4.0, 6.0]", "increasing values"),
    "a short table": ("[1.5, 2.5, 4.0, 6.0]", "[1.5, 2.5, 4.0, 5.0]", "do not reach from"),
    "a bare list": ('{ unit = "keV", values = [1.5, 2.5, 4.0, 6.0] }', "[1.0, 2.0]", "{ unit ="),
    "an unknown unit": ('unit = "keV"', 'unit = "kev"', "did you mean 'keV'"),
    "a unit for a factor": ("lowest = 0.2", 'lowest = "0.2 keV"', "background.lowest = '0.2 keV'"),
}  # fmt: skip


@pytest.mark.parametrize("case", [*MISTAKES, *KEYS])
def test_a_mistake_in_a_cost_file_is_one_line(case, gemma, tmp_path):
    path = tmp_path / "cost.toml"
    if case in KEYS:
        old, new, words = KEYS[case]
        assert old in COSTS
        path.write_text(COSTS.replace(old, new, 1))
    else:
        text, words = MISTAKES[case]
        path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_costs(path, parameters_of(gemma))
    print(refusal.value)
    message = str(refusal.value)
    assert len(message.splitlines()) == 1 and "cost.toml: " in message and words in message


def test_a_cost_file_that_is_not_there(gemma, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_costs(tmp_path / "none.toml", parameters_of(gemma))


def test_costs_between_the_knots(priced, agree):
    """At the knots the costs of the file; a power law everywhere."""
    threshold, exposure = priced.parameters["threshold"], priced.parameters["exposure"]
    for value, cost in ((2.5, 300.0), (4.0, 120.0), (6.0, 80.0)):
        agree(f"{value} keV", np.exp(threshold.log_cost(np.log(value))), cost, 1e-12)
    agree("777 kg d", np.exp(exposure.log_cost(np.log(777.0))), 0.3 * 777.0, 1e-12)


@pytest.mark.slow
def test_the_command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxnu.precision.enable_compilation_cache", lambda: None)
    assert main(["design", "--new", "cost.toml"]) == 0
    assert main(["design", "--new", "cost.toml"]) == 2
    Path("cost.toml").write_text(COSTS)
    capsys.readouterr()
    words = "design gemma --response free --free threshold,exposure --cost cost.toml"
    assert main([*words.split(), "--target-limit", "4e-11", "--json"]) == 0
    written = json.loads(Path("design-gemma.json").read_text())
    assert written == json.loads(capsys.readouterr().out)
    assert written["design"]["limit_mu_B"] == pytest.approx(4e-11, rel=2e-7)
    assert Path("design-gemma.png").read_bytes()[:4] == b"\x89PNG"
    for wrong, said in (
        (["design"], "needs an experiment"),
        (["design", "gemma", "--free", "exposure"], "without --cost"),
        (["design", "gemma", "--target-limit", "1e-11"], "without --free and --cost"),
        (["design", "--new", "cost.txt"], "TOML file"),
    ):
        assert main(wrong) == 2
        line = capsys.readouterr().err
        assert said in line and len(line.splitlines()) == 1


def test_the_template_is_a_cost_file(gemma, tmp_path):
    assert main(["design", "--new", str(tmp_path / "cost.toml")]) == 0
    found = read_costs(tmp_path / "cost.toml", parameters_of(gemma))
    assert set(found.parameters) == {"exposure", "threshold", "background"}
