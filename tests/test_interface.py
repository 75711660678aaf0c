"""The public surface: transformations, recompilation, names, imports, environment."""

import ast
import dataclasses
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from functools import partial
from importlib import import_module, metadata
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnu
from jaxnu import _guards, flux

ROOT = Path(jaxnu.__file__).parent

# ---- every public function under eager, jit, vmap, grad ------------------------------------------


EXPERIMENT = jaxnu.load_experiment("xenonnt-sr0")  # a file is read outside of jit


def xenonnt(exposure):
    parameters = dataclasses.replace(EXPERIMENT.parameters, exposure_kg_day=exposure)
    return EXPERIMENT.replace(parameters=parameters)


def hydrogenic():
    return jaxnu.response("Ge", "hydrogenic")


TABLE_keV = [0.0, 100.0, 400.0]
T_keV = [14.5, 20.0]
EXPOSURE = [4.2e5, 3.9e5]
SCALE = [1.0, 0.7]
STEPPING = jaxnu.response("Xe", "stepping")
# a scalar function of one number, and two numbers
CASES = {
    "response": (
        lambda x: jnp.sum(jaxnu.response("Ge", "hydrogenic", electrons=x).transverse(20.0, 9.0)),
        [1.0, 2.0],
    ),
    "cross_section": (lambda T: 1e45 * jaxnu.cross_section(T, 300.0, hydrogenic()), T_keV),
    "cross_section_lines": (
        lambda E: 1e45 * jnp.sum(jaxnu.cross_section_lines(E, hydrogenic())[1]),
        [100.0, 300.0],
    ),
    "effective_charge": (lambda T: sum(jaxnu.effective_charge(T, hydrogenic())), T_keV),
    "rate": (
        lambda T: jaxnu.rate(T, flux.tabulated(TABLE_keV, [0.0, 1e9, 0.0]), hydrogenic()),
        T_keV,
    ),
    "weak_with_charges": (
        lambda x: (
            1e45
            * jaxnu.weak_with_charges(
                lambda name: jaxnu.cross_section(20.0, 300.0, hydrogenic(), channel=name),
                x * 1e-32,
                1e-13,
            )
        ),
        [1.0, 2.0],
    ),
    "nuclear_cross_section": (
        lambda T: 1e45 * jaxnu.nuclear_cross_section(T, 3000.0, "Ge"),
        [0.05, 0.1],
    ),
    "nuclear_rate": (
        lambda T: jaxnu.nuclear_rate(T, flux.reactor(3.0, 20.0), "Ge"),
        [0.05, 0.1],
    ),
    "expected_counts": (
        lambda x: jnp.sum(
            jaxnu.expected_counts(xenonnt(x), 1e-22, jaxnu.response("Xe", "stepping"))
        ),
        EXPOSURE,
    ),
    "limit": (lambda x: 1e11 * jaxnu.limit(xenonnt(x), STEPPING).limit_mu_B, EXPOSURE),
    "sensitivity": (lambda x: 1e11 * jaxnu.sensitivity(xenonnt(x), STEPPING).limit_mu_B, EXPOSURE),
    "flux.reactor": (lambda x: flux.reactor(3.0 * x, 13.9).total(), SCALE),
    "flux.reactor_components": (
        lambda x: flux.reactor_components([3.0 * x, 2.0], [13.9, 20.0])["235U"].total(),
        SCALE,
    ),
    "flux.reactor_model_spread": (
        lambda x: flux.reactor_model_spread(3.0 * x, 13.9).total(),
        SCALE,
    ),
    "flux.difference": (
        lambda x: flux.difference(flux.reactor(3.0, 13.9), flux.reactor(3.0 * x, 20.0)).total(),
        SCALE,
    ),
    "flux.vary_survival": (
        lambda x: flux.vary_survival(flux.solar(), x).electron_fraction(862.0),
        SCALE,
    ),
    "flux.mean_inverse_square": (
        lambda x: 1e6 * flux.mean_inverse_square(flux.Cylinder(1.0, 2.0, 3.0 * x)),
        SCALE,
    ),
    "flux.chromium51": (
        lambda x: flux.chromium51(x, flux.Sphere(1.0, 2.0), run_d=10.0 * x).total(),
        SCALE,
    ),
    "flux.tritium": (lambda x: flux.tritium(x, flux.Point(1.0 + x)).total(), SCALE),
    "flux.tritium_activity_PBq": (lambda x: flux.tritium_activity_PBq(x), SCALE),
    "flux.solar": (lambda x: flux.solar(scale=x).total(), SCALE),
    "flux.line": (lambda x: flux.line(747.0, 1e9 * x).total(), SCALE),
    "flux.tabulated": (
        lambda x: flux.tabulated(TABLE_keV, jnp.array([0.0, 1e9, 0.0]) * x).total(),
        SCALE,
    ),
}
HOST_ONLY = {
    "load_experiment": "reads a file",
    "electron_cloud": "solves for an atom on the host, once",
    "enable_compilation_cache": "sets a folder",
    "convergence": "returns a plain float about a finished limit",
    "fit_parameters": "searches for several minima on the host",
    "moment_limits": "decides on the host which source has oscillated",
    "flux.read_csv": "reads a file",
    "flux.solar_survival": "cuts panels on the host",
    "flux.solar_components": "has no number among its arguments",
}


def test_every_public_function_is_in_the_table():
    names = [n for n in jaxnu.__all__ if inspect.isfunction(getattr(jaxnu, n))]
    names += [f"flux.{n}" for n in flux.__all__ if inspect.isfunction(getattr(flux, n))]
    assert sorted(names) == sorted([*CASES, *HOST_ONLY])


@pytest.fixture(scope="module")
def compilations():
    """A list that grows by one entry with each compilation."""
    seen = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **__: seen.append(event) if "backend_compile" in event else None
    )
    jax.jit(lambda x: x * 3.25 + 1.5)(2.0)
    assert seen, "the counter does not count"
    return seen


LIMITS = ("limit", "sensitivity")  # their programs take 20 s to compile


@pytest.mark.parametrize("name", [n for n in CASES if n != "sensitivity"])
def test_eager_and_vmap_without_compiling_again(name, compilations, agree):
    f, numbers = CASES[name]
    first = float(f(numbers[0]))
    before = len(compilations)
    second = float(f(numbers[1]))
    assert len(compilations) == before, "a second call with other numbers compiles again"
    values = jax.jit(jax.vmap(f))(jnp.array(numbers))
    agree(f"{name}: jit of vmap against eager", values, [first, second], 1e-11)


def check_jit_and_gradient(name, agree):
    f, numbers = CASES[name]
    value, gradient = jax.jit(jax.value_and_grad(f))(numbers[1])
    agree(f"{name}: jit against eager", value, float(f(numbers[1])), 1e-11)
    assert np.isfinite(float(gradient)) and float(gradient) != 0.0


@pytest.mark.parametrize("name", [n for n in CASES if n not in LIMITS])
def test_jit_and_gradient(name, agree):
    check_jit_and_gradient(name, agree)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITS)
def test_jit_and_gradient_of_a_limit(name, agree):
    """Derivatives of limits are held in tests/inference; here, that they survive jit."""
    check_jit_and_gradient(name, agree)


@pytest.mark.slow
def test_convergence_of_a_limit():
    change = jaxnu.convergence(jaxnu.limit(EXPERIMENT, STEPPING), EXPERIMENT, STEPPING)
    print(f"XENONnT, nodes doubled: the limit changes by {change:.1e}")
    assert change < 1e-3


def test_compilation_cache_folder(monkeypatch, tmp_path):
    """Where the user says; jax's settings are put back."""
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.setenv("JAXNU_CACHE_DIR", str(tmp_path))
    try:
        assert jaxnu.enable_compilation_cache() == tmp_path / "compiled"
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "compiled")
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


# ---- names and imports ---------------------------------------------------------------------------


def packages():
    yield jaxnu
    for found in pkgutil.walk_packages(jaxnu.__path__, "jaxnu."):
        if found.ispkg and not found.name.startswith(("jaxnu.data", "jaxnu.experiments.catalogue")):
            yield import_module(found.name)


def test_no_public_function_shares_a_name_with_a_module():
    for package in packages():
        modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
        public = {n for n in vars(package) if inspect.isfunction(getattr(package, n))}
        public |= {
            n for n in getattr(package, "__all__", ()) if inspect.isfunction(getattr(package, n))
        }
        assert not modules & public, package.__name__


# lower layers first; a module imports from layers below and from its own folder
LAYERS = (
    {"_version", "_guards", "constants", "errors", "settings", "checks", "precision", "units",
     "elements", "files"},
    {"numerics"},
    {"atom"},
    {"responses", "flux", "detector", "mixing"},
    {"cross_sections"},
    {"rates", "nuclear_rates", "atom_summary"},
    {"experiments", "examination"},
    {"smearing"},
    {"nuclear_counts"},
    {"counts", "flux_summary"},
    {"inference"},
    {"costs", "atomic_limits", "experiment_page"},
    {"design"},
    {"plot"},
    {"plot_outlook"},
    {"plot_examination"},
    {"commands"},
    {"cli"},
)  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imported(path):
    """Modules of jaxnu that a file imports, by their first name, function bodies included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.split(".")[0] == "jaxnu"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            if node.module == "jaxnu":
                found |= {f"jaxnu.{a.name}" for a in node.names}
            elif node.module and node.module.startswith("jaxnu."):
                found.add(node.module)
    return {name.split(".")[1] if "." in name else "jaxnu" for name in found}


def own_name(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_module_has_a_layer():
    assert {own_name(path) for path in modules()} <= set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path):
    own = own_name(path)
    level = LEVEL[own]
    for name in imported(path) - {own}:
        if own == "commands" and name not in LEVEL:
            continue  # the command line uses the public names
        assert name in LEVEL, f"{own} imports jaxnu.{name}: import from the module that defines it"
        below = LEVEL[name] < level
        assert below or level == LEVEL[name] == 0, f"{own} (layer {level}) imports {name}"
        assert name != "plot" or own in ("commands", "plot_examination", "plot_outlook")


# modules of inference that know nothing of atoms: arrays in, results out; lower ones first
STATISTICS = ("settings", "asymptotics", "model", "measurements", "pseudodata", "descent",
              "maximum_likelihood", "crossing", "counting", "notes", "bayes", "nuts", "toys",
              "methods", "exchange", "intervals")  # fmt: skip


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_know_nothing_of_atoms(name):
    path = ROOT / "inference" / f"{name}.py"
    assert imported(path) <= LAYERS[0] | LAYERS[1] | {"inference"}, name
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    own = {m.rsplit(".", 1)[1] for m in own if m.startswith("jaxnu.inference.")}
    assert own <= set(STATISTICS[: STATISTICS.index(name)]), f"{name} imports {own}"


def test_the_lowest_layer_has_no_circle():
    graph = {own_name(p): imported(p) - {own_name(p)} for p in modules() if LEVEL[own_name(p)] == 0}
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"circle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


def test_public_names_resolve():
    for name in jaxnu.__all__:
        assert getattr(jaxnu, name) is not None
    assert set(jaxnu.__all__) <= set(dir(jaxnu))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jaxnu.nothing


# ---- the environment -----------------------------------------------------------------------------


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT.parent), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_import_does_not_load_jax():
    done = python("import sys, jaxnu; print('jax' in sys.modules, jaxnu.__version__)")
    assert done.stdout.split() == ["False", jaxnu.__version__], done.stderr


def with_versions(monkeypatch, **versions):
    def version(distribution):
        if distribution in versions:
            return versions[distribution]
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize("broken", ["0.10.2", "0.11.0"])
def test_a_broken_jaxlib_is_refused_with_the_remedy(monkeypatch, broken):
    with_versions(monkeypatch, jaxlib=broken)
    with pytest.raises(ImportError, match=f"jaxlib {broken} .*remedy: pip install") as refusal:
        _guards.refuse_broken_environment()
    assert len(str(refusal.value).splitlines()) == 1


def test_a_clashing_distribution_is_refused_with_the_remedy(monkeypatch):
    with_versions(monkeypatch, jaxlib="0.10.1", jaxnu="1.0")
    with pytest.raises(ImportError, match="remedy: pip uninstall jaxnu") as refusal:
        _guards.refuse_broken_environment()
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("good", ["0.10.1", "0.10.3", "0.11.2"])
def test_other_jaxlibs_pass(monkeypatch, good):
    with_versions(monkeypatch, jaxlib=good)
    _guards.refuse_broken_environment()


def test_this_jaxlib_reduces_products_right():
    """What jaxlib 0.10.2 gets wrong: a mapped matrix–vector product, squared and summed."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(-9, 10, (8, 8))
    rows = rng.integers(-9, 10, (16385, 8))
    exact = np.sum((rows @ matrix.T) ** 2, axis=-1)  # whole numbers

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 3})
    def squares(matrix, rows):
        return jax.vmap(lambda row: jnp.sum((matrix @ row) ** 2))(rows)

    got = squares(jnp.asarray(matrix, float), jnp.asarray(rows, float))
    assert got.dtype == jnp.float64
    np.testing.assert_array_equal(got, exact)
    assert float(jnp.sum(got)) == exact.sum()


def test_functions_refuse_to_run_in_32_bits():
    code = """
import json, jaxnu
calls = {
    "response": lambda: jaxnu.response("Xe"),
    "cross_section": lambda: jaxnu.cross_section(1.0, 100.0, None),
    "cross_section_lines": lambda: jaxnu.cross_section_lines(100.0, None),
    "effective_charge": lambda: jaxnu.effective_charge(1.0, None),
    "nuclear_cross_section": lambda: jaxnu.nuclear_cross_section(0.1, 1000.0, "Ge"),
    "nuclear_rate": lambda: jaxnu.nuclear_rate(0.1, None, "Ge"),
    "electron_cloud": lambda: jaxnu.electron_cloud("He"),
    "pmns_matrix": lambda: jaxnu.mixing.pmns_matrix(0.6, 0.1, 0.8),
    "rate": lambda: jaxnu.rate(1.0, None, None),
    "expected_counts": lambda: jaxnu.expected_counts(None, 1e-22, None),
    "load_experiment": lambda: jaxnu.load_experiment("xenonnt-sr0"),
    "limit": lambda: jaxnu.limit(None),
    "sensitivity": lambda: jaxnu.sensitivity(None),
    "reactor": lambda: jaxnu.flux.reactor(3.0, 13.9),
    "reactor_components": lambda: jaxnu.flux.reactor_components(3.0, 13.9),
    "reactor_model_spread": lambda: jaxnu.flux.reactor_model_spread(3.0, 13.9),
    "difference": lambda: jaxnu.flux.difference(None, None),
    "read_csv": lambda: jaxnu.flux.read_csv("none.csv"),
    "chromium51": lambda: jaxnu.flux.chromium51(1.0, None),
    "tritium": lambda: jaxnu.flux.tritium(1.0, None),
    "tritium_activity_PBq": lambda: jaxnu.flux.tritium_activity_PBq(1.0),
    "mean_inverse_square": lambda: jaxnu.flux.mean_inverse_square(None),
    "solar_components": lambda: jaxnu.flux.solar_components(),
    "solar_survival": lambda: jaxnu.flux.solar_survival(None),
    "vary_survival": lambda: jaxnu.flux.vary_survival(None, 1.0),
    "solar": lambda: jaxnu.flux.solar(),
    "line": lambda: jaxnu.flux.line(747.0, 1e9),
    "tabulated": lambda: jaxnu.flux.tabulated([0.0, 1.0], [1.0, 1.0]),
}
told = {}
for name, call in calls.items():
    try:
        call()
        told[name] = "nothing"
    except jaxnu.InputError as error:
        told[name] = str(error)
print(json.dumps(told))
"""
    done = python(code, JAXNU_ENABLE_X64="0", JAX_ENABLE_X64="0")
    assert done.returncode == 0, done.stderr
    for name, message in json.loads(done.stdout).items():
        print(f"{name}: {message}")
        assert "needs 64-bit floats" in message and "remedy: unset JAXNU_ENABLE_X64" in message
        assert len(message.splitlines()) == 1
