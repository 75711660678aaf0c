"""Nuisances of a source's spectrum, and CEvNS beside signal and background."""

import dataclasses

import jax
import numpy as np
import pytest

import jaxnu
from jaxnu import flux
from jaxnu.counts import (
    background_counts,
    cevns_counts,
    channel_deposits,
    signal_counts,
    weak_counts,
)
from jaxnu.experiments import load_experiment
from jaxnu.inference.experiment_model import experiment_model
from jaxnu.inference.parameters import PARAMETERS, terms_of
from jaxnu.mixing import solar_moment_weights
from jaxnu.smearing import recorded

TEXT = """
title = "invented"
[source]
{source}
[target]
element = "Ge"
exposure = "100 kg d"
recoil = "{recoil}"
[detector.resolution]
constant = "80 eV_ee"
[detector.efficiency]
threshold = "0.203 keV_ee"
width = "20 eV_ee"
plateau = 0.9
{quenching}
[data]
kind = "{kind}"
{off}
bin_edges = {{ unit = "keV_ee", values = [0.2, 0.3, 0.5, 1, 2] }}
[background]
rate = "10 / (keV kg d)"
includes_efficiency = false
{own}
{systematics}
[statistics]
background_norm = "floating"
[reference]
citation = "invented"
"""
REACTOR = 'kind = "reactor"\npower = "3 GW"\ndistance = "20 m"'
CORES = """kind = "reactor"
[[source.core]]
power = "3 GW"
distance = "20 m"
off_power = "0 GW"
[[source.core]]
power = "3 GW"
distance = "25 m"
off_power = "3 GW"
"""
K = '[systematics.k]\nparameter = "quenching"\nuncertainty = 0.2\n'
OFF = 'off_exposure = "50 kg d"'


@pytest.fixture
def make(tmp_path):
    def load(source=REACTOR, recoil="both", kind="counts", off="", systematics=K):
        nuclear = recoil != "electron"
        path = tmp_path / "mine.toml"
        path.write_text(TEXT.format(
            source=source, recoil=recoil, kind=kind, off=off, systematics=systematics,
            quenching='[detector.quenching]\nmodel = "lindhard"\nk = 0.162' if nuclear else "",
            own="\n".join(["includes_cevns = false"] * nuclear
                          + ["includes_weak = true"] * (recoil != "nuclear")),
        ), encoding="utf-8")  # fmt: skip
        return load_experiment(path)

    return load


@pytest.fixture(scope="module")
def atom():
    return jaxnu.response("Ge", "free")


def shape(model, sample, nuisance):
    m = model.model.measurements[0]
    return np.asarray(m.shift[m.samples.index(sample), m.shape_names.index(nuisance)])


def counted(e, atom, source):
    parameters = dataclasses.replace(e.parameters, source=source)
    here = dataclasses.replace(e, parameters=parameters)
    return np.asarray(jax.jit(signal_counts)(here, atom)) * 1e-22


@pytest.mark.slow
def test_the_model_spread_is_the_difference_of_two_models(make, atom):
    e = make(systematics='[systematics.model]\nparameter = "spectrum"\nother = "vogel-engel"\n'
             "uncertainty = 0.5")  # fmt: skip
    model = jax.jit(experiment_model, static_argnums=2)(e, atom, "Asimov")
    plain, other = (flux.reactor(3.0, 20.0, spectrum=s) for s in ("huber-mueller", "vogel-engel"))
    expected = 0.5 * (counted(e, atom, other) - counted(e, atom, plain))
    ours = shape(model, "signal", "model")
    print(f"δ signal / signal: {ours / np.asarray(model.signal)}")
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
    assert np.abs(ours / np.asarray(model.signal)).max() < 0.01
    moved = dataclasses.replace(e, parameters=dataclasses.replace(e.parameters, source=other))
    weak = 0.5 * np.asarray(jax.jit(cevns_counts)(moved) - jax.jit(cevns_counts)(e))
    np.testing.assert_allclose(shape(model, "cevns", "model"), weak, rtol=1e-6,
                               atol=1e-9 * np.abs(weak).max())  # fmt: skip


@pytest.mark.slow
def test_the_fluxes_of_the_sun_are_nuisances(make, atom):
    e = make('kind = "solar"\nmetallicity = "GS98"\ncomponents = ["pp", "7Be", "pep"]',
             "electron", systematics='[systematics.sun]\nparameter = "solar-fluxes"')  # fmt: skip
    assert [name for name, _ in e.systematics] == ["sun pp", "sun pep", "sun 7Be"]
    np.testing.assert_allclose(e.parameters.systematic_uncertainty, [0.006, 0.010, 0.06])
    model = jax.jit(experiment_model, static_argnums=2)(e, atom, "Asimov")
    for name, sigma in (("pp", 0.006), ("pep", 0.010), ("7Be", 0.06)):
        alone = flux.solar(metallicity="GS98", components=(name,))
        expected = sigma * counted(e, atom, alone)
        np.testing.assert_allclose(shape(model, "signal", f"sun {name}"), expected, rtol=1e-6)
    total = sum(shape(model, "signal", f"sun {n}") / s
                for n, s in (("pp", 0.006), ("pep", 0.010), ("7Be", 0.06)))  # fmt: skip
    np.testing.assert_allclose(total, model.signal, rtol=1e-6)
    result = jaxnu.sensitivity(e, atom)
    assert set(result.nuisances) == {"background", "sun pp", "sun pep", "sun 7Be"}


SUN = 'kind = "solar"\nmetallicity = "GS98"\ncomponents = ["pp", "7Be"]'
P_EE = '[systematics.pee]\nparameter = "survival"\nuncertainty = {}'
LINE = 'kind = "line"\nenergy = "861.8 keV"\nflux = "4.42e9 / (cm2 s)"\nantineutrino = false\n'


def weak(e, atom, source):
    """Weak counts with any source, without a likelihood."""
    here = e.replace(source=source)
    return np.asarray(jax.jit(weak_counts)(here, atom))


def without_weak(e):
    return dataclasses.replace(e, background_has_weak=False)


def test_survival_is_a_nuisance(make, atom, agree):
    """The template against counts at another P_ee: Borexino's error of a line, and 7% of the Sun's.

    Templates of the magnetic signal are zero, of interference terms those of their channel.
    """
    line = flux.solar_survival(flux.line(861.8, 4.42e9))
    up = flux.vary_survival(line, 1.0)
    sigma = float(up.electron_fraction(861.8) / line.electron_fraction(861.8)) - 1.0
    sun = flux.solar(components=("pp", "7Be"))
    for source, text, size, moved in (
        (LINE + 'survival = "solar"', P_EE.format(repr(sigma)), sigma, up),
        (SUN, P_EE.format(0.07), 0.07, dataclasses.replace(sun, survival=1.07 * sun.survival)),
    ):
        e = without_weak(make(source, "electron", systematics=text))
        model = jax.jit(experiment_model, static_argnames=("data", "terms"))(
            e, atom, "Asimov", terms_of(("sin2_theta_w",))
        )
        nominal = e.parameters.source
        change = weak(e, atom, moved) - weak(e, atom, nominal)
        print(f"P_ee ± {size:.3f}: δ weak / weak = {change / weak(e, atom, nominal)}")
        assert np.all(change > 0.01 * weak(e, atom, nominal))
        agree("weak", shape(model, "weak", "pee"), change, 1e-9)
        np.testing.assert_array_equal(shape(model, "signal", "pee"), 0.0)
        for term in terms_of(("sin2_theta_w",)):
            with_, without = (
                np.asarray(recorded(e, channel_deposits(e.replace(source=s), atom, term.channel)))
                for s in (moved, nominal)
            )
            ours = shape(model, term.channel, "pee")
            scale = term.unit * np.abs(without).max()
            np.testing.assert_allclose(ours, term.unit * (with_ - without), rtol=1e-8,
                                       atol=1e-10 * scale)  # fmt: skip


def test_survival_moves_the_signal_of_a_mass_state(make, atom, agree):
    """With weights w0 + w1 P_ee the magnetic signal itself moves."""
    e = make(SUN, "electron", systematics=P_EE.format(0.1))
    w0, w1 = solar_moment_weights(np.diag([1.0, 0.0, 0.0]), 0.584, 0.149)
    model = jax.jit(experiment_model, static_argnames="data")(
        e, atom, "Asimov", moment_weights=jax.numpy.stack([w0, w1])
    )
    source = e.parameters.source
    other = dataclasses.replace(source, survival=1.1 * source.survival)
    change = counted(e, atom, other.weighted(w0, w1)) - counted(e, atom, source.weighted(w0, w1))
    agree("signal", shape(model, "signal", "pee"), change, 1e-9)
    assert np.all(change > 0.1 * np.asarray(model.signal))


@pytest.mark.slow
def test_survival_widens_an_interval(make, atom, agree):
    """The interval of the angle from a strong line, against the Gaussian one by hand."""
    strong = LINE.replace("4.42e9", "1e18") + 'survival = "solar"'
    names, widths = ("sin2_theta_w",), []
    for sigma in (None, 0.05):
        text = "" if sigma is None else P_EE.format(sigma)
        e = without_weak(make(strong, "electron", systematics=text))
        e = dataclasses.replace(e, background_floating=False).replace(background_uncertainty=0.01)
        found = jaxnu.fit_parameters(e, atom, names, data="Asimov")
        widths.append(np.diff(found.intervals["sin2_theta_w"])[0])
        (linear,) = (t for t in terms_of(names) if t.powers == (("sin2_theta_w", 1),))
        slope = np.asarray(recorded(e, channel_deposits(e, atom, linear.channel))) * linear.unit
        slope /= PARAMETERS["sin2_theta_w"].unit  # of the counts in sin²θ_W
        sent, background = weak(e, atom, e.parameters.source), np.asarray(background_counts(e))
        source = e.parameters.source
        moved = dataclasses.replace(source, survival=(1.0 + (sigma or 0.0)) * source.survival)
        shift = weak(e, atom, moved) - sent
        covariance = np.diag(sent + background)
        covariance += np.outer(shift, shift) + 1e-4 * np.outer(background, background)
        gauss = 2.0 * 1.6448536 / np.sqrt(slope @ np.linalg.solve(covariance, slope))
        agree(f"90% interval, P_ee ± {sigma}", widths[-1], gauss, 0.005)
    assert widths[1] > 2.0 * widths[0]


def test_survival_is_refused_where_it_is_one(make):
    for source in (REACTOR, LINE):
        with pytest.raises(jaxnu.InputError, match=r"systematics\.pee\.parameter") as refusal:
            make(source, "electron", systematics=P_EE.format(0.1))
        told = str(refusal.value)
        print(told)
        assert "mine.toml" in told and "P_ee is 1" in told and "\n" not in told
    e = make(LINE + "survival = 0.5", "electron", systematics=P_EE.format(0.1))
    assert e.systematics == (("pee", "survival"),)


def test_other_names_for_the_variations_are_refused(make):
    with pytest.raises(jaxnu.InputError, match="not the Sun"):
        make(systematics='[systematics.sun]\nparameter = "solar-fluxes"')
    sun = 'kind = "solar"\nmetallicity = "GS98"'
    model = '[systematics.m]\nparameter = "spectrum"\nuncertainty = 1.0\n'
    with pytest.raises(jaxnu.InputError, match=r"systematics\.m\.parameter"):
        make(sun, "electron", systematics=model + 'other = "mueller"')
    for other, words in (
        ("", r"systematics\.m\.other is missing"),
        ('other = "huber"', r"systematics\.m\.other = 'huber'"),
        ('other = "huber-mueller"', "is the nominal spectrum itself"),
        ('other = "none.csv"', r"none\.csv"),
    ):
        with pytest.raises(jaxnu.InputError, match=words) as refusal:
            make(systematics=model + other)
        assert "mine.toml" in str(refusal.value) and "\n" not in str(refusal.value)
    with pytest.raises(jaxnu.InputError, match="source_variations is missing"):
        make(systematics=model + 'other = "mueller"').replace(source=flux.reactor(3.0, 30.0))


@pytest.mark.slow
def test_expected_data_hold_cevns(make, atom):
    e = make()
    model = jax.jit(experiment_model, static_argnums=2)(e, atom, "Asimov")
    cevns = np.asarray(jax.jit(cevns_counts)(e))
    assert cevns[0] > 1.0
    np.testing.assert_allclose(model.counts, background_counts(e) + cevns, rtol=1e-12)
    result = jaxnu.sensitivity(e, atom)
    assert float(result.best_fit_mu2) == pytest.approx(0.0, abs=1e-28)
    np.testing.assert_allclose(result.background, model.counts, rtol=1e-6)


@pytest.mark.slow
def test_a_difference_with_cevns_by_hand(make, atom):
    """ON − OFF with one core on in both: (1 − f) s against σ² of all that is expected."""
    tiny = '[systematics.s]\nparameter = "exposure"\nuncertainty = 1e-9\n'
    e = make(CORES, kind="difference", off=OFF, systematics=tiny)
    f = 25.0**-2 / (20.0**-2 + 25.0**-2)
    s, c = np.asarray(jax.jit(signal_counts)(e, atom)), np.asarray(jax.jit(cevns_counts)(e))
    b, ratio = np.asarray(background_counts(e)), 0.5
    variance = b + c + (b + f * c) / ratio
    x = 1.6448536 / np.sqrt((((1 - f) * s) ** 2 / variance).sum())
    result = jaxnu.sensitivity(e, atom)
    assert result.limit_mu_B == pytest.approx(x**0.5, rel=1e-6)
    np.testing.assert_allclose(result.counts, (1 - f) * c, rtol=1e-9)


@pytest.mark.slow
def test_on_and_off_spectra_with_a_core_in_both(make, atom):
    e = make(CORES, kind="on-off", off=OFF)
    model = jax.jit(experiment_model, static_argnums=2)(e, atom, "Asimov")
    on, off = model.model.measurements
    f = 25.0**-2 / (20.0**-2 + 25.0**-2)
    b, c = np.asarray(background_counts(e)), np.asarray(jax.jit(cevns_counts)(e))
    np.testing.assert_allclose(on.data["counts"], b + c, rtol=1e-9)
    np.testing.assert_allclose(off.data["counts"], 0.5 * (b + f * c), rtol=1e-9)
    names = list(on.samples)
    np.testing.assert_allclose(
        off.template[names.index("signal")], 0.5 * f * on.template[names.index("signal")],
        rtol=1e-12,
    )  # fmt: skip
    # all of the source off: the two spectra are those of an ON/OFF measurement
    alone = dataclasses.replace(e, recoil="electron", off_source=False, systematics=(),
                                parameters=dataclasses.replace(
        e.parameters, off_fraction=0.0 * e.parameters.off_fraction,
        systematic_uncertainty=np.zeros(0)))  # fmt: skip
    split = dataclasses.replace(alone, off_source=True)
    limits = [jaxnu.sensitivity(one, atom).limit_mu_B for one in (alone, split)]
    assert limits[0] == pytest.approx(limits[1], rel=1e-7)


@pytest.mark.parametrize(
    "kind",
    [
        "counts",
        pytest.param("difference", marks=pytest.mark.slow),
        pytest.param("on-off", marks=pytest.mark.slow),
    ],
)
def test_derivative_in_the_flux(make, atom, kind):
    """CEvNS and the expected data move with the flux: against two more limits."""
    e = make(CORES if kind != "counts" else REACTOR, kind=kind, off=OFF if kind != "counts" else "")

    def value(h):
        source = e.parameters.source.scaled(1.0 + h)
        return np.log(jaxnu.sensitivity(e.replace(source=source), atom).limit_mu_B)

    h = 1e-3
    differences = (value(h) - value(-h)) / (2.0 * h)
    slope = jaxnu.sensitivity(e, atom).derivatives["flux"]
    print(f"{kind}: d ln limit / d ln flux {slope:.6f}, by differences {differences:.6f}")
    assert slope == pytest.approx(differences, abs=2e-5)
    assert abs(slope + 0.5) > 1e-4  # it is not the trivial one of a signal alone


@pytest.mark.slow
def test_derivative_in_the_quenching_of_the_limit(make, atom):
    e = make(recoil="nuclear")

    @jax.jit
    def value(s):
        moved = e.replace(quenching_factor=s)
        return np.log(1e11) + jax.numpy.log(jaxnu.sensitivity(moved, atom).limit_mu_B)

    slope, h = float(jax.jit(jax.grad(value))(1.0)), 1e-4
    differences = float(value(1.0 + h) - value(1.0 - h)) / (2.0 * h)
    print(f"d ln limit / d ln k = {slope:.6f}, by differences {differences:.6f}")
    assert slope == pytest.approx(differences, rel=1e-5)


@pytest.mark.slow
def test_observed_counts_stay_while_the_flux_moves(make, atom):
    e = make(recoil="nuclear").replace(counts=np.array([4900.0, 2100.0, 4600.0, 9050.0]))

    def value(h):
        source = e.parameters.source.scaled(1.0 + h)
        return np.log(jaxnu.limit(e.replace(source=source), atom).limit_mu_B)

    h = 1e-3
    differences = (value(h) - value(-h)) / (2.0 * h)
    slope = jaxnu.limit(e, atom).derivatives["flux"]
    print(f"d ln limit / d ln flux {slope:.6f}, by differences {differences:.6f}")
    assert slope == pytest.approx(differences, abs=2e-5)
