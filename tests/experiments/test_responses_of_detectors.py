"""Counting statistics, response matrices and efficiencies from CSV files."""

import itertools

import jax
import numpy as np
import pytest
from scipy.special import erf

import jaxnu
from jaxnu import rate
from jaxnu.counts import background_counts, signal_counts
from jaxnu.design import parameters_of
from jaxnu.detector import ResponseMatrix, energy_resolution
from jaxnu.errors import InputError
from jaxnu.experiments import describe, load_experiment
from jaxnu.experiments.experiment import matrix_edges

GAUSSIAN = '[detector.resolution]\nconstant = "30 eV"'
EFFICIENCY = '[detector.efficiency]\nthreshold = "0.21 keV"\nwidth = "20 eV"\nplateau = 0.9\n'
COUNTING = '[detector.resolution]\nnoise = "20 eV"\nfano = 0.11\nenergy_per_quantum = "2.96 eV"'
MATRIX = '[detector.resolution]\nmatrix = "m.csv"'
DETECTED = ("includes_efficiency = false", "includes_efficiency = true")
EDGES = np.array([0.2, 0.3, 0.5, 1, 2, 4])


@pytest.fixture(scope="module")
def atom():
    return jaxnu.response("Ge", "free")


def write(path, T, seen, unit="keV"):
    rows = [", ".join(f"{v:.17g}" for v in (t, *row)) for t, row in zip(T, seen, strict=True)]
    header = f"E [{unit}], " + ", ".join(f"bin {i}" for i in range(seen.shape[1]))
    path.write_text("# a response\n" + header + "\n" + "\n".join(rows) + "\n")


def test_counting_statistics(base):
    e = base((GAUSSIAN, COUNTING))
    assert e.resolution_in_quadrature
    T = np.array([0.3, 1.0, 10.0])
    sigma = energy_resolution(T, e.parameters.resolution_keV, True)
    np.testing.assert_allclose(sigma**2, 0.02**2 + 0.11 * 2.96e-3 * T, rtol=1e-13)
    # N quanta of mean T/w with variance F N, by sampling: the width without noise
    draws = np.random.default_rng(1).poisson(10.0 / 0.0137, 200_000) * 0.0137
    poisson = energy_resolution(np.array(10.0), np.array([0.0, 0.0137**0.5, 0.0]), True)
    assert float(poisson) == pytest.approx(draws.std(), rel=0.01)
    text = describe(base.path)
    print(text)
    assert "σ² = 0.02² + 0.0003256 T keV²" in text


def test_noise_alone_is_a_constant_width(base, atom):
    """fano → 0: the Gaussian of constant σ. A common factor of noise and √(F w) is one of σ."""
    constant = base()
    same = base((GAUSSIAN, COUNTING.replace("0.11", "1e-12").replace('"20 eV"', '"30 eV"')))
    counts = [np.asarray(jax.jit(signal_counts)(e, atom)) for e in (constant, same)]
    np.testing.assert_allclose(counts[1], counts[0], rtol=1e-6)
    c = np.array([0.02, 0.018, 0.0])
    np.testing.assert_allclose(
        energy_resolution(EDGES, 3.0 * c, True), 3.0 * energy_resolution(EDGES, c, True), rtol=1e-14
    )


def test_a_matrix_made_of_gaussians_is_the_gaussian(base, atom):
    """Rows of P(bin | T) = Φ differences with the same width, efficiency 0.9 everywhere."""
    T = np.concatenate([np.geomspace(1e-3, 0.05, 10), np.arange(0.055, 4.5, 0.005)])
    below = 0.5 * (1.0 + erf((EDGES - T[:, None]) / (0.03 * 2**0.5)))
    seen = 0.9 * np.diff(below, axis=1)
    seen[-1] = 0.0
    write(base.folder / "m.csv", T, seen)
    ours = base((GAUSSIAN, MATRIX), (EFFICIENCY, ""), DETECTED)
    gaussian = base(('threshold = "0.21 keV"', 'threshold = "0.1 keV"'), ('"20 eV"', '"5 eV"'))
    counts = [np.asarray(jax.jit(signal_counts)(e, atom)) for e in (ours, gaussian)]
    print(f"matrix {counts[0]}, Gaussian {counts[1]}")
    np.testing.assert_allclose(counts[0], counts[1], rtol=1e-3)


def test_a_coarse_matrix_is_the_explicit_sum(base, atom):
    """Linear between rows, zero outside: ∫ R(T) P(T) dT row by row."""
    T = np.array([0.1, 0.4, 1.5, 3.0, 5.0])
    seen = np.zeros((5, 5))
    seen[1:4] = np.random.default_rng(3).uniform(0.0, 0.2, (3, 5))
    write(base.folder / "m.csv", 1e3 * T, seen, "eV")
    e = base((GAUSSIAN, MATRIX), (EFFICIENCY, ""), DETECTED)
    assert describe(base.path).count("5 energies × 5 bins") == 1
    x, w = np.polynomial.legendre.leggauss(40)
    expected = np.zeros(5)
    # dR/dT steps where T_max of the lines or the shells is: none for free electrons of a reactor
    for low, high in itertools.pairwise(T):
        t = 0.5 * (high - low) * x + 0.5 * (high + low)
        R = np.asarray(rate(t, e.parameters.source, atom))
        share = (t - low) / (high - low)
        k = int(np.searchsorted(T, low))
        P = (1 - share)[:, None] * seen[k] + share[:, None] * seen[k + 1]
        expected += 0.5 * (high - low) * (w * R) @ P
    ours = np.asarray(jax.jit(signal_counts)(e, atom)) * 1e-22
    np.testing.assert_allclose(ours, 100.0 * expected, rtol=1e-6)
    assert float(e.parameters.threshold_keV) == pytest.approx(
        0.1 + 0.3 * 0.5 * seen.sum(1).max() / seen[1].sum()
        if seen[1].sum() >= 0.5 * seen.sum(1).max() else 0.4, rel=1e-9,
    )  # fmt: skip
    # detected background as it is, whatever the threshold
    width = np.diff(np.asarray(e.parameters.bin_edges_keV))
    np.testing.assert_allclose(background_counts(e), 100.0 * 10.0 * width, rtol=1e-13)
    with pytest.raises(InputError, match=r"threshold_keV = 1\.0 cannot be moved"):
        e.replace(threshold_keV=1.0)


def test_derivative_in_the_matrix(base, atom):
    T = np.array([0.1, 0.4, 1.5, 3.0, 5.0])
    seen = np.zeros((5, 5))
    seen[2] = 0.1
    write(base.folder / "m.csv", T, seen)
    e = base((GAUSSIAN, MATRIX), (EFFICIENCY, ""), DETECTED)

    def total(factor):
        matrix = ResponseMatrix(e.parameters.matrix.T_keV, factor * e.parameters.matrix.seen)
        return signal_counts(e.replace(matrix=matrix), atom).sum()

    value, slope = jax.jit(jax.value_and_grad(total))(1.0)
    assert float(slope) == pytest.approx(float(value), rel=1e-12)


def test_the_limit_with_a_matrix(base, atom):
    """Signal is what matters: a matrix of half the efficiency is half the signal."""
    T = np.array([0.1, 0.3, 4.0, 6.0])
    seen = np.zeros((4, 5))
    limits = []
    for efficiency in (0.2, 0.1):
        seen[1:3] = efficiency
        write(base.folder / "m.csv", T, seen)
        e = base((GAUSSIAN, MATRIX), (EFFICIENCY, ""), DETECTED)
        limits.append(jaxnu.sensitivity(e, atom))
    assert limits[1].limit_mu_B == pytest.approx(limits[0].limit_mu_B * 2**0.5, rel=1e-6)
    for name in ("threshold_keV", "resolution"):
        assert abs(limits[0].derivatives[name]) < 1e-12, name
    assert not {"threshold", "resolution"} & set(parameters_of(e)), "a matrix holds both"


def test_panels_of_a_matrix():
    edges = np.array(matrix_edges(np.array([0.1, 0.4, 5.0]), 3.0))
    assert edges[0] == 0.1 and edges[-1] == 3.0 and 0.4 in edges
    assert (edges[1:] / edges[:-1]).max() <= 2.0 and (np.diff(edges) > 0.0).all()


def test_efficiency_from_csv(base):
    (base.folder / "eff.csv").write_text("E [eV], ε\n100, 0\n200, 0.4\n300, 0.8\n5000, 0.8\n")
    e = base((EFFICIENCY, '[detector.efficiency]\nfile = "eff.csv"\n'))
    np.testing.assert_allclose(e.parameters.efficiency, [0.0, 0.4, 0.8, 0.8])
    p = e.parameters
    np.testing.assert_allclose(p.threshold_keV + p.efficiency_offset_keV, [0.1, 0.2, 0.3, 5.0])


GOOD = "E [keV], a, b, c, d, e\n0.1, 0,0,0,0,0\n1, .1,.1,.1,.1,.1\n6, 0,0,0,0,0\n"
MISTAKES = {
    "fano missing": ([(GAUSSIAN, COUNTING.replace("fano = 0.11", ""))], "fano is missing"),
    "quantum missing": (
        [(GAUSSIAN, COUNTING.partition("energy_per")[0])], "energy_per_quantum is missing",
    ),
    "quantum of another dimension": (
        [(GAUSSIAN, COUNTING.replace("2.96 eV", "2.96 d"))], "energy_per_quantum = '2.96 d'",
    ),
    "fano zero": ([(GAUSSIAN, COUNTING.replace("0.11", "0"))], "resolution.fano = 0"),
    "both kinds": ([(GAUSSIAN, COUNTING + '\nsqrt = "1 eV"')], "resolution.sqrt"),
    "negative noise": ([(GAUSSIAN, COUNTING.replace('"20', '"-20'))], "resolution.noise"),
    "matrix and efficiency": ([(GAUSSIAN, MATRIX), DETECTED], "detector.efficiency"),
    "matrix and width": (
        [(GAUSSIAN, MATRIX + '\nconstant = "1 eV"'), (EFFICIENCY, ""), DETECTED], "constant",
    ),
    "matrix without detected background": (
        [(GAUSSIAN, MATRIX), (EFFICIENCY, "")], "background.includes_efficiency",
    ),
    "systematic within the matrix": (
        [(GAUSSIAN, MATRIX), (EFFICIENCY, ""), DETECTED,
         ("[statistics]",
          '[systematics.r]\nparameter = "resolution"\nuncertainty = 0.1\n[statistics]')],
        "systematics.r.parameter = 'resolution'",
    ),
    "efficiency file": (
        [(EFFICIENCY, '[detector.efficiency]\nfile = "eff.csv"\n')], "detector.efficiency.file",
    ),
    "efficiency file that is short": (
        [(EFFICIENCY, '[detector.efficiency]\nfile = "short.csv"\n')], "does not cover the bins",
    ),
}  # fmt: skip
FILES = {
    "NaN": (GOOD.replace("1, .1,", "1, nan,"), "line 3: value nan"),
    "negative": (GOOD.replace("1, .1,", "1, -.1,"), "line 3: value -.1"),
    "rows above one": (GOOD.replace("1, .1,", "1, .7,"), "the row at 1 keV sums to 1.1, above 1"),
    "energies that decrease": (GOOD.replace("\n6,", "\n.5,"), "line 4: energy .5 does not"),
    "too few columns": (GOOD.replace("1, .1,", "1,"), "line 3 has 5 columns; give 6"),
    "bins of another number": (
        "E [keV], a\n1, 0.5\n2, 0\n", "line 1 has 2 columns; give 6: the energy and 5 values",
    ),
    "text": (GOOD.replace("1, .1,", "1, x,"), "line 3: '1, x, .1, .1, .1, .1' is not all numbers"),
    "no unit": (GOOD.replace("[keV]", ""), "line 1: 'E' is no header of energies"),
    "wrong dimension": (GOOD.replace("[keV]", "[kg]"), "line 1: 'E [kg]' is no header"),
    "one row": ("E [keV], a, b, c, d, e\n1, 0,0,0,0,0\n", "1 lines of numbers"),
    "empty": ("", "0 lines of numbers"),
    "late beginning": (GOOD.replace("0.1, 0,", "0.1, .2,"), "add rows down to"),
    "early end": (GOOD.replace("6, 0,", "6, .2,"), "add rows up to"),
    "blind": (GOOD.replace(".1,.1,.1,.1,.1", "0,0,0,0,0").replace("1, 0,", "1, 0,"), "is zero"),
    "infinite energy": (GOOD.replace("\n6,", "\ninf,"), "line 4: energy inf"),
    "recoil energies": (GOOD.replace("[keV]", "[keV_nr]"), "has no nuclear recoils"),
}  # fmt: skip


def refusal_of(base, changes):
    with pytest.raises(InputError) as refusal:
        base(*changes)
    message = str(refusal.value)
    print(message.replace(str(base.folder), ""))
    assert "mine.toml" in message and "\n" not in message
    return message


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_file_and_key(base, mistake):
    (base.folder / "m.csv").write_text(GOOD)
    (base.folder / "eff.csv").write_text("E [keV], ε\n0.1, 0\n0.2, 80\n5, 80\n")
    (base.folder / "short.csv").write_text("E [keV], ε\n0.1, 0\n0.3, 1\n2, 1\n")
    changes, words = MISTAKES[mistake]
    assert words in refusal_of(base, changes)


@pytest.mark.parametrize("mistake", FILES)
def test_a_bad_matrix_is_one_line_with_file_and_line(base, mistake):
    text, words = FILES[mistake]
    (base.folder / "m.csv").write_text(text)
    message = refusal_of(base, [(GAUSSIAN, MATRIX), (EFFICIENCY, ""), DETECTED])
    assert words in message and "m.csv" in message and "resolution.matrix" in message


def test_a_missing_matrix(base):
    message = refusal_of(base, [(GAUSSIAN, MATRIX), (EFFICIENCY, ""), DETECTED])
    assert "m.csv cannot be read" in message


def test_the_shipped_files_do_not_depend_on_the_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load_experiment("gemma").name == "gemma"
