"""Where the atom's cross section exceeds that of free electrons."""

import numpy as np
import pytest

from jaxnu.examination.curves import cross_section_curves
from jaxnu.examination.excess import largest_excess, length_above
from jaxnu.responses import response

E = 1000.0
WIDE = np.geomspace(0.011, 50.0, 32)
D4 = np.linspace(0.0735, 0.0852, 32)  # of Xe and Cs: f waves 9 to 10 eV above 4d
D3 = np.linspace(0.722, 0.739, 32)  # above 3d of Cs


def found(symbol, T):
    atom = response(symbol)
    one = largest_excess(cross_section_curves(T, E, atom, 1e-11), E, atom)
    print(f"{symbol}: {one}, Z = {atom.Z}")
    return one, atom


def test_germanium_is_nowhere_above_free_electrons():
    one, atom = found("Ge", WIDE)
    assert 0.999 < one.highest < 1.0 and one.T_keV == 50.0 and one.width_keV == 0.0
    assert one.charge < atom.Z


@pytest.mark.parametrize(
    ("symbol", "T", "highest", "place", "width"),
    [
        ("Xe", D4, 1.19697, 78.239, 3.251),
        ("Cs", D4, 8.102, 78.660, 2.006),
        ("Cs", D3, 8.498, 727.755, 1.427),
    ],
)
def test_shape_resonances_exceed_free_electrons(symbol, T, highest, place, width):
    """Exceptions to "no enhancement": a few eV wide, far from Z². Numbers: a scan in steps of 6 and
    8.5 meV."""
    one, atom = found(symbol, T)
    assert one.highest == pytest.approx(highest, rel=2e-3)
    assert 1e3 * one.T_keV == pytest.approx(place, abs=0.05)
    assert 1e3 * one.width_keV == pytest.approx(width, rel=0.02)
    assert atom.Z < one.charge < 0.2 * atom.Z**2


def test_length_of_a_triangle():
    """Height 2 over a base of 2: 1 is above 1."""
    x = np.array([-1.0, -0.5, 0.0, 0.25, 1.0])
    assert length_above(x, 2.0 - 2.0 * np.abs(x), 1.0) == pytest.approx(1.0, rel=1e-12)
    assert length_above(x, np.zeros(5), 1.0) == 0.0
    assert length_above(x, np.full(5, 3.0), 1.0) == pytest.approx(2.0, rel=1e-12)
