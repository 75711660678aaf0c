"""A compound as independent atoms: responses add."""

from dataclasses import dataclass
from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnu.elements import composition
from jaxnu.errors import InputError
from jaxnu.responses.base import Lines, Response


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Compound(Response):
    """S = Σ_i n_i S_i and R = Σ_i n_i R_i per formula unit, n_i atoms of kind i.

    Atoms of a compound are taken as free ones: bonds and bands, which change outer shells below
    some 30 eV, are left out. Parts may be of different models; `model` then names each.

    parts: response of one atom of each kind. number: how many of each. electrons and thresholds_keV
        are copies of theirs, to be read; derivatives go through the parts.
    """

    parts: tuple[Response, ...]
    number: Float[Array, "parts"]

    @classmethod
    def of(cls, target: str, parts: tuple[Response, ...]) -> "Compound":
        """The response of a formula unit, "CaWO4", from those of its atoms in that order.

        Raises InputError if the parts are not the elements of the formula.
        """
        number = composition(target)
        if [part.target for part in parts] != list(number):
            raise InputError(
                f"parts = {', '.join(part.target for part in parts)} are not the elements of "
                f"{target}; give one response for each of {', '.join(number)}, in this order"
            )
        counts = jnp.asarray(list(number.values()), float)
        models = [part.model for part in parts]
        common = max(models, key=models.count)
        others = [f"{p.target}: {p.model}" for p in parts if p.model != common]
        return cls(
            target=target,
            model=f"{common} ({', '.join(others)})" if others else common,
            Z=sum(n * part.Z for n, part in zip(number.values(), parts, strict=True)),
            labels=tuple(f"{p.target} {label}" for p in parts for label in p.labels),
            electrons=_join(n * p.electrons for n, p in zip(counts, parts, strict=True)),
            thresholds_keV=_join(p.thresholds_keV for p in parts),
            parts=parts,
            number=counts,
        )

    @property
    def has_continuum(self) -> bool:
        return any(part.has_continuum for part in self.parts)

    @property
    def magnetic_only(self) -> bool:
        return any(part.magnetic_only for part in self.parts)

    @property
    def momentum_scales_keV(self) -> Float[Array, "shells"]:
        return _join(part.momentum_scales_keV for part in self.parts)

    @property
    def momentum_scale_keV(self) -> Float[Array, ""]:
        smooth = [part for part in self.parts if part.has_continuum] or list(self.parts)
        return reduce(jnp.minimum, (part.momentum_scale_keV for part in smooth))

    @property
    def steps_keV(self) -> Float[Array, "shells"]:
        return _join(part.steps_keV for part in self.parts)

    @property
    def T_max_keV(self) -> Float[Array, ""] | None:
        ends = [end for part in self.parts if (end := part.T_max_keV) is not None]
        return reduce(jnp.minimum, ends) if ends else None

    def independent_particle(self) -> "Compound":
        return Compound.of(self.target, tuple(part.independent_particle() for part in self.parts))

    def longitudinal(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        return self._add((p.longitudinal(T_keV, Q_keV, by_shell) for p in self.parts), by_shell)

    def transverse(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        return self._add((p.transverse(T_keV, Q_keV, by_shell) for p in self.parts), by_shell)

    def both(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        S, R = zip(*(part.both(T_keV, Q_keV, by_shell) for part in self.parts), strict=True)
        return self._add(S, by_shell), self._add(R, by_shell)

    def on_shell(
        self, T_keV: Float[Array, "..."]
    ) -> tuple[Float[Array, "... terms"], Float[Array, "... terms"]]:
        terms = [part.on_shell(T_keV) for part in self.parts]
        if not any(weight.shape[-1] for _, weight in terms):
            return terms[0]
        Q, weight = zip(
            *(
                # one term for each shell of the compound; a smooth atom's weigh nothing
                term if term[1].shape[-1] else (jnp.ones(shape), jnp.zeros(shape))
                for part, term in zip(self.parts, terms, strict=True)
                for shape in [(*jnp.shape(T_keV), len(part.labels))]
            ),
            strict=True,
        )
        return _join(Q), self._add(weight, by_shell=True)

    def lines(self) -> Lines:
        T, shell, first = [], [], 0
        for part in self.parts:
            lines = part.lines()
            T.append(lines.T_keV)
            shell.append(lines.shell + first)
            first += len(part.labels)
        return Lines(_join(T), _join(shell))

    def line_longitudinal(
        self, n: Int[Array, ""], Q_keV: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return self._of_line("line_longitudinal", n, Q_keV)

    def line_transverse(self, n: Int[Array, ""], Q_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        return self._of_line("line_transverse", n, Q_keV)

    def _of_line(self, name: str, n: Int[Array, ""], Q: Float[Array, "..."]) -> Float[Array, "..."]:
        total, first = jnp.zeros(jnp.shape(Q)), 0
        for atoms, part in zip(self.number, self.parts, strict=True):
            count = part.lines().T_keV.shape[0]
            if count:
                own = jnp.clip(n - first, 0, count - 1)
                here = (n >= first) & (n < first + count)
                total = total + jnp.where(here, atoms * getattr(part, name)(own, Q), 0.0)
            first += count
        return total

    def _add(self, values, by_shell: bool) -> Float[Array, "..."]:
        each = [n * value for n, value in zip(self.number, values, strict=True)]
        return _join(each) if by_shell else sum(each[1:], each[0])


def _join(arrays) -> Array:
    return jnp.concatenate(list(arrays), axis=-1)
