"""Numerical knobs of the atomic calculation, with the reason for each value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RatioClass:
    """How energies up to T/I = `ratio` are done."""

    ratio: float
    groups: int  # how many of the groups of orders: l' to about 17 sqrt(T/I) + 20


@dataclass(frozen=True)
class AtomNumerics:
    """Mesh sizes and tolerances (static: a change recompiles). Lengths in Bohr radii."""

    mesh_points: int = 4096  # step 0.006 in t: the Numerov error h⁴/240 is 1e-11 per unit phase
    first_radius: float = 1e-5  # times 1/Z; below it the series of the orbital is used
    last_radius: float = 60.0  # the 6s orbital of Cs falls to 1e-10 of its maximum there
    mesh_stretch: float = 0.1  # a in t = ln r + a r: steps stay below 0.06 a.u. at any radius
    rydberg_radius: float = 520.0  # holds n = 12 (outer turning point 2n² = 288)
    coarse_factor: int = 4  # the mesh is thinned by this to bracket eigenvalues
    bracket_energies: int = 16  # trial energies per orbital and pass
    bracket_passes: int = 4  # ln|E| to 16.5/16⁴ = 2.5e-4, far inside the level spacing
    inverse_iterations: int = 2  # at the bracketed energy, from a smooth vector
    rayleigh_iterations: int = 3  # cubic: 1e-3 becomes 1e-9, then rounding
    field_iterations: int = 120  # Anderson mixing needs 15 to 30
    field_tolerance: float = 1e-9  # max |r ΔV| [Hartree·Bohr]; levels err by less
    mixing: float = 0.5  # share of the residual that enters the next potential
    mixing_history: int = 6
    tangent_tolerance: float = 1e-10  # of the linearised field equations (GMRES)
    tangent_vectors: int = 40  # Krylov vectors: 20 suffice, as Anderson mixing shows

    # Scattering mesh, in units of the radius r_out of a shell: t = ln ρ + a ρ to ρ = 1, then
    # blocks of doubled step. h/(1 + a) = 1/1050 is the last inner step, for
    # k r_out up to 231: T/I = 100 needs about 200.
    shell_edge: float = 1e-7  # r_out: the last radius where |P| exceeds this part of its maximum
    scatter_first: float = 1e-5  # ρ of the first node; 1e-4 spoils ns shells, whose core is small
    scatter_step: float = 0.02  # h
    scatter_stretch: float = 20.0  # a
    outer_blocks: int = 7  # each doubles the step: reaches ρ = 23, beyond the Latter kink
    outer_steps: int = 64  # steps per block
    phase_step: float = 0.15  # largest k dr at which a wave is matched: doublings err by 5e-6
    wkb_phase: float = 30.0  # k r_out from which the short-wave form is used in the tail
    coulomb_l: int = 64  # highest l matched to Coulomb functions; k r_out < 30 needs about 50.
    # −1: none, every wave by WKB, which then wants two more outer blocks
    tunnel_exponent: float = 60.0  # waves start e^-60 below their value at the turning point
    series_l: int = 5  # below this l waves start at the first node, by their power series
    start_scale: float = 1e-20  # |y| at the start: leaves room for growth by e^600

    kappa_min: float = 0.05  # Q r_out of the first node: below, S Q⁻² is constant to 1e-5
    kappa_max: float = 1200.0  # of the last; 350 loses 1 to 2% of ∫S dQ²
    kappa_nodes: int = 300  # dt/dκ = 1/κ + (1/b)/(1 + (κ/c)²)²: dκ < 4 up to 231, d ln κ < 0.04
    kappa_bend: float = 80.0
    kappa_turn: float = 500.0
    bessel_cut: float = 16.0  # j_L below e^-16 of its size is left out: 1e-14 in S

    # Tables
    table_edge: float = 1e-6  # as shell_edge, for r_out of a table's subshells
    table_blocks: int = 9  # outer_blocks: 170 r_out, where WKB holds at any ε: 7e-6 of a wave
    ratio_classes: tuple[RatioClass, ...] = (RatioClass(10.0, 1), RatioClass(100.0, 2))
    # l' in groups that share a compiled program, each cut where the domain of x = κρ changes
    orders: tuple[tuple[int, ...], ...] = ((0, 24, 76), (76, 191))
    wave_phase: float = 0.22  # largest k dr of Numerov's method: 5e-6 per unit of phase
    unit_energies: int = 40  # columns of the matrix products: a subshell with its energies
    piece_units: int = 24  # done together with one pass over j_L: bounds memory to 2.4 GB
    # Integrals over r: every second node, κ dr < 2.3; every fourth up to ρ = 0.02; smooth passage
    thin_inner: float = 0.02
    thin_passage: float = 0.12  # erfc, in t: e^−13 of j_L(κρ), κ = 1200, is folded back there
    # Beyond the last class, small Q (p_z far above the width) is done by multipoles all the same:
    # it sees the inner part of an orbital, r ~ 1/p_z, and few l′.
    far_phase: float = 220.0  # k r at the end of the window, as the mesh of the last class allows
    far_window: float = 28.0  # P exp(−28 (r/r_end)⁴): half is left at 0.4 r_end
    far_l: int = 60  # highest l′
    far_start: float = 39.0  # p_z r_end where the blend begins; it ends at twice that,
    far_share: float = 0.15  # and p_z/k where it begins at the least
    energy_step: float = 0.06  # of x = ln(1 + ε/eV): 193 nodes to 100 keV
    energy_first_eV: float = 0.02
    energy_last_eV: float = 1e5
    resonance_nodes: float = 5.0  # nodes per unit of sqrt|d² ln(norm)/dx²|: ten across a width
    resonance_radius: float = 2.0  # inside the centrifugal barrier of f waves
    resonance_last_eV: float = 300.0
    resonance_l: int = 4
    energy_slots: int = 288  # energies of a table, padded
    momentum_nodes: int = 128  # even in u = asinh(2 p_z/p0)
    momentum_reach: float = 300.0  # largest −p_z [a.u.]: Q = 2 MeV
    momentum_top: float = 100.0  # largest p_z over the width, unless the light cone is further
    line_n: int = 8  # last n′ of the lines; the rest of each series is added to it
    line_thinning: int = 3  # every third κ serves for the lines,
    line_kappa: float = 400.0  # up to this one


ATOM_NUMERICS = AtomNumerics()
