"""The builder of tables: its nodes, its programs, its derivative; numbers are in test_tables."""

import dataclasses
import gc
import json
import math
import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnu
from jaxnu.atom import build, compile_ahead, energy_nodes, moving_table
from jaxnu.atom.bound import BoundOrbitals
from jaxnu.atom.configuration import SLOTS
from jaxnu.atom.continuum import scattering_mesh
from jaxnu.atom.field import self_consistent_field
from jaxnu.atom.momentum import bessel_onset, bessel_ranges, kappa_mesh
from jaxnu.atom.settings import ATOM_NUMERICS, RatioClass
from jaxnu.atom.tabulate import (
    Ridge,
    Rows,
    by_impulse,
    integral_nodes,
    ridge_momentum,
    ridge_nodes,
)  # fmt: skip
from jaxnu.errors import FitError, InputError
from jaxnu.numerics.spherical_bessel import spherical_bessel_j
from jaxnu.responses.central_field import CentralField

STEP = 1e-3  # of exchange
# a coarse table, for what does not depend on its accuracy
SMALL = dataclasses.replace(
    ATOM_NUMERICS,
    ratio_classes=(RatioClass(10.0, 1), RatioClass(20.0, 2)),
    orders=((0, 41), (41, 61)),
    energy_step=0.25,
    energy_slots=96,
)


def test_kappa_mesh_sums_smooth_functions():
    """Sums over the mesh: ∫ e^{−κ²/2s²} κ dκ = s² to far better than the step."""
    mesh = kappa_mesh()
    for scale in (3.0, 40.0, 200.0):
        total = float(mesh.integral(np.exp(-0.5 * (mesh.r / scale) ** 2) * mesh.r))
        below = 0.5 * ATOM_NUMERICS.kappa_min**2
        print(f"scale {scale}: {total / (scale**2 - below) - 1.0:.1e}")
        assert total == pytest.approx(scale**2, rel=2e-4 if scale < 10 else 1e-6)


@pytest.mark.parametrize("L", [4, 20, 100, 190])
def test_bessel_functions_are_negligible_below_their_onset(L):
    x = np.linspace(1e-3, 1.0, 200) * bessel_onset(L, 16.0)
    j = np.abs(np.asarray(spherical_bessel_j(x, L))[:, L])
    peak = np.abs(np.asarray(spherical_bessel_j(np.linspace(L, L + 30.0, 300), L))[:, L]).max()
    print(f"L = {L}: {j.max() / peak:.1e} of the peak at x = {x[-1]:.3g}")
    assert j.max() < 1e-6 * peak


def test_momentum_mesh_places_its_nodes_evenly():
    """dκ/dt is the slope of the nodes, and polynomials in t are taken at any κ."""
    mesh = kappa_mesh()
    slope = np.gradient(mesh.r, mesh.step, edge_order=2)[1:-1] / np.asarray(mesh.jacobian)[1:-1]
    print(f"slope of the nodes: {np.abs(slope - 1.0).max():.1e}")
    assert np.abs(slope - 1.0).max() < 1e-2
    at = np.sqrt(mesh.r[:-1] * mesh.r[1:])
    found = np.asarray(mesh.interpolate(np.sin(np.log(mesh.r)), at))
    assert np.abs(found - np.sin(np.log(at))).max() < 1e-9
    assert np.diff(mesh.r)[mesh.r[:-1] < 231.0].max() < 4.0


def test_ranges_cover_every_order_once():
    rho = tuple(integral_nodes(ATOM_NUMERICS).rho.tolist())
    ranges = [r for group in ATOM_NUMERICS.orders for r in bessel_ranges(group, rho)]
    orders = [l for r in ranges for l in range(r.l_low, r.l_high + 1)]
    assert sorted(orders) == list(range(ATOM_NUMERICS.orders[-1][-1]))
    lowest = min(ranges)
    assert lowest.first_Q == lowest.first_r == 0


def test_thinned_nodes_integrate_like_all():
    """∫ρ^{3/2} j_L(κρ) sin(Kρ) e^{−16ρ} dρ on the nodes of the tables against all nodes; the last
    node, where an orbital is 1e-6 of its maximum, counts half on both."""
    nodes = integral_nodes(ATOM_NUMERICS)
    mesh = scattering_mesh(np.asarray(1.0)).inner
    rho, every = np.asarray(mesh.r), np.asarray(mesh.weights)
    assert np.array_equal(rho[nodes.index], nodes.rho)

    def integrals(r, weight):
        kappa = np.array([1.0, 30.0, 231.0, 700.0, 1200.0])
        j = np.asarray(spherical_bessel_j(kappa[:, None] * r, 2))[..., 2]
        f = r**1.5 * np.exp(-16.0 * r) * np.sin(np.array([1.0, 60.0, 231.0])[:, None] * r)
        return np.einsum("ar,br,r->ab", j, f, weight)

    thin, full = integrals(nodes.rho, nodes.weight), integrals(rho, every)
    error = np.abs(thin - full).max() / np.abs(full).max()
    print(f"{nodes.rho.size} of {rho.size} nodes: {error:.1e} of the largest")
    assert error < 1e-8


@pytest.mark.parametrize("part", ATOM_NUMERICS.ratio_classes, ids=lambda part: f"T/I{part.ratio:g}")
def test_mesh_resolves_momentum_and_wave(part):
    """Q_max dr < π and k dr < 0.25 at the shell's edge, where r_out sqrt(2I) < 20."""
    k = 20.0 * math.sqrt(part.ratio - 1.0)
    assert ATOM_NUMERICS.kappa_max * np.diff(integral_nodes(ATOM_NUMERICS).rho)[-1] < 2.4
    assert k * np.diff(np.asarray(scattering_mesh(np.asarray(1.0)).inner.r))[-1] < 0.25
    l_max = ATOM_NUMERICS.orders[part.groups - 1][-1] - 1
    assert l_max >= 17.0 * math.sqrt(part.ratio) + 20.0 - 1.0


def test_energies_follow_a_resonance():
    x = np.linspace(np.log1p(0.02), np.log1p(300.0), 600)
    width = 0.1
    # ln of a Lorentzian of this width in x
    bend = np.gradient(np.gradient(-np.log1p(((x - 1.0) / (0.5 * width)) ** 2), x), x)
    density = ATOM_NUMERICS.resonance_nodes * np.sqrt(np.abs(bend))
    energy = energy_nodes.nodes_of_density(x, density, ATOM_NUMERICS)
    nodes = np.log1p(energy * 27.211386)
    inside = int(np.sum(np.abs(nodes - 1.0) < 0.5 * width))
    print(f"{energy.size} energies, {inside} within the half width")
    assert inside >= 8
    assert np.all(np.diff(nodes) > 0) and np.diff(nodes).max() < 1.01 * ATOM_NUMERICS.energy_step
    assert energy.size >= 193
    with pytest.raises(FitError, match="room for"):
        energy_nodes.nodes_of_density(x, 50.0 * density, ATOM_NUMERICS)


def test_ridge_nodes_reach_the_light_cone_and_large_momenta():
    p_z = ridge_nodes(np.array([0.5, 30.0]), np.array([20.0, 0.4]), ATOM_NUMERICS)
    assert p_z[0, -1] == pytest.approx(137.036, rel=1e-5)
    assert p_z[1, -1] == pytest.approx(3000.0, rel=1e-5)
    T = 5.0
    Q = np.asarray(ridge_momentum(p_z, T))
    assert np.allclose(T / Q - 0.5 * Q, p_z, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("bad", [{"element": "Xx"}, {"element": "He", "exchange": 0.4}])
def test_what_is_wrong_is_said_before_anything_is_compiled(bad, monkeypatch):
    monkeypatch.setattr(build, "compiled_ahead", lambda knobs: pytest.fail("compiled first"))
    with pytest.raises(InputError):
        build.build_table(**bad)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled, monkeypatch):
    before = gc.isenabled()
    monkeypatch.setattr(compile_ahead, "_compile", lambda knobs: None)
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(FitError), compile_ahead.compiled_ahead(SMALL):
            assert not gc.isenabled()
            raise FitError("the field did not converge")
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_an_error_of_the_compilation_is_raised(monkeypatch):
    monkeypatch.setattr(compile_ahead, "_compile", lambda knobs: 1 / 0)
    with pytest.raises(ZeroDivisionError), compile_ahead.compiled_ahead(SMALL):
        pass


def test_exchange_under_jit_is_refused():
    with pytest.raises(InputError, match="exchange = one traced by jit"):
        jax.jit(lambda x: jaxnu.response("He", "central-field", exchange=x).thresholds_keV)(1.0)


@pytest.mark.slow
def test_a_second_element_uses_the_same_programs_and_they_are_few():
    """Counts XLA compilations in a process of its own."""
    script = """
import json, logging, re
import jax
names = []
class Record(logging.Handler):
    def emit(self, record):
        found = re.search(r"XLA compilation of jit\\((.*?)\\) in", record.getMessage())
        if found:
            names.append(found[1])
jax.config.update("jax_log_compiles", True)
logger = logging.getLogger("jax")
logger.addHandler(Record())
logger.propagate = False
from jaxnu.atom.build import build_table
build_table("He")
first = list(names)
names.clear()
build_table("Ne")
print(json.dumps([first, names]))
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    first, second = json.loads(done.stdout.splitlines()[-1])
    trivial = {"true_divide", "dynamic_slice", "_reduce_all", "_joined", "convert_element_type"}
    programs = [name for name in first if name not in trivial]
    print(f"{len(programs)} programs: {', '.join(programs)}; second element: {second}")
    assert len(programs) <= 11
    assert set(second) <= trivial


@pytest.fixture(scope="module")
def slope():
    return moving_table.table_and_slope("Ne", 1.0, SMALL)[1]


@pytest.fixture(scope="module")
def rebuilt():
    """Tables of neon on the nodes of exchange = 1: {exchange: table}."""
    plan = build.plan_table(self_consistent_field("Ne"), SMALL)

    def table(x):
        field = self_consistent_field("Ne", exchange=x)
        found = build.compute(field, plan, SMALL)
        closure = build.series_closure(found.final_level, SMALL)
        return build.assemble(field, plan, found, closure, x, SMALL)

    return {x: table(x) for x in (1.0 - STEP, 1.0 - STEP / 2, 1.0 + STEP / 2, 1.0 + STEP)}


def extrapolated(rebuilt, f):
    """df/d(exchange) by central differences of f(table), free of the error of order STEP²."""
    value = {x: np.asarray(f(table)) for x, table in rebuilt.items()}
    wide = (value[1.0 + STEP] - value[1.0 - STEP]) / (2.0 * STEP)
    narrow = (value[1.0 + STEP / 2] - value[1.0 - STEP / 2]) / STEP
    return (4.0 * narrow - wide) / 3.0


@pytest.mark.slow
def test_derivative_in_exchange_equals_differences(slope, rebuilt):
    """d/d(exchange) of thresholds, S, R and lines, against rebuilt tables at the same nodes."""
    for i, shell in enumerate(slope.shells):
        for name, of in (
            ("threshold", lambda shell: shell.threshold_keV),
            ("S", lambda shell: shell.S),
            ("R", lambda shell: shell.R),
            ("T of lines", lambda shell: shell.lines.T_keV),
            ("S of lines", lambda shell: shell.lines.S),
            ("R of lines", lambda shell: shell.lines.R),
            ("closure", lambda shell: shell.lines.closure),
        ):
            expected = extrapolated(rebuilt, lambda table: of(table.shells[i]))  # noqa: B023
            size = np.abs(expected).max(axis=-1, keepdims=True)
            error = np.max(np.abs(of(shell) - expected) / np.where(size > 0.0, size, 1.0))
            print(f"Ne {shell.label} d {name}/d exchange: worst {error:.1e} of the row's largest")
            assert error < 1e-4


DETECTOR = """
title = "Neon at a reactor"
source = { kind = "reactor", power = "3 GW", distance = "14 m", nu_per_fission = "texono" }
target = { element = "Ne", exposure = "300 kg d" }
background = { rate = "1 / (keV kg d)", includes_efficiency = false }
reference = { citation = "none" }
[detector]
resolution = { constant = "20 eV" }
efficiency = { threshold = "60 eV", width = "20 eV", plateau = 0.9 }
[data]
kind = "counts"
bin_edges = { unit = "keV", values = [0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.5, 2.5] }
[statistics]
background_norm = "constrained"
background_uncertainty = 0.05
"""


@pytest.mark.parametrize(
    "thresholds",
    [
        pytest.param("measured", marks=pytest.mark.slow),
        pytest.param("model", marks=pytest.mark.long),
    ],
)
def test_a_limit_moves_with_exchange(thresholds, rebuilt, tmp_path, monkeypatch):
    """d ln(limit)/d(exchange) through the field, against limits with rebuilt tables."""
    path = tmp_path / "neon.toml"
    path.write_text(DETECTOR)
    experiment = jaxnu.load_experiment(str(path))
    coarse = partial(moving_table.table_and_slope, knobs=SMALL)
    monkeypatch.setattr(moving_table, "table_and_slope", coarse)

    def log_limit(atom):
        return jnp.log(jaxnu.sensitivity(experiment, atom).limit_mu_B)

    def moving(x):
        options = {"source": "compute", "thresholds": thresholds}
        return log_limit(jaxnu.response("Ne", "central-field", exchange=x, **options))

    got = float(jax.grad(moving)(1.0))
    expected = extrapolated(
        rebuilt, lambda table: log_limit(CentralField.from_table(table, thresholds))
    )
    print(f"d ln(limit)/d exchange, {thresholds} thresholds: {got:.8f}, {expected:.8f}")
    assert abs(got) > 1e-4 and abs(got - expected) < 1e-5 * max(1.0, abs(expected))


def test_impulse_form_with_its_residual_follows_the_closed_form():
    """1s of hydrogen: rows to T/I = 100 from the closed form, by_impulse above. On the ridge, in
    both integrals of S, and R on the light cone to T/I = 400; the bare form is worse."""
    knobs, I = ATOM_NUMERICS, 0.5
    energy = np.geomspace(20.0, 1000.0, knobs.energy_slots)
    before, last = np.searchsorted(energy, [49.0 * I, 99.0 * I]) - 1
    T = energy[:, None] + I
    width = 3.0 * np.pi / 16.0
    p_z = np.broadcast_to(ridge_nodes(np.array([width]), np.array([20.0]), knobs), (SLOTS, 128))
    Q = np.asarray(ridge_momentum(p_z[:1], T))
    ion, E_h = jaxnu.response("H", "hydrogenic"), build.HARTREE_keV
    S = np.asarray(ion.longitudinal(T * E_h, Q * build.ATOMIC_MOMENTUM_keV)) * E_h
    R = np.asarray(ion.transverse(T * E_h, Q * build.ATOMIC_MOMENTUM_keV)) * E_h
    R = R / build.FINE_STRUCTURE**2
    known = (np.arange(energy.size) <= last)[:, None]
    rows = Rows(*(np.repeat(np.where(known, each, 0.0)[None], SLOTS, axis=0) for each in (S, R)))
    J = 8.0 / (3.0 * np.pi) / (1.0 + p_z**2) ** 3
    K = 2.0 / (3.0 * np.pi) / (1.0 + p_z**2) ** 2
    one = np.ones(SLOTS, int)
    bound = BoundOrbitals(one, 0 * one, np.full(SLOTS, -I), np.zeros((SLOTS, 2)), one > 0)
    ridge = Ridge(np.full(SLOTS, width), p_z, J, K)
    carried = np.full((SLOTS, energy.size), np.inf)  # nowhere the multipoles of an inner part
    slots = np.full(SLOTS, before), np.full(SLOTS, last)
    made = jax.jit(by_impulse)(rows, carried, energy, *slots, bound, ridge)
    made_S, made_R = np.asarray(made.S[0]), np.asarray(made.R[0])
    peak = S.max(axis=1, keepdims=True)
    above = ~known[:, 0]
    error = (np.abs(made_S - S) / peak)[above].max()
    bare = (np.abs(J[0] / Q - S) / peak)[last + 1]
    integrals = [
        np.abs(np.trapezoid(f * (made_S - S), Q, axis=1) / np.trapezoid(f * S, Q, axis=1))[above]
        for f in (1.0 / Q, Q)
    ]
    light = np.argmin(np.abs(p_z[0] - 137.036))
    cone = (made_R / R)[above & (T[:, 0] < 400.0 * I), light]
    print(f"of the ridge {error:.1e} (bare {bare.max():.1e})")
    print(f"integrals {np.max(integrals):.1e}, light cone {cone.min():.3f} to {cone.max():.3f}")
    assert error < 5e-5 < bare.max()
    assert np.max(integrals) < 1e-6
    assert cone.min() > 0.97 and cone.max() < 1.03
