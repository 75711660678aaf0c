"""Each bad input to a function is refused in one line with its name and value."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import (
    InputError,
    cross_section,
    cross_section_lines,
    effective_charge,
    expected_counts,
    flux,
    limit,
    load_experiment,
    rate,
    response,
    sensitivity,
)

NAN = float("nan")


@pytest.fixture(scope="module")
def xenon():
    return load_experiment("xenonnt-sr0")


@pytest.fixture(scope="module")
def atom():
    return response("Xe", "stepping")


@pytest.fixture(scope="module")
def sun():
    return flux.solar(components=("7Be",))


def refused(words, remedy, call):
    with pytest.raises(InputError) as refusal:
        call()
    message = str(refusal.value)
    print(message)
    assert len(message.splitlines()) == 1
    assert words in message and remedy in message


def test_unknown_names():
    refused("'xenonnt'", "did you mean 'xenonnt-sr0'", lambda: load_experiment("xenonnt"))
    refused("target = 'Xx'", "chemical symbols", lambda: response("Xx"))
    refused("target = 'Xe+' is an ion", "'Xe'", lambda: response("Xe+"))
    refused("target = 'xe'", "capital first", lambda: response("xe"))
    refused("target = 'Pb'", "model='free'", lambda: response("Pb"))
    refused("model = 'steping'", "did you mean 'stepping'", lambda: response("Xe", "steping"))
    refused("option 'n' = 3", "allowed:", lambda: response("Xe", "hydrogenic", n=3))


def test_unit_slip_of_the_magnetic_moment(atom, sun, xenon):
    slip = "11e-12 is written 1.1e-11"
    refused("mu = 11 μ_B", slip, lambda: cross_section(1.0, 100.0, atom, mu=11))
    refused("mu = 11 μ_B", slip, lambda: cross_section_lines(100.0, atom, mu=11))
    refused("mu = -1e-11 μ_B", slip, lambda: cross_section(1.0, 100.0, atom, mu=-1e-11))
    refused("mu2 = 1e-11 μ_B²", "1e-22", lambda: rate(1.0, sun, atom, mu2=1e-11))
    refused("mu2 = 1e-11 μ_B²", "1e-22", lambda: expected_counts(xenon, 1e-11, atom))


def test_energies(atom, sun):
    give = "give an energy transfer T > 0 in keV"
    refused("T_keV = 900 keV", "below the energies of the flux", lambda: rate(900.0, sun, atom))
    for T in (0.0, -2.0, NAN):
        refused(f"T_keV = {T:g} keV", give, lambda T=T: cross_section(T, 100.0, atom))
        refused(f"T_keV = {T:g} keV", give, lambda T=T: effective_charge(T, atom))
        refused(f"T_keV = {T:g} keV", give, lambda T=T: rate(T, sun, atom))
    refused("T_keV = 150 keV", "0 < T < E", lambda: cross_section(150.0, 100.0, atom))
    refused("E_keV = 0 keV", "E > 0", lambda: cross_section_lines(0.0, atom))
    refused("E_keV = nan keV", "E > 0", lambda: cross_section(1.0, NAN, atom))
    refused("T_keV = 'one'", "not a number", lambda: cross_section("one", 100.0, atom))


def test_words(atom):
    refused("channel = 'weka'", "did you mean 'weak'",
            lambda: cross_section(1.0, 100.0, atom, channel="weka"))  # fmt: skip
    refused("part = 'L'", "allowed: total", lambda: cross_section(1.0, 100.0, atom, part="L"))
    refused("flavor = 'nu'", "allowed: nu_e",
            lambda: cross_section(1.0, 100.0, atom, flavor="nu"))  # fmt: skip


def with_element(array, index, value):
    return jnp.asarray(array).at[index].set(value)


def test_parameters_of_an_experiment(xenon, atom):
    """A limit on an experiment with one number mistyped; counts of it, too."""
    p = xenon.parameters
    edges = dict(bin_edges_keV=with_element(p.bin_edges_keV, 5, 3.0),
                 transfer_edges_keV=xenon.transfer_edges_keV)  # fmt: skip
    # fmt: off
    for changes, words, remedy in (
        ({"threshold_keV": 1500.0}, "threshold_keV = 1500 keV", "1500 eV is 1.5"),
        ({"threshold_keV": NAN}, "threshold_keV = nan keV", "keV"),
        (edges, "bin_edges_keV[4:6] = 3, 3 keV", "strictly increasing"),
        ({"counts": with_element(xenon.counts, 7, -2.0)}, "counts[7] = -2", "give events per bin"),
        ({"counts": with_element(xenon.counts, 7, NAN)}, "counts[7] = nan", "give events per bin"),
        ({"efficiency": with_element(p.efficiency, 3, 1.2)}, "efficiency[3] = 1.2", "80% is"),
        ({"efficiency": with_element(p.efficiency, 3, -0.1)}, "efficiency[3] = -0.1", "[0, 1]"),
        ({"efficiency_offset_keV": p.efficiency_offset_keV[::-1]}, "efficiency_offset_keV[", ""),
        ({"resolution_keV": np.zeros(3), "transfer_edges_keV": xenon.transfer_edges_keV},
         "resolution σ(T)[0] = 0", "sum is positive"),
        ({"source": xenon.parameters.source.scaled(-1.0)}, "source.density[", "positive"),
        ({"background": 0.0 * p.background}, "background = 0 in all bins", "constrain"),
        ({"exposure_kg_day": 0.0}, "exposure_kg_day = 0 kg d", "mass × time"),
        ({"background": with_element(p.background, 0, -1.0)}, "background[0] = -1", "not negative"),
    ):
        # fmt: on
        bad = xenon.replace(**changes)
        refused(words, remedy, lambda bad=bad: limit(bad, atom))
        if "counts" not in changes:
            refused(words, remedy, lambda bad=bad: sensitivity(bad, atom))
            refused(words, remedy, lambda bad=bad: expected_counts(bad, 1e-22, atom))


def test_uncertainty_of_a_constrained_background(xenon, atom):
    for value in (0.0, -0.1, NAN):
        bad = xenon.replace(background_floating=False, background_uncertainty=value)
        refused(f"background_uncertainty = {value:g}", "", lambda bad=bad: limit(bad, atom))


def test_lengths_and_names_of_replace(xenon):
    refused("counts has 3 values for 58 bins", "one for each bin",
            lambda: xenon.replace(counts=np.ones(3)))  # fmt: skip
    refused("field = 'threshold'", "did you mean 'threshold_keV'",
            lambda: xenon.replace(threshold=1.0))  # fmt: skip


def test_names_where_loaded_things_are_meant(xenon, atom, sun):
    refused("experiment = 'xenonnt-sr0' is a str", "load_experiment", lambda: limit("xenonnt-sr0"))
    refused("response = 'Xe' is a str", "response(", lambda: cross_section(1.0, 400.0, "Xe"))
    refused("response = 'Xe' is a str", "response(", lambda: limit(xenon, "Xe"))
    refused("flux = 'solar' is a str", "flux.solar()", lambda: rate(1.0, "solar", atom))
    refused("nuisances['background'] = nan", "nominal",
            lambda: expected_counts(xenon, 1e-22, atom, {"background": NAN}))  # fmt: skip
    refused("last_n = 2.5", "int", lambda: response("Xe", "hydrogenic", last_n=2.5))
    refused("photoabsorption[0][0] = 0", "T > 0",
            lambda: response("Xe", "equivalent-photon",
                             photoabsorption=([0, 2], [1e-20, 1e-20])))  # fmt: skip
