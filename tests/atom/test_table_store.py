"""Where the table of an atom comes from: shipped, cached, computed; nothing stale, nothing half."""

import dataclasses
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import jaxnu
from jaxnu.atom import table_store
from jaxnu.atom.settings import AtomNumerics
from jaxnu.atom.table import AtomTable, ShellTable
from jaxnu.atom.table_files import read_table, write_table
from jaxnu.atom.table_store import atom_table
from jaxnu.constants import ATOMIC_MOMENTUM_keV, ELECTRON_MASS_keV
from jaxnu.errors import CacheWarning, InputError

ROOT = Path(jaxnu.__file__).parent.parent
CHARGES = {"H": 1, "He": 2}


def hydrogen_like(symbol, exchange=1.0):
    """1s electrons of a bare nucleus; the provenance tells how it was asked for."""
    Z = CHARGES[symbol]
    model = jaxnu.response(symbol, "hydrogenic")
    p0 = Z * ATOMIC_MOMENTUM_keV
    threshold = p0**2 / (2.0 * ELECTRON_MASS_keV)
    kinetic = 1e-3 * np.expm1(np.linspace(0.0, 11.0, 24))
    Q = np.geomspace(0.05, 50.0, 24)
    T = (kinetic + threshold)[:, None]
    S, R = Z * np.asarray(model.longitudinal(T, Q)), Z * np.asarray(model.transverse(T, Q))
    shell = ShellTable("1s", float(Z), threshold, p0, kinetic, "Q", Q, S, R)
    return AtomTable(symbol, Z, (shell,), {"exchange": exchange})


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of cached tables, empty."""
    monkeypatch.setenv("JAXNU_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "atoms"


@pytest.fixture
def builds(monkeypatch):
    """In place of the solver: a closed form that counts its calls."""
    calls = []

    def build_table(symbol, exchange=1.0, progress=None):
        calls.append((symbol, exchange))
        if progress is not None:
            progress(1, 1, f"table of {symbol}")
        return hydrogen_like(symbol, exchange)

    module = types.ModuleType("jaxnu.atom.build")
    module.build_table = build_table
    monkeypatch.setitem(sys.modules, "jaxnu.atom.build", module)
    monkeypatch.setattr(table_store, "SHIPPED", ())
    return calls


@pytest.fixture(autouse=True)
def no_unexpected_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", CacheWarning)
        yield


def same(a, b):
    x, y = a.shells[0], b.shells[0]
    return a.provenance == b.provenance and np.array_equal(x.S, y.S) and np.array_equal(x.R, y.R)


# ---- computed once -------------------------------------------------------------------------------


def test_computed_once_then_read(cache, builds):
    """Both sources; the first result agrees with the later ones to the last bit."""
    first = atom_table("H")
    assert builds == [("H", 1.0)] and len(list(cache.iterdir())) == 1
    for again in (atom_table("H"), atom_table(1), atom_table("H", source="compute")):
        assert same(first, again)
    assert builds == [("H", 1.0)]


def test_each_exchange_and_element_has_its_own_file(cache, builds):
    told = [
        atom_table(symbol, exchange=x).provenance["exchange"]
        for symbol, x in (("H", 1.0), ("H", 0.9), ("He", 1.0), ("H", 0.9))
    ]
    assert told == [1.0, 0.9, 1.0, 0.9] and len(builds) == 3
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize(
    "name, value",
    [
        ("__version__", "0.0.0"),
        ("FORMAT_VERSION", 0),
        ("ATOM_NUMERICS", AtomNumerics(mesh_points=2048)),
        ("_code_hash", lambda: "other code"),
    ],
)
def test_a_stale_file_is_never_used(cache, builds, monkeypatch, name, value):
    """Other version, format, settings or code: computed again, the old file left alone."""
    atom_table("H")
    monkeypatch.setattr(table_store, name, value)
    atom_table("H")
    assert len(builds) == 2 and len(list(cache.iterdir())) == 2


def test_the_code_hash_is_of_the_solver(monkeypatch, tmp_path):
    """Any change of a source in atom/, numerics/ or the constants moves it; table files do not."""
    for folder in ("atom", "numerics"):
        (tmp_path / folder).mkdir()
    files = ["atom/field.py", "numerics/roots.py", "constants.py", "atom/table_text.py"]
    for name in files:
        (tmp_path / name).write_text("a = 1\n")
    monkeypatch.setattr(table_store, "_PACKAGE", tmp_path)
    code_hash = table_store._code_hash.__wrapped__
    seen = [code_hash()]
    for name in files:
        (tmp_path / name).write_text("a = 2\n")
        seen.append(code_hash())
    assert len(set(seen)) == 4 and seen[-1] == seen[-2]


def test_progress_is_passed_on(cache, builds):
    told = []
    atom_table("H", progress=lambda *words: told.append(words))
    assert told == [(1, 1, "table of H")]
    atom_table("H", progress=lambda *words: told.append(words))
    assert len(told) == 1


# ---- shipped -------------------------------------------------------------------------------------


@pytest.fixture
def shipped(builds, monkeypatch, tmp_path):
    folder = tmp_path / "package"
    folder.mkdir()
    table = dataclasses.replace(hydrogen_like("H"), provenance={"shipped": True})
    write_table(table, folder / "H.npz")
    monkeypatch.setattr(table_store, "_SHIPPED_FOLDER", folder)
    monkeypatch.setattr(table_store, "SHIPPED", table_store._shipped_symbols(folder))
    return folder


def test_a_shipped_table_is_read_and_nothing_written(cache, builds, shipped):
    assert table_store.SHIPPED == ("H",)
    assert atom_table("H").provenance == {"shipped": True}
    assert builds == [] and not cache.exists()


def test_compute_and_another_exchange_never_use_the_shipped_table(cache, builds, shipped):
    assert atom_table("H", source="compute").provenance == {"exchange": 1.0}
    assert atom_table("H", exchange=1.1).provenance == {"exchange": 1.1}
    assert atom_table("H").provenance == {"shipped": True}
    assert len(builds) == 2


def test_a_damaged_shipped_table_is_refused(cache, builds, shipped):
    """Not computed again: an installation that is broken must be seen."""
    path = shipped / "H.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"H\.npz.*cut short"):
        atom_table("H")
    assert builds == []


def test_every_shipped_table_is_whole():
    symbols = table_store._shipped_symbols(ROOT / "jaxnu" / "data" / "atoms")
    print(f"shipped: {symbols or 'none'}")
    assert symbols == table_store.SHIPPED
    for symbol in symbols:
        table = read_table(ROOT / "jaxnu" / "data" / "atoms" / f"{symbol}.npz")
        assert table.symbol == symbol and "partial" not in table.provenance


# ---- a cache that is damaged or closed -----------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(bytes(content))


def empty(path):
    path.write_bytes(b"")


def other_atom(path):
    write_table(hydrogen_like("He"), path)


@pytest.mark.parametrize("damage", [cut, flip, empty, other_atom])
def test_a_damaged_file_is_found_said_and_replaced(cache, builds, damage):
    first = atom_table("H")
    (path,) = cache.iterdir()
    damage(path)
    with pytest.warns(CacheWarning, match="cached table of H cannot be used") as told:
        assert same(atom_table("H"), first)
    assert len(told) == 1 and len(str(told[0].message).splitlines()) == 1
    print(told[0].message)
    assert told[0].filename == __file__
    assert len(builds) == 2
    assert same(atom_table("H"), first) and len(builds) == 2
    assert list(cache.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_costs_no_result(cache, builds):
    cache.parent.write_text("a file where the folder should be")
    with pytest.warns(CacheWarning, match="set JAXNU_CACHE_DIR") as told:
        table = atom_table("H")
    assert len(told) == 1 and len(str(told[0].message).splitlines()) == 1
    print(told[0].message)
    assert table.symbol == "H" and told[0].filename == __file__


def test_a_folder_in_place_of_the_file(cache, builds):
    atom_table("H")
    (path,) = cache.iterdir()
    path.unlink()
    path.mkdir()
    with pytest.warns(CacheWarning) as told:
        assert atom_table("H").symbol == "H"
    assert len(told) == 2  # cannot be read, cannot be replaced
    assert list(cache.iterdir()) == [path]


def test_no_home_folder(builds, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(table_store, "cache_folder", no_home)
    with pytest.warns(CacheWarning, match="no home folder"):
        assert atom_table("H").symbol == "H"


# ---- builds that fail, are killed, or run at once ------------------------------------------------


def test_a_build_that_fails_leaves_nothing(cache, builds, monkeypatch):
    def failing(symbol, exchange=1.0, progress=None):
        raise FloatingPointError("the field did not converge")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["jaxnu.atom.build"], "build_table", failing)
        with pytest.raises(FloatingPointError):
            atom_table("H")
    assert not cache.exists()
    assert atom_table("H").symbol == "H"


def test_a_computed_table_that_breaks_the_f_sum_is_not_kept(cache, builds, monkeypatch):
    def wrong(symbol, exchange=1.0, progress=None):
        table = hydrogen_like(symbol)
        shell = dataclasses.replace(table.shells[0], S=27.2 * table.shells[0].S)
        return dataclasses.replace(table, shells=(shell,))

    monkeypatch.setattr(sys.modules["jaxnu.atom.build"], "build_table", wrong)
    with pytest.raises(InputError, match=r"computed table of H.*f-sum"):
        atom_table("H")
    assert not cache.exists()


SLOW_BUILD = """
import sys, time, types
sys.path.insert(0, {tests!r})
from test_table_store import hydrogen_like
from jaxnu.atom import table_store

def build_table(symbol, exchange=1.0, progress=None):
    print("building", flush=True)
    sys.stdin.readline()
    return hydrogen_like(symbol, exchange)

module = types.ModuleType("jaxnu.atom.build")
module.build_table = build_table
sys.modules["jaxnu.atom.build"] = module
table_store.SHIPPED = ()
print(table_store.atom_table("H").symbol, flush=True)
"""


def start(cache):
    """A process in the middle of a build, which goes on when it is sent a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_BUILD.format(tests=str(Path(__file__).parent))],
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAXNU_CACHE_DIR": str(cache.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "building\n"
    return process


def test_a_killed_build_leaves_nothing_and_starts_again(cache, builds):
    process = start(cache)
    process.kill()
    process.communicate()
    assert list(cache.parent.rglob("*.npz")) == []
    assert atom_table("H").symbol == "H" and len(builds) == 1
    assert len(list(cache.iterdir())) == 1


HALF_WRITTEN = """
from jaxnu.atom import table_files

def write_half(file, header, arrays):
    file.write(b"PK half a table")
    file.flush()
    print("writing", flush=True)
    sys.stdin.readline()

table_files.write_npz = write_half
"""


def test_a_build_killed_while_it_writes_leaves_no_table(cache, builds, monkeypatch):
    """Half a file never has the name of a table, and the next build is not disturbed by it."""
    setup, run = SLOW_BUILD.split("table_store.SHIPPED = ()")
    monkeypatch.setitem(
        globals(), "SLOW_BUILD", f"{setup}{HALF_WRITTEN}table_store.SHIPPED = (){run}"
    )
    process = start(cache)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "writing\n"
    process.kill()
    process.communicate()
    (half,) = cache.iterdir()
    assert half.name.startswith(".") and half.suffix != ".npz"
    first = atom_table("H")
    assert same(atom_table("H"), first) and len(builds) == 1
    assert len(list(cache.glob("[!.]*.npz"))) == 1


def test_two_processes_at_once_leave_one_good_file(cache, builds):
    processes = [start(cache), start(cache)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[0] for process in processes]
    assert told == ["H\n", "H\n"] and [p.returncode for p in processes] == [0, 0]
    (path,) = cache.iterdir()
    assert same(read_table(path), atom_table("H")) and builds == []


# ---- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, word",
    [
        (("Xx",), "element = 'Xx' is unknown"),
        (("Xe+",), "is an ion"),
        ((92,), "Z = 92 is outside"),
        (("U",), "element = 'U' has Z = 92; allowed: H to Cs"),
        (("H", "tables"), "did you mean 'table'?"),
        (("H", "table", 3.0), "exchange = 3 is outside"),
        (("H", "table", float("nan")), "exchange = nan"),
    ],
)
def test_bad_arguments(cache, builds, arguments, word):
    with pytest.raises(InputError) as refusal:
        atom_table(*arguments)
    print(refusal.value)
    assert word in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
    assert builds == []
