"""Moments of a flux above a running energy against quadrature from that energy on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import flux, load_experiment
from jaxnu.cross_sections.channels import Channel
from jaxnu.flux.moments import Moments

SOURCES = {
    "sun": flux.solar,
    "reactor": lambda: load_experiment("gemma").parameters.source,
    "table": lambda: flux.tabulated([10.0, 100.0, 400.0], [0.0, 1e9, 2e8]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_moments_are_integrals_above(name, agree):
    source = SOURCES[name]()
    E_min = jnp.geomspace(1.0, 1.1 * float(source.edges_keV[-1]), 120)

    def direct(end):
        E, weight = source.nodes_above(end, 24)
        electrons = weight * source.electron_fraction(E)
        return jnp.stack([jnp.sum(w / E**k) for w in (weight, electrons) for k in range(3)])

    expected = np.asarray(jax.lax.map(direct, E_min)).reshape(-1, 2, 3)
    got = Moments.of(source, 16).above(E_min)
    # a kernel multiplies by T^k ≤ E_min^k; the last 1e-5 of the flux is at the end of a series
    whole = expected[:, :1, :1] + 1e-5 * expected[0, 0, 0]
    scale = whole / np.asarray(E_min)[:, None, None] ** np.arange(3)
    agree(f"{name}, all flavours", got[:, 0], expected[:, 0], 1e-6, scale[:, 0] + 1e-300)
    # the kinks of P_ee lie inside panels
    agree(f"{name}, ν_e", got[:, 1], expected[:, 1], 1e-4, scale[:, 0] + 1e-300)


CHANNELS = [
    Channel(),
    Channel("weak"),
    Channel("weak", antineutrino=True),
    Channel(part="transverse"),
    Channel(spin_current=False),
]


@pytest.mark.parametrize("channel", CHANNELS)
def test_folded_kernels_are_the_kernels(channel, agree):
    """A flux of one energy: its moments are E^-k, and P_ee E^-k for ν_e."""
    T, E, fraction = 3.0, 300.0, 0.6
    Q = jnp.geomspace(T, 2.0 * E - T, 40)
    powers = E ** -jnp.arange(3.0)
    moments = jnp.broadcast_to(jnp.stack([powers, fraction * powers]), (40, 2, 3))
    got = channel.folded_kernels(T, Q, moments)
    for part, ours, kernel in zip("SR", got, channel.kernels(T, E, Q, fraction), strict=True):
        scale = np.asarray(jnp.abs(kernel)) + 1e-9 / np.asarray(Q) ** 2 * np.max(kernel * Q**2)
        agree(f"k_{part}", ours, kernel, 1e-6, scale + 1e-300)
