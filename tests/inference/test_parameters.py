"""Several properties of the neutrino at once: templates, minima, intervals."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr

import jaxnu
from jaxnu import counts as counts_module
from jaxnu import nuclear_counts, rates
from jaxnu.cross_sections import nuclear, weak
from jaxnu.errors import InputError
from jaxnu.experiments import load_experiment
from jaxnu.inference import Sample, asimov, binned, build_model, difference
from jaxnu.inference.experiment_model import experiment_model
from jaxnu.inference.intervals import correlations, find_minima, profile_interval
from jaxnu.inference.parameters import PARAMETERS, fit_parameters, terms_of

DELTA = 2.705543454095404
TEXT = """
title = "invented"
[source]
{source}
[target]
element = "{element}"
exposure = "{exposure} kg d"
recoil = "{recoil}"
[detector.resolution]
constant = "80 eV_ee"
[detector.efficiency]
energies = {{ unit = "keV_ee", values = [0.01, 0.02, 9] }}
values = [0.0, 1.0, 1.0]
{quenching}
[data]
kind = "{kind}"
{data}
bin_edges = {{ unit = "keV_ee", values = [0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8] }}
[background]
rate = "{background} / (keV kg d)"
includes_efficiency = false
{cevns}
{weak}
{systematics}
[statistics]
{norm}
[reference]
citation = "invented"
"""
REACTOR = 'kind = "reactor"\npower = "3 GW"\ndistance = "20 m"'
LINE = 'kind = "line"\nenergy = "862 keV"\nflux = "1e12 / (cm2 s)"\nantineutrino = {}'
QUENCHING = '[detector.quenching]\nmodel = "lindhard"\nk = 0.162'
FLUX = '[systematics.flux]\nparameter = "flux"\nuncertainty = 0.05'


@pytest.fixture
def make(tmp_path):
    def load(source=REACTOR, element="Ge", recoil="electron", kind="counts", data="", weak="",
             systematics="", background="10", exposure="100",
             norm='background_norm = "floating"'):  # fmt: skip
        nuclear = recoil != "electron"
        path = tmp_path / "mine.toml"
        path.write_text(TEXT.format(
            source=source, element=element, recoil=recoil, kind=kind, data=data, weak=weak,
            systematics=systematics, background=background, exposure=exposure, norm=norm,
            quenching=QUENCHING * nuclear, cevns="includes_cevns = false" * nuclear,
        ), encoding="utf-8")  # fmt: skip
        return load_experiment(path)

    return load


@pytest.fixture(scope="module")
def xenon():
    return jaxnu.response("Xe", "free")


@pytest.fixture(scope="module")
def germanium():
    return jaxnu.response("Ge", "free")


def built(e, atom, names, adds_weak=True):
    e = dataclasses.replace(e, background_has_weak=not adds_weak)
    program = jax.jit(experiment_model, static_argnames=("data", "terms"))
    return program(e, atom, "Asimov", terms_of(names)).model


def expected(model, values):
    """Counts of what the source sends, of the first measurement."""
    theta = np.zeros(len(model.names))
    for name, value in values.items():
        what = PARAMETERS[name]
        at = model.names.index("x" if name == "mu2" else name)
        theta[at] = (value - what.nominal) / what.unit
    m, found = model.measurements[0], np.asarray(model.rates(jnp.asarray(theta))[0])
    return found[[name != "background" for name in m.samples]].sum(axis=0)


# ---- expected counts -----------------------------------------------------------------------------


@pytest.mark.parametrize("recoil", ["electron", pytest.param("both", marks=pytest.mark.slow)])
def test_coefficients_of_the_angle_are_exact(make, germanium, monkeypatch, agree, recoil):
    """Polynomial in sin²θ_W against weak scattering with the other couplings themselves."""
    e = make(recoil=recoil)
    angle, radius = (built(e, germanium, (name,)) for name in ("sin2_theta_w", "r2_cm2"))
    # run the functions uncompiled, for a compiled one keeps the couplings
    monkeypatch.setattr(counts_module, "map_rates", rates.map_rates.__wrapped__)
    monkeypatch.setattr(
        nuclear_counts, "map_nuclear_rates", nuclear_counts.map_nuclear_rates.__wrapped__
    )
    for value in (0.23857, 0.0, 0.31, 0.9):
        monkeypatch.setattr(weak, "G_V", 2.0 * value + 0.5)
        monkeypatch.setattr(nuclear, "SIN2_WEINBERG", value)
        direct = counts_module.recorded(e, counts_module.channel_deposits(e, germanium, "weak"))
        got = expected(angle, {"sin2_theta_w": value})
        agree(f"{recoil}, sin²θ_W = {value}", got, direct, 1e-12, scale=np.abs(direct))
        # C<r²> = 2 δ, C of docs/physics.md with five digits
        same = expected(radius, {"r2_cm2": 2.0 * (value - 0.23857) / 2.3796e30})
        agree(f"{recoil}, <r²> for it", same, direct, 1e-4, scale=np.abs(direct))


ALPHA, FERMI, MASS, HBARC_keV_cm = 1 / 137.035999, 1.1663787e-17, 510.99895, 1.973269804e-8


def by_hand(T, E, s2, r2, q, antineutrino):
    """dσ/dT of a free electron and ν_e in cm²/keV: g_V shifted, written from docs/physics.md."""
    unit = FERMI * HBARC_keV_cm
    shift = math.sqrt(2) * math.pi * ALPHA / FERMI * (
        r2 / HBARC_keV_cm**2 / 3 - 2 * q / (2 * MASS * T)
    )  # fmt: skip
    v, a = 2 * s2 + 0.5 + shift, -0.5 if antineutrino else 0.5
    return unit**2 * MASS / (2 * math.pi) * (
        (v + a) ** 2 + (v - a) ** 2 * (1 - T / E) ** 2 + (a**2 - v**2) * MASS * T / E**2
    )  # fmt: skip


@pytest.mark.parametrize("antineutrino", [pytest.param(False, marks=pytest.mark.slow), True])
def test_weak_amplitude_with_radius_and_charge_by_hand(make, xenon, agree, antineutrino):
    """Size and sign of every interference, by an integral over a line smeared with a Gaussian."""
    e = make(LINE.format(str(antineutrino).lower()), "Xe")
    cases = ({"r2_cm2": -3e-31, "q_e": 2e-13}, {"r2_cm2": 4e-31, "q_e": -1e-13},
             {"sin2_theta_w": 0.4, "q_e": 3e-13})  # fmt: skip
    electrons = 54 * 6.02214076e23 / 131.29 * 1e3 * 100 * 86400 * 1e12
    for values in cases:
        model = built(e, xenon, tuple(values))
        s2 = values.get("sin2_theta_w", 0.23857)
        hand = [
            electrons * quad(
                lambda T, low=low, high=high, s2=s2, v=values: by_hand(
                    T, 862.0, s2, v.get("r2_cm2", 0.0), v["q_e"], antineutrino
                ) * (ndtr((high - T) / 0.08) - ndtr((low - T) / 0.08)),
                max(low - 0.64, 1e-3), high + 0.64, points=(low, high), epsrel=1e-9, limit=200,
            )[0]
            for low, high in itertools.pairwise((0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8))
        ]  # fmt: skip
        agree(f"{values}", expected(model, values), hand, 1e-6, scale=np.abs(hand))


def test_small_parameters_are_linear(make, germanium, agree):
    """Moment, radius and charge to first order: the coefficients of one power alone."""
    model = built(make(), germanium, ("mu2", "r2_cm2", "q_e"))
    nothing = expected(model, {})
    m = model.measurements[0]
    for name, sample, small in (("mu2", "signal", 1e-26), ("r2_cm2", "charge-radius", 1e-38),
                                ("q_e", "millicharge-weak", 1e-20)):  # fmt: skip
        slope = (expected(model, {name: small}) - nothing) / small * PARAMETERS[name].unit
        agree(name, slope, m.template[m.samples.index(sample)], 1e-5)


def test_a_systematic_of_the_flux_moves_all_that_the_source_sends(make, germanium, agree):
    model = built(make(systematics=FLUX), germanium, ("q_e", "sin2_theta_w"))
    values = {"q_e": 3e-12, "sin2_theta_w": 0.1}
    theta = jnp.zeros(len(model.names)).at[model.names.index("flux")].set(1.0)
    for name, value in values.items():
        what = PARAMETERS[name]
        theta = theta.at[model.names.index(name)].set((value - what.nominal) / what.unit)
    m, moved = model.measurements[0], np.asarray(model.rates(theta)[0])
    sent = moved[[name != "background" for name in m.samples]].sum(axis=0)
    agree("1σ of the flux", sent, 1.05 * expected(model, values), 1e-13)


# ---- minima and intervals of a model -------------------------------------------------------------


def square(excess, linear=0.0):
    """One bin, 100 + linear α + 4 α², and n = 100 + excess."""
    parts = [Sample("b", np.array([100.0])), Sample("signal", np.array([1.0]), signal=True),
             Sample("two", np.array([4.0]), powers=(("a", 2),))]  # fmt: skip
    if linear:
        parts.append(Sample("one", np.array([linear]), powers=(("a", 1),)))
    return build_model(binned("m", np.array([100.0 + excess]), parts), free=("a",))


@pytest.mark.parametrize(
    "excess, linear",
    [
        *(pytest.param(*row, marks=pytest.mark.slow) for row in ((40.0, 0.0), (10.0, 0.0))),
        (-20.0, 0.0),
        (40.0, -6.0),
    ],
)
def test_two_minima_in_closed_form(excess, linear, agree):
    model, n = square(excess, linear), 100.0 + excess
    held = np.array([True, False])
    minima = find_minima(model, ("a",), held)
    one = profile_interval(model, "a", minima, DELTA**0.5, held)

    def q(rate):
        best = max(n, 100.0 - linear**2 / 16)
        return 2 * (rate - best - n * np.log(rate / best)) - DELTA

    high = brentq(q, max(n, 100.0), n + 100.0)

    def ends(rate):
        root = math.sqrt(linear**2 + 16 * (rate - 100))
        return [(-linear - root) / 8, (-linear + root) / 8]

    agree("hull", [one.low, one.high], ends(high), 1e-9, scale=1.0)
    low = brentq(q, 1.0, n) if n > 100 else 0.0
    gap = low > 100.0 - linear**2 / 16
    print(f"{len(minima)} minima, separate: {one.separate}, closed form: {gap}")
    assert one.separate == gap and len(minima) == (2 if excess > 0 else 1)
    assert not one.low_at_bound and not one.high_at_bound


def test_a_power_of_a_nuisance_with_a_constraint_is_refused():
    part = [Sample("b", np.array([1.0])), Sample("s", np.array([1.0]), signal=True),
            Sample("p", np.array([-1.0]), powers=(("a", 1),))]  # fmt: skip
    with pytest.raises(InputError, match="parameter 'a' of the powers of a sample is not free"):
        build_model(binned("m", np.array([2.0]), part))
    with pytest.raises(InputError, match="power of 'a' = 0"):
        binned("m", np.array([2.0]), [*part[:2], Sample("p", np.array([1.0]), powers=(("a", 0),))])


def test_correlation_of_two_linear_parameters(agree):
    """Against the inverse of the Fisher matrix of a Gaussian measurement."""
    x, one = np.array([1.0, 2.0, 0.5]), np.array([1.0, 1.0, 1.0])
    parts = [Sample("s", x, signal=True), Sample("o", one, powers=(("a", 1),))]
    model = build_model(difference("d", 2 * x - one, parts, sigma=np.full(3, 0.1)), free=("a",))
    found = find_minima(model, ("x", "a"), np.array([False, False]))
    inverse = np.linalg.inv(np.array([[x @ x, x @ one], [x @ one, one @ one]]))
    want = inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    agree("correlation", correlations(found[0], [0, 1])[0, 1], want, 1e-9)
    agree("fit", found[0].theta, [2.0, -1.0], 1e-9)
    assert len(found) == 1


# ---- experiments ---------------------------------------------------------------------------------


def test_the_moment_alone_is_the_limit(xenonnt, xenon, agree):
    found = fit_parameters(xenonnt, xenon)
    limit = jaxnu.limit(xenonnt, xenon)
    agree("μ² alone", found.intervals["mu2"][1], float(limit.limit_mu2), 1e-10)
    assert found.intervals["mu2"][0] == 0.0 and found.at_bound["mu2"] == ("low",)
    assert "low end at the bound" in found.summary()


@pytest.mark.slow
def test_xenonnt_and_conus_as_computed_elsewhere(xenonnt, xenon, germanium, agree):
    """Numbers of another implementation of the same fits, free electrons."""
    two = fit_parameters(xenonnt, xenon, ("mu2", "q_e"))
    agree("q_ν", two.intervals["q_e"], [-1.17e-13, 3.99e-13], 5e-3)
    agree("μ² with q_ν", two.intervals["mu2"][1], 4.63e-23, 2e-3)
    angle = fit_parameters(xenonnt, xenon, ("sin2_theta_w",))
    agree("sin²θ_W", angle.intervals["sin2_theta_w"][1], 0.581, 2e-3)
    assert angle.at_bound["sin2_theta_w"] == ("low",)
    conus = load_experiment("conus-2022")
    one = fit_parameters(conus, germanium, ("q_e",), data="Asimov")
    agree("CONUS, q_ν", one.intervals["q_e"], [-3.53e-12, 4.55e-12], 2e-3)
    print(one.summary())


@pytest.mark.slow
def test_minos_finds_the_same_intervals(make, germanium, agree):
    """One minimum inside the bounds, and Asimov data that give their truth back."""
    minuit = pytest.importorskip("iminuit", reason="iminuit is not installed").Minuit
    e = make(background="0.001", exposure="1e6", weak="includes_weak = false",
             norm='background_norm = "constrained"\nbackground_uncertainty = 0.1')  # fmt: skip
    truth = {"mu2": 2e-21, "sin2_theta_w": 0.4}
    found = fit_parameters(e, germanium, tuple(truth), data="Asimov", truth=truth)
    agree("the truth", list(found.best_fit.values()), list(truth.values()), 1e-6)
    m = built(e, germanium, tuple(truth)).measurements[0]
    t = {name: np.asarray(m.template[k]) for k, name in enumerate(m.samples)}

    def rate(x, s, norm):
        return (x * t["signal"] + t["weak"] + s * t["charge-radius"]
                + s * s * t["charge-radius-squared"] + norm * t["background"])  # fmt: skip

    n = rate(20.0, 1.6143, 1.0)

    def deviance(x, s, norm):
        poisson = 2.0 * np.sum(rate(x, s, norm) - n - n * np.log(rate(x, s, norm) / n))
        return poisson + ((norm - 1.0) / 0.1) ** 2

    fitted = minuit(deviance, x=19.0, s=1.5, norm=1.0)
    fitted.errordef, fitted.strategy, fitted.tol = DELTA, 2, 1e-4
    fitted.limits["s"] = tuple((np.array([0.0, 1.0]) - 0.23857) / 0.1)
    fitted.migrad()
    fitted.minos()
    units = {"mu2": ("x", 1e-22, 0.0), "sin2_theta_w": ("s", 0.1, 0.23857)}
    for name, (key, unit, nominal) in units.items():
        error = fitted.merrors[key]
        ends = nominal + unit * (fitted.values[key] + np.array([error.lower, error.upper]))
        print(f"{name}: ours {found.intervals[name]}, MINOS {ends}, valid {error.is_valid}")
        assert error.is_valid and not found.at_bound[name]
        agree(name, found.intervals[name], ends, 1e-3, scale=np.diff(ends)[0])
    a, b = (fitted.covariance[key, key] for key in "xs")
    agree(
        "correlation", found.correlation[0, 1], fitted.covariance["x", "s"] / (a * b) ** 0.5, 1e-2
    )


@pytest.mark.slow
def test_ends_have_the_threshold_by_iminuit(xenonnt, xenon, agree):
    """Observed counts, μ² on its bound: fits with a parameter held at each end."""
    minuit = pytest.importorskip("iminuit", reason="iminuit is not installed").Minuit
    found = fit_parameters(xenonnt, xenon, ("mu2", "q_e"))
    m = built(xenonnt, xenon, ("mu2", "q_e"), adds_weak=False).measurements[0]
    t = {name: np.asarray(m.template[k]) for k, name in enumerate(m.samples)}
    n = np.asarray(xenonnt.counts)

    def deviance(x, q, norm):
        rate = (x * t["signal"] + q * t["millicharge-weak"] + q * q * t["millicharge"]
                + norm * t["background"])  # fmt: skip
        return 2.0 * np.sum(rate - n * np.log(rate))

    def lowest(**held):
        values = []
        for q in (-0.2, 0.0, 0.3):
            fitted = minuit(deviance, **({"x": 0.1, "q": q, "norm": 1.0} | held))
            fitted.errordef, fitted.strategy, fitted.tol = 1.0, 2, 1e-6
            fitted.limits["x"], fitted.limits["norm"] = (0.0, None), (0.1, None)
            for name in held:
                fitted.fixed[name] = True
            fitted.migrad()
            values.append(fitted.fval)
            if "x" not in held:
                fitted.fixed["x"], fitted.values["x"] = True, 0.0
                fitted.migrad()
                values.append(fitted.fval)
        return min(values)

    best = lowest()
    for held in ({"x": found.intervals["mu2"][1] / 1e-22},
                 *({"q": end / 1e-12} for end in found.intervals["q_e"])):  # fmt: skip
        agree(f"q at {held}", lowest(**held) - best, DELTA, 1e-3)


@pytest.mark.slow
def test_two_copies_are_the_doubled_exposure(xenonnt, xenon, agree):
    double = xenonnt.replace(
        counts=2 * xenonnt.counts, exposure_kg_day=2 * xenonnt.parameters.exposure_kg_day
    )
    copies = [xenonnt, xenonnt.replace(name="again")]
    both = fit_parameters(copies, [xenon, xenon], ("mu2", "q_e"))
    one = fit_parameters(double, xenon, ("mu2", "q_e"))
    for name in one.parameters:
        agree(name, both.intervals[name], one.intervals[name], 1e-6, scale=one.intervals[name][1])
    assert set(both.nuisances) == {"xenonnt-sr0: background", "again: background"}


# ---- weak scattering beside the background -------------------------------------------------------


@pytest.mark.slow
def test_weak_scattering_is_added_where_the_background_is_without(make, germanium, agree):
    assert make().background_has_weak and not make().adds_weak
    assert load_experiment("xenonnt-sr0").background_has_weak
    e = make(weak="includes_weak = false")
    assert e.adds_weak
    weak_alone = counts_module.weak_counts(e, germanium)
    assert np.all(np.asarray(weak_alone) > 0.0)
    without = jaxnu.expected_counts(make(), 0.0, germanium)
    agree("counts", jaxnu.expected_counts(e, 0.0, germanium) - without, weak_alone, 1e-10)
    with pytest.raises(InputError, match="weak scattering on electrons beside"):
        counts_module.templates(e, germanium)
    one, other = (jaxnu.sensitivity(x, germanium).limit_mu_B for x in (e, make()))
    print(f"sensitivity with weak scattering beside a background of 10: {one:.4e}, {other:.4e} μ_B")
    assert one > other
    for kind in ("on-off", "difference"):  # a background without the source is without it
        e = make(kind=kind, data='off_exposure = "50 kg d"')
        assert e.adds_weak
        e = make(kind=kind, data='off_exposure = "50 kg d"', weak="includes_weak = true")
        assert not e.adds_weak


@pytest.mark.slow
def test_on_off_counts_have_the_weak_signal_in_what_is_on(make, germanium, agree):
    """ON/OFF counts and their difference, alike for a large background."""
    found = {
        kind: fit_parameters(
            make(kind=kind, data='off_exposure = "50 kg d"', background="1000"), germanium,
            ("r2_cm2", "mu2"), data="Asimov",
        )
        for kind in ("on-off", "difference")
    }  # fmt: skip
    # a radius looks like the flat background, and ON less OFF is all that tells; 1/T does not
    (radius, other), (mu2, mu2_other) = (
        [found[kind].intervals[name] for kind in ("on-off", "difference")]
        for name in ("r2_cm2", "mu2")
    )
    agree("<r²>", radius, other, 2e-3, scale=max(map(abs, other)))
    assert 0.5 * mu2_other[1] < mu2[1] < mu2_other[1]
    np.testing.assert_allclose(found["on-off"].best_fit["r2_cm2"], 0.0, atol=1e-37)


def test_bad_input(xenonnt, xenon, make):
    for arguments, told in (
        ({"parameters": ("mu",)}, "parameter = 'mu' is unknown"),
        ({"parameters": ()}, "give at least one"),
        ({"parameters": ("mu2", "mu2")}, "each once"),
        ({"parameters": ("sin2_theta_w", "r2_cm2")}, "both shift g_V"),
        ({"confidence_level": 90}, "90% is written 0.90"),
        ({"data": "asimov"}, "did you mean 'Asimov'"),
        ({"truth": {"mu2": 1e-22}}, "leave truth out"),
        ({"data": "Asimov", "truth": {"q_e": 1e-12}}, "truth = 'q_e' is unknown"),
        ({"data": "Asimov", "truth": {"mu2": -1e-22}}, "is outside"),
    ):
        with pytest.raises(InputError, match=told):
            fit_parameters(xenonnt, xenon, **arguments)
    with pytest.raises(InputError, match="has no counts"):
        fit_parameters(load_experiment("gemma"), jaxnu.response("Ge", "free"))
    named = FLUX.replace("systematics.flux", "systematics.q_e")
    with pytest.raises(InputError, match="has the name of a parameter"):
        fit_parameters(make(element="Xe", systematics=named), xenon, data="Asimov")
    with pytest.raises(InputError, match="is traced"):
        jax.jit(lambda n: fit_parameters(xenonnt.replace(counts=n), xenon))(xenonnt.counts)


def test_a_point_with_nuclear_recoils_and_a_systematic_comes_back(make, germanium, agree):
    e = make(recoil="both", systematics=FLUX, background="0.1", exposure="1e5")
    model = built(e, germanium, ("mu2", "q_e", "sin2_theta_w"))
    theta = np.zeros(len(model.names))
    for name, value in (("x", 30.0), ("q_e", 3.0), ("sin2_theta_w", 2.0), ("flux", 0.4)):
        theta[model.names.index(name)] = value
    truth = asimov(model, jnp.asarray(theta))
    found = find_minima(truth, ("x", "q_e", "sin2_theta_w"), np.zeros(len(theta), bool))
    print({n: float(v) for n, v in zip(model.names, found[0].theta, strict=True)}, len(found))
    agree("θ", found[0].theta, theta, 1e-4, scale=1.0)
