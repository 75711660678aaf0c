"""Ground-state configurations: they hold Z electrons and are the observed ones."""

import pytest

from jaxnu.atom.configuration import SLOTS, SYMBOLS, ground_state, parse_configuration
from jaxnu.errors import InputError


def test_every_atom_holds_z_electrons_in_subshells_that_exist():
    for Z, symbol in enumerate(SYMBOLS, start=1):
        atom = ground_state(symbol)
        assert atom.Z == Z and ground_state(Z) == atom
        assert sum(atom.occupation) == Z, f"{symbol}: {atom}"
        assert len(atom.n) <= SLOTS
        for n, l, count in zip(atom.n, atom.l, atom.occupation, strict=True):
            assert 0 <= l < n and 0 < count <= 4 * l + 2


@pytest.mark.parametrize(
    ("symbol", "valence"),
    [
        ("He", "1s2"), ("Na", "2p6 3s1"), ("Si", "3s2 3p2"), ("Cr", "3d5 4s1"),
        ("Cu", "3d10 4s1"), ("Ge", "3d10 4s2 4p2"), ("Mo", "4d5 5s1"), ("Tc", "4d5 5s2"),
        ("Pd", "4p6 4d10"), ("I", "4d10 5s2 5p5"), ("Xe", "5s2 5p6"), ("Cs", "5p6 6s1"),
    ],
)  # fmt: skip
def test_valence_shells_are_the_observed_ones(symbol, valence):
    assert str(ground_state(symbol)).endswith(valence), str(ground_state(symbol))


def test_padding_is_empty_and_of_one_shape():
    for symbol in ("H", "Cs"):
        n, l, occupation = ground_state(symbol).padded()
        assert n.shape == l.shape == occupation.shape == (SLOTS,)
        assert occupation.sum() == ground_state(symbol).Z


def test_a_given_configuration_may_be_excited_or_fractional():
    atom = parse_configuration("Ne", "1s2 2s2 2p5.5 3s0.5")
    assert atom.labels == ("1s", "2s", "2p", "3s") and sum(atom.occupation) == 10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ground_state("Xx"), "unknown"),
        (lambda: ground_state("Na+"), "is an ion"),
        (lambda: ground_state(0), r"\[1, 55\]"),
        (lambda: ground_state(56), r"\[1, 55\]"),
        (lambda: ground_state("Ba"), "Z = 56; allowed: H to Cs"),
        (lambda: ground_state("xe"), "did you mean Xe"),
        (lambda: ground_state("Gx"), "did you mean (Ga or Ge|Ge or Ga)"),
        (lambda: parse_configuration("He", "1s3"), r"\[0, 2\]"),
        (lambda: parse_configuration("He", "1s1"), "sum to Z"),
        (lambda: parse_configuration("He", "1s1 1s1"), "twice"),
        (lambda: parse_configuration("He", "1p2"), "l < n"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, words):
    with pytest.raises(InputError, match=words) as error:
        call()
    assert "\n" not in str(error.value)
