"""Nuclear recoils from a file: published rates, labels, quenching, CEvNS beside the signal."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf

import jaxnu
from jaxnu import nuclear_rate
from jaxnu.counts import (
    background_counts,
    cevns_counts,
    electron_counts,
    expected_counts,
    signal_counts,
    templates,
)
from jaxnu.errors import InputError
from jaxnu.experiments import describe
from jaxnu.nuclear_counts import recoil_counts

HEAT = ('model = "lindhard"\nk = 0.162', 'model = "none"')
COARSE = ('"30 eV_ee"', '"60 eV_ee"')  # fewer panels


@pytest.fixture(scope="module")
def atom():
    return jaxnu.response("Ge", "free")


def test_published_rates_in_germanium(nuclear):
    """Billard et al., J. Phys. G 44, 105101 (2017): 0.76, 0.51, 0.26 events/(kg d) above 50, 100,
    200 eV of recoil; recomputed independently (F = 1, sin²θ_W = 0.2387) 0.747, 0.505, 0.259."""
    e = nuclear(
        HEAT,
        ('power = "3 GW"\ndistance = "14 m"',
         'power = "8.54 GW"\ndistance = "400 m"\n'
         "fractions = { 235U = 0.556, 239Pu = 0.326, 238U = 0.071, 241Pu = 0.047 }"),
        ('"100 kg d"', '"1 kg d"'), ('"both"', '"nuclear"'), ('"30 eV_ee"', '"2 eV"'),
        ('"0.21 keV_ee"', '"20 eV"'), ('"20 eV_ee"', '"2 eV"'), ("plateau = 0.9", "plateau = 1.0"),
        ('"keV_ee", values = [0.2, 0.3, 0.5, 1, 2, 4]', '"keV_nr", values = [0.05, 0.1, 0.2, 4]'),
    )  # fmt: skip
    above = np.asarray(jax.jit(cevns_counts)(e))[::-1].cumsum()[::-1]
    print(f"Ge above 50, 100, 200 eV: {np.round(above, 4)} events/(kg d)")
    np.testing.assert_allclose(above, [0.76, 0.51, 0.26], rtol=0.03)
    np.testing.assert_allclose(above, [0.747, 0.505, 0.259], rtol=0.03)


@pytest.mark.parametrize("channel", ["weak", "magnetic"])
def test_counts_are_the_explicit_integral(nuclear, channel):
    """Against sums over a dense grid of recoil energies and of the bins, with scipy's erf."""
    e = nuclear(
        COARSE, ('"0.21 keV_ee"', '"20 eV_ee"'), ('width = "20 eV_ee"', 'width = "1 eV_ee"')
    )
    p = e.parameters

    def visible(T):
        eps = 11.5 * T / 32 ** (7 / 3)
        kg = 0.162 * (3 * eps**0.15 + 0.7 * eps**0.6 + eps)
        return T * kg / (1 + kg)

    x, w = np.polynomial.legendre.leggauss(1500)
    low = brentq(lambda t: visible(np.exp(t)) - 1e-3, np.log(1e-3), np.log(0.1))  # 1 eV is seen
    high = np.log(2.2)
    T = np.exp(0.5 * (high - low) * x + 0.5 * (high + low))
    events = 0.5 * (high - low) * w * T * np.asarray(
        nuclear_rate(T, p.source, "Ge", mu2=1e-22, channel=channel)
    )  # fmt: skip
    edges = np.asarray(p.bin_edges_keV)
    below = 0.5 * (1 + erf((edges[:, None] - visible(T)) / (0.06 * 2**0.5)))
    expected = 100.0 * 0.9 * np.diff(below, axis=0) @ events
    ours = np.asarray(jax.jit(recoil_counts, static_argnums=1)(e, channel))
    ours = ours * 1e-22 if channel == "magnetic" else ours
    print(f"{channel}: {ours} against {expected}")
    np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=1e-8 * expected.max())


@pytest.mark.slow
def test_both_is_the_sum(nuclear, atom):
    both = nuclear(COARSE)
    parts = [jax.jit(electron_counts)(both, atom), jax.jit(recoil_counts, static_argnums=1)(
        both, "magnetic")]  # fmt: skip
    np.testing.assert_allclose(jax.jit(signal_counts)(both, atom), sum(parts), rtol=1e-13)
    alone = dataclasses.replace(both, recoil="nuclear")
    np.testing.assert_allclose(jax.jit(signal_counts)(alone, atom), parts[1], rtol=1e-13)
    total = expected_counts(both, 1e-21, atom)
    background, cevns = background_counts(both), jax.jit(cevns_counts)(both)
    np.testing.assert_allclose(total, 1e-21 * sum(parts) + background + cevns, rtol=1e-12)


def test_cevns_in_the_background_is_not_added(nuclear, atom):
    e = nuclear(COARSE, ("includes_cevns = false", "includes_cevns = true"))
    assert not e.adds_cevns and not np.asarray(cevns_counts(e)).any()
    plain = np.asarray(expected_counts(e, 0.0, atom))
    np.testing.assert_allclose(plain, background_counts(e), rtol=1e-13)
    assert "in the background" in describe(nuclear.path)


@pytest.mark.parametrize("channel", ["weak", "magnetic"])
def test_derivative_in_k(nuclear, channel):
    e = nuclear(COARSE)

    @jax.jit
    def counts(k):
        p = e.parameters
        quenching = (dataclasses.replace(p.quenching[0], k=k),)
        here = dataclasses.replace(e, parameters=dataclasses.replace(p, quenching=quenching))
        return recoil_counts(here, channel)

    slope = np.asarray(jax.jit(jax.jacfwd(counts))(0.162))
    h = 1e-4
    by_steps = np.asarray(
        8.0 * (counts(0.162 + h) - counts(0.162 - h)) - (counts(0.162 + 2 * h)
        - counts(0.162 - 2 * h))) / (12.0 * h)  # fmt: skip
    worst = np.max(np.abs(slope - by_steps)[:3] / np.abs(by_steps)[:3])
    print(f"{channel}: d counts/dk {slope}, worst {worst:.1e}")
    assert worst < 1e-6
    # the nuisance scales k: σ k ∂/∂k
    moved = jax.jit(jax.jacfwd(lambda s: recoil_counts(e.replace(quenching_factor=s), channel)))
    np.testing.assert_allclose(moved(1.0), 0.162 * slope, rtol=1e-10)


def test_energies_of_recoils_are_converted(nuclear):
    e = nuclear(('"0.21 keV_ee"', '"1.1 keV_nr"'))
    eps = 11.5 * 1.1 / 32 ** (7 / 3)
    kg = 0.162 * (3 * eps**0.15 + 0.7 * eps**0.6 + eps)
    assert float(e.parameters.threshold_keV) == pytest.approx(1.1 * kg / (1 + kg), rel=1e-6)
    np.testing.assert_array_equal(e.parameters.bin_edges_keV, [0.2, 0.3, 0.5, 1, 2, 4])


def test_a_table_of_lindhard_is_lindhard(nuclear):
    T = np.concatenate([[0.0], np.geomspace(1e-3, 3.0, 400)])
    eps = 11.5 * T / 32 ** (7 / 3)
    kg = 0.162 * (3 * eps**0.15 + 0.7 * eps**0.6 + eps)
    lines = [f"{t:.17g}, {q:.17g}" for t, q in zip(T, kg / (1 + kg), strict=True)]
    (nuclear.folder / "q.csv").write_text("T [keV_nr], Q\n" + "\n".join(lines))
    change = ('model = "lindhard"\nk = 0.162', 'model = "table"\nfile = "q.csv"')
    counts = [
        np.asarray(jax.jit(cevns_counts)(e)) for e in (nuclear(COARSE), nuclear(COARSE, change))
    ]
    print(counts)
    np.testing.assert_allclose(counts[1], counts[0], rtol=1e-4, atol=1e-6 * counts[0].max())


@pytest.mark.slow
def test_a_compound_sums_its_elements(nuclear):
    """Al2O3 without quenching: the counts per mass of each element, by its share of the mass."""
    compound = nuclear(
        COARSE, HEAT, ('element = "Ge"', 'compound = "Al2O3"'), ('"both"', '"nuclear"')
    )
    total = np.asarray(jax.jit(cevns_counts)(compound))
    shares = {"Al": 2 * 26.9815385 / 101.961, "O": 3 * 15.999 / 101.961}
    expected = 0.0
    for symbol, share in shares.items():
        e = nuclear(COARSE, HEAT, ('"Ge"', f'"{symbol}"'), ('"both"', '"nuclear"'))
        expected = expected + share * np.asarray(jax.jit(cevns_counts)(e))
    np.testing.assert_allclose(total, expected, rtol=1e-4)


def test_quenching_of_each_element(nuclear):
    e = nuclear(
        COARSE, ('element = "Ge"', 'compound = "NaI"'),
        ('[detector.quenching]\nmodel = "lindhard"\nk = 0.162',
         '[detector.quenching.Na]\nmodel = "lindhard"\nk = 0.14\n'
         '[detector.quenching.I]\nmodel = "lindhard"\nk = 0.16'),
    )  # fmt: skip
    assert [(q.target, float(q.k)) for q in e.parameters.quenching] == [("Na", 0.14), ("I", 0.16)]
    assert "Na Lindhard, k = 0.14; I Lindhard, k = 0.16" in describe(nuclear.path)


def test_the_short_likelihood_refuses_cevns(nuclear, atom):
    plain = nuclear(COARSE, ('[systematics.k]\nparameter = "quenching"\nuncertainty = 0.05\n', ""))
    with pytest.raises(InputError, match="CEvNS") as refusal:
        templates(plain, atom)
    assert "\n" not in str(refusal.value)


QUENCHING = '[detector.quenching]\nmodel = "lindhard"\nk = 0.162'
TABLE = '[detector.quenching]\nmodel = "table"\n'
CURVE = TABLE + 'energies = {{ unit = "{}", values = {} }}\nvalues = {}'
MISTAKES = {
    "recoil": ([('"both"', '"all"')], "target.recoil = 'all'"),
    "no quenching": ([(QUENCHING, "")], "detector.quenching is missing"),
    "quenching of electrons": ([('recoil = "both"\n', "")], "detector.quenching"),
    "not labelled": ([('"0.21 keV_ee"', '"0.21 keV"')], "threshold is not labelled"),
    "bins not labelled": ([('unit = "keV_ee"', 'unit = "keV"')], "data.bin_edges is not labelled"),
    "width of recoils": ([('"20 eV_ee"', '"20 eV_nr"')], "efficiency.width is given in keV_nr"),
    "resolution of recoils": ([('"30 eV_ee"', '"30 eV_nr"')], "resolution.constant is given"),
    "rate per recoil energy": ([("/ (keV kg d)", "/ (keV_nr kg d)")], "background.rate"),
    "unknown label": ([('"0.21 keV_ee"', '"0.21 keV_er"')], "threshold = '0.21 keV_er'"),
    "cevns not said": ([("includes_cevns = false", "")], "background.includes_cevns is missing"),
    "cevns of electrons": (
        [('recoil = "both"\n', ""), (QUENCHING, ""),
         ('parameter = "quenching"', 'parameter = "flux"')], "background.includes_cevns",
    ),
    "cevns in the OFF data": (
        [("includes_cevns = false", "includes_cevns = true"),
         ('kind = "counts"', 'kind = "difference"\noff_exposure = "1 kg d"')],
        "background.includes_cevns",
    ),
    "unknown isotope": ([('"Ge"', '"Pb"')], "target.recoil: target = 'Pb' has no isotopes"),
    "model": ([('"lindhard"', '"birks"')], "detector.quenching.model = 'birks'"),
    "k missing": ([("k = 0.162\n", "")], "detector.quenching.k is missing"),
    "k with a unit": ([("k = 0.162", 'k = "0.162 keV"')], "detector.quenching.k = '0.162 keV'"),
    "k in %": ([("k = 0.162", "k = 16.2")], "detector.quenching.k = 16.2"),
    "key of another model": ([('"lindhard"', '"none"')], "detector.quenching.k"),
    "table without values": ([(QUENCHING, TABLE)], "detector.quenching.energies is missing"),
    "table of electron energies": (
        [(QUENCHING, CURVE.format("keV_ee", "[0, 3]", "[0.2, 0.3]"))], "write keV_nr",
    ),
    "table of other lengths": (
        [(QUENCHING, CURVE.format("keV_nr", "[0, 3]", "[0.2]"))], "1 values for 2 energies",
    ),
    "table of %": (
        [(QUENCHING, CURVE.format("keV_nr", "[0, 3]", "[20, 30]"))], "detector.quenching.values",
    ),
    "table that begins late": (
        [(QUENCHING, CURVE.format("keV_nr", "[0.1, 3]", "[0.2, 0.3]"))], "add a knot at 0",
    ),
    "table that ends early": (
        [(QUENCHING, CURVE.format("keV_nr", "[0, 1]", "[0.2, 0.3]"))], "recoils go up to",
    ),
    "table that decreases": (
        [(QUENCHING, CURVE.format("keV_nr", "[0, 2, 1]", "[0.2, 0.3, 0.3]"))], "increas",
    ),
    "energies beyond the table": (
        [(QUENCHING, CURVE.format("keV_nr", "[0, 3]", "[0.2, 0.3]")),
         ('"keV_ee"', '"keV_nr"')], "the end of the quenching table",
    ),
    "energies below a cutoff": (
        [(QUENCHING, CURVE.format("keV_nr", "[0, 0.4, 3, 5]", "[0, 0, 0.3, 0.3]")),
         ('"keV_ee"', '"keV_nr"')], "above the quenching's cutoff",
    ),
    "table that folds over": (
        [(QUENCHING, CURVE.format("keV_nr", "[0, 1, 1.1, 3]", "[0.2, 0.5, 0.1, 0.3]"))],
        "Q(T) T falls",
    ),
    "NaN in the csv": ([(QUENCHING, TABLE + 'file = "nan.csv"')], "nan.csv: line 3"),
    "csv that decreases": ([(QUENCHING, TABLE + 'file = "down.csv"')], "does not increase"),
    "csv without label": ([(QUENCHING, TABLE + 'file = "bare.csv"')], "is not labelled"),
    "csv without header": ([(QUENCHING, TABLE + 'file = "head.csv"')], "head.csv: line 1"),
    "csv with three columns": ([(QUENCHING, TABLE + 'file = "three.csv"')], "has 3 columns"),
    "csv missing": ([(QUENCHING, TABLE + 'file = "none.csv"')], "none.csv cannot be read"),
    "compound with one curve": (
        [('element = "Ge"', 'compound = "NaI"')], "one table for each of Na, I",
    ),
    "compound without one": (
        [('element = "Ge"', 'compound = "NaI"'),
         (QUENCHING, '[detector.quenching.Na]\nmodel = "lindhard"\nk = 0.1')],
        "detector.quenching.I is missing",
    ),
    "recoil energies of a compound": (
        [('element = "Ge"', 'compound = "NaI"'), ('"0.21 keV_ee"', '"0.21 keV_nr"'),
         (QUENCHING, '[detector.quenching.Na]\nmodel = "lindhard"\nk = 0.1\n'
          '[detector.quenching.I]\nmodel = "lindhard"\nk = 0.1')], "own quenching",
    ),
    "no recoil is seen": (
        [('kind = "reactor"\npower = "3 GW"\ndistance = "14 m"',
          'kind = "line"\nenergy = "100 keV"\nflux = "1 / (cm2 s)"\nantineutrino = false'),
         ("1, 2, 4]", "0.55, 0.6, 0.65]")], "no recoil of this source is seen",
    ),
    "quenching without recoils": (
        [('recoil = "both"\n', ""), (QUENCHING, ""), ("includes_cevns = false", "")],
        "systematics.k.parameter = 'quenching'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_file_and_key(nuclear, mistake):
    good = "T [keV_nr], Q\n0, 0.1\n1, 0.2\n3, 0.3\n"
    for name, text in {
        "nan": good.replace("0.2", "nan"), "down": good.replace("3,", "0.5,"),
        "bare": good.replace("_nr", ""), "head": good.partition("\n")[2],
        "three": good.replace("0.2", "0.2, 1"),
    }.items():  # fmt: skip
        (nuclear.folder / f"{name}.csv").write_text(text)
    changes, words = MISTAKES[mistake]
    with pytest.raises(InputError) as refusal:
        nuclear(*changes)
    message = str(refusal.value)
    print(f"{mistake}: {message}".replace(str(nuclear.folder), ""))
    assert "mine.toml" in message and words in message and "\n" not in message


def test_electron_files_may_be_labelled_or_not(base, nuclear):
    plain, labelled = base(), base(('"0.21 keV"', '"0.21 keV_ee"'))
    assert float(plain.parameters.threshold_keV) == float(labelled.parameters.threshold_keV)
    with pytest.raises(InputError, match="has no nuclear recoils"):
        base(('"0.21 keV"', '"0.21 keV_nr"'))


def test_new_bins_ask_for_new_panels(nuclear):
    e = nuclear(COARSE)
    with pytest.raises(InputError, match="recoil_edges_keV is missing"):
        e.replace(resolution_keV=jnp.ones(3), transfer_edges_keV=e.transfer_edges_keV)


@pytest.mark.slow
def test_a_limit_needs_no_systematics(nuclear, atom):
    """The limit of a file without [systematics.NAME] is that of a quenching known to 1e-6."""
    known = (
        'parameter = "quenching"\nuncertainty = 0.05',
        'parameter = "quenching"\nuncertainty = 1e-6',
    )
    none = ('[systematics.k]\nparameter = "quenching"\nuncertainty = 0.05\n', "")
    values = [
        jaxnu.sensitivity(nuclear(COARSE, change), atom).limit_mu_B for change in (known, none)
    ]
    print(f"limits {values[0]:.6g}, {values[1]:.6g} μ_B")
    assert values[1] == pytest.approx(values[0], rel=1e-6)
