"""Conditions against hand calculations."""

import pytest

from jaxnu.examination.validity import validity


def test_germanium_at_1_MeV():
    """Ge: M = 72.63 u; (αZ)² = (32/137.036)²."""
    slow, weak, heavy = validity("Ge", 1000.0, (0.01, 50.0), 0.053)
    assert slow.value == pytest.approx(50.0 / 510.99895) and not slow.holds
    assert weak.value == pytest.approx(32.0 / 137.036, rel=1e-6) and not weak.holds
    assert heavy.value == pytest.approx(2e9 / (72.63 * 931494.1), rel=1e-6) and not heavy.holds
    assert "29.6 eV" in heavy.words and "not necessary" in heavy.words


def test_helium_of_tritium_energies():
    slow, weak, heavy = validity("He", 18.6, (0.01, 1.0), 1e-4)
    assert slow.holds and weak.holds and heavy.holds
    assert heavy.value == pytest.approx(1e3 * 2.0 * 18.6**2 / (4.0026 * 931494.1), rel=1e-4)
