"""Every numerical knob of jaxnu, with the reason for its value."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Numerics:
    """Node counts and tolerances (static: a change recompiles).

    Each quadrature is composite Gauss–Legendre: `panels` intervals of `order` nodes.
    """

    q_panels: int = 12  # ln Q²; panel edges follow the Bethe ridge, see numerics.quadrature
    q_order: int = 16  # 12 × 16 nodes: hydrogenic responses to 1e-12 from threshold to 100 I
    cone_start: float = 1e-6  # (Q² − T²)/T² to which R is its light-cone value: 3e-8 of the log
    energy_order: int = 8  # nodes in E per panel of a spectrum: 1e-6 of a rate
    transfer_order: int = 8  # nodes in T per panel: one panel is about two resolution widths
    bin_order: int = 6  # nodes in reconstructed energy per panel: a bin, cut at efficiency knots
    rate_batch: int = 16  # values of T whose Q nodes are in memory at once, some 10 MB
    line_states: int = 60  # bound states kept in a Rydberg series; the rest is ~1/(2n²) of it
    fit_iterations: int = 200  # L-BFGS needs 5 to 30 for up to ten parameters
    fit_tolerance: float = 1e-5  # gradient in units of 1σ; a Newton step squares it
    fit_accepted: float = 1e-6  # largest residual, in units of 1σ; a Newton step then squares it
    root_iterations: int = 60  # safeguarded Newton needs about 8
    scan_points: int = 61  # values of μ² at which the test statistic is reported

    def refined(self, factor: int = 2) -> "Numerics":
        """The same settings with every quadrature `factor` times denser."""
        return replace(
            self,
            q_panels=self.q_panels * factor,
            energy_order=self.energy_order * factor,
            transfer_order=self.transfer_order * factor,
            bin_order=self.bin_order * factor,
        )


NUMERICS = Numerics()
