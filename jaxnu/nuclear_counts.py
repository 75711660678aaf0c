"""Expected counts of nuclear recoils in the bins of an experiment, on its electron scale."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.cross_sections.nuclear import nuclei
from jaxnu.elements import composition
from jaxnu.experiments.experiment import Experiment
from jaxnu.flux.spectrum import Spectrum
from jaxnu.nuclear_rates import atoms_per_kg_day, map_nuclear_rates
from jaxnu.numerics.quadrature import panel_nodes
from jaxnu.smearing import Deposits, recorded

FORM_FACTOR = "helm"


def recoil_counts(experiment: Experiment, channel: str) -> Float[Array, "bins"]:
    """Expected counts of nuclear recoils per bin, per μ² in μ_B² for the magnetic channel.

    exposure · Σ_elements ∫dT R(T) P_b(Q(T) T): the recoil T is seen as the electron-equivalent
    energy Q(T) T, and recorded in the bin b with the probability P_b of an electron of that energy.
    Recoils seen below 1 eV are left out: with so little energy only noise is recorded.

    experiment: with recoil "nuclear" or "both". channel: "magnetic" or "weak" (CEvNS).
    """
    return recorded(experiment, recoil_deposits(experiment, channel))


def recoil_deposits(experiment: Experiment, channel: str) -> tuple[Deposits, ...]:
    """The recoils of each element, of those that reach the bins."""
    p = experiment.parameters
    return tuple(
        Deposits(*_recoils(experiment, quenching.target, edges, channel), quenching)
        for quenching, edges in zip(p.quenching, experiment.recoil_edges_keV, strict=True)
        if edges
    )


def _recoils(
    experiment: Experiment, symbol: str, edges: tuple[float, ...], channel: str
) -> tuple[Float[Array, "T"], Float[Array, "T"]]:
    """Recoil energies [keV] and their events per kg of the target and day."""
    source, numerics = experiment.parameters.source, experiment.numerics
    panels = _with_steps(jnp.asarray(edges), source, symbol)
    T, weight = panel_nodes(panels, numerics.transfer_order)
    T, weight = T.ravel(), weight.ravel()
    rate = map_nuclear_rates(T, source, nuclei(symbol), None, channel, "all", FORM_FACTOR, numerics)
    number = composition(experiment.target)[symbol]
    return T, number * atoms_per_kg_day(experiment.target) * weight * rate


def _with_steps(edges: Array, source: Spectrum, symbol: str) -> Array:
    """Panel edges with the largest recoil of each line and of the spectrum's end among them."""
    energies = jnp.append(source.lines_keV, source.edges_keV[-1])
    ends = jax.vmap(lambda mass: transfer_end(energies, mass))(jnp.asarray(nuclei(symbol).mass_keV))
    return jnp.sort(jnp.concatenate([edges, jnp.clip(ends.ravel(), edges[0], edges[-1])]))
