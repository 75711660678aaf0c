"""Lines beside the continuum."""

import numpy as np
import pytest

from jaxnu.cross_sections import cross_section, cross_section_lines
from jaxnu.examination.excitation import excitation_shares

E, MU = 1000.0, 1e-11


@pytest.mark.slow
def test_windows_and_sums_of_helium(helium, agree):
    found = excitation_shares(0.01, 50.0, E, helium, MU)
    T, sigma = (np.asarray(a) for a in cross_section_lines(E, helium, MU))
    agree("all lines", found.lines_cm2, sigma[T >= 0.01].sum(), 1e-12)
    grid = np.geomspace(float(helium.thresholds_keV[0]) * (1.0 + 1e-9), 50.0, 4000)
    smooth = np.trapezoid(np.asarray(cross_section(grid, E, helium, MU)) * grid, np.log(grid))
    agree("ionisation", found.ionisation_cm2, smooth, 1e-5)
    (edge,) = found.edges
    assert edge.label == "K" and edge.share_below == 1.0, "nothing else below the first edge"
    assert 0.0 < edge.share_near < 1.0
    agree("window", edge.window_keV, 1.1 * (edge.edge_keV - T.min()), 1e-12)
    agree("own lines", edge.own_lines, sigma.sum(), 1e-12)
    print(f"He above 10 eV: {found.share:.2%} by lines, ± {1e3 * edge.window_keV:.2f} eV around "
          f"the edge {edge.share_near:.1%}")  # fmt: skip


def test_lines_of_germanium_matter_near_edges_only(germanium):
    """Near every inner edge they are below a fifth of the cross section, over all below 1%."""
    found = excitation_shares(0.01, 50.0, E, germanium, MU)
    shares = {e.label: e.share_below for e in found.edges}
    print(f"Ge: lines are {found.share:.2%} above 10 eV; below edges {shares}")
    assert 0.003 < found.share < 0.005
    assert 0.03 < shares["L1"] < shares["K"] < 0.11 and 0.2 < shares["N1"] < 0.3
    assert all(share < 0.2 for label, share in shares.items() if label != "N1")
    whole = sum(e.own_lines for e in found.edges)
    assert whole >= found.lines_cm2 * (1.0 - 1e-12), "N1 also has lines below 10 eV"
