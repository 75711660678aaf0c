"""A response matrix: the probability of each bin as a table in true energy."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ResponseMatrix:
    """Probabilities that an event of true energy T is recorded in a bin, efficiency included.

    T_keV: (rows,) increasing energies, keV. seen: (rows, bins), each row sums to 1 at most. Linear
    in T between rows, zero outside.
    """

    T_keV: Float[Array, "rows"]
    seen: Float[Array, "rows bins"]

    def at(self, T_keV: Float[Array, "T"]) -> Float[Array, "T bins"]:
        """Probabilities of the bins at true energies in keV."""

        def column(values: Float[Array, "rows"]) -> Float[Array, "T"]:
            return jnp.interp(T_keV, self.T_keV, values, left=0.0, right=0.0)

        return jax.vmap(column, in_axes=1, out_axes=1)(self.seen)
