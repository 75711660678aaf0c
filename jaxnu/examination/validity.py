"""What the derivation needs, and by how much it is fulfilled."""

from dataclasses import dataclass

from jaxnu.constants import FINE_STRUCTURE, ATOMIC_MASS_keV, ELECTRON_MASS_keV
from jaxnu.elements import element

SMALL = 0.05  # a correction of this size is said not to be small


@dataclass(frozen=True)
class Condition:
    """One condition: what must be small or large, its size here, whether it holds everywhere in
    the range, and what follows."""

    name: str
    value: float
    unit: str
    holds: bool
    words: str


def validity(
    target: str, E_keV: float, T_range_keV: tuple[float, float], inner_speed_squared: float
) -> tuple[Condition, ...]:
    """The conditions of KS11 for an atom, a neutrino energy and a range of T.

    inner_speed_squared: <p²>/m² of 1s.
    """
    low, high = T_range_keV
    Z, mass = element(target).Z, element(target).weight * ATOMIC_MASS_keV
    relative = high / ELECTRON_MASS_keV
    limit_keV = SMALL * ELECTRON_MASS_keV
    coupling = (Z * FINE_STRUCTURE) ** 2
    recoil = 2.0 * E_keV**2 / mass
    return (
        Condition(
            "T ≪ m", relative, "T/m at the upper end", relative < SMALL,
            f"corrections of order T/m reach {relative:.1%} at {high:.3g} keV; below "
            f"{limit_keV:.3g} keV they are under {SMALL:.0%}. The sum of the free terms is exact.",
        ),
        Condition(
            "αZ ≪ 1", Z * FINE_STRUCTURE, "αZ", coupling < SMALL,
            f"1s is corrected by the order of (αZ)² = {coupling:.1%} (<v²> of 1s: "
            f"{inner_speed_squared:.1%} of c²); outer subshells see a smaller charge.",
        ),
        Condition(
            "T ≫ 2E²/M", 1e3 * recoil, "2E²/M [eV]", low > 10.0 * recoil,
            f"a nucleus of {target} could carry off up to {1e3 * recoil:.3g} eV by itself. "
            "T ≫ 2E²/M is sufficient for a fixed nucleus and not necessary: information, no flaw.",
        ),
    )  # fmt: skip
