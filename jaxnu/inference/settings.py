"""Every numerical knob of fits, limits and toys, with the reason for its value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Statistics:
    """Tolerances and sizes (static: a change recompiles)."""

    fit_iterations: int = 120  # Newton needs 4 to 10; a norm that is off by 1e5 about 25
    fit_tolerance: float = 1e-7  # gradient in units of 1σ; a last Newton step squares it
    floor: float = 1e-9  # of the reference rate of a bin: below, ln λ is continued by a parabola
    damping_first: float = 1e-3  # Levenberg's, after the first step that does not descend
    damping_step: float = 8.0  # its factor up after a failure, down after a success
    damping_last: float = 1e12  # no descent with this one: the fit has stalled
    root_iterations: int = 40  # safeguarded Newton on sqrt(q) needs 2 to 4
    farthest: float = 1e7  # no limit beyond this many σ_x of known nuisances: x is not measured
    large: int = 60  # nuisances above which L-BFGS goes first: a Hessian costs as many gradients
    lbfgs_iterations: int = 400
    adam_iterations: int = 8000  # its steps are 1e-8σ after 3500
    scan_points: int = 41  # values of x at which the test statistic is reported
    legendre_order: int = 64  # nodes per nuisance of a Bayesian integral with one or two of them
    sample_points: int = 4096  # quasi-random nodes with three and more
    posterior_points: int = 161  # nodes in x of a posterior, up to where it has fallen by e^-25
    nuts_chains: int = 4  # vectorised: they share one program
    nuts_warmup: int = 500
    nuts_draws: int = 2000  # per chain: limits to about 1%
    toys: int = 2000  # per value of x in a Feldman–Cousins construction
    toy_points: int = 9  # values of x there, before
    toy_bisections: int = 8  # halvings of a gap at each end
    batch_bytes: float = 6.4e7  # of one batch of toys: some MB per core stay in its cache


STATISTICS = Statistics()
