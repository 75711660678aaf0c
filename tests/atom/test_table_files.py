"""Tables of atoms in files: round trips, sizes, and one line for each thing that is wrong."""

import dataclasses
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import jaxnu
from jaxnu.atom.table import AtomTable, LineTable, ShellTable
from jaxnu.atom.table_checks import F_SUM_RANGE, check_table, first_moment
from jaxnu.atom.table_files import as_stored, read_table, write_table
from jaxnu.constants import ELECTRON_MASS_keV as M
from jaxnu.errors import InputError

# ---- tables with the closed form of the hydrogen-like 1s -----------------------------------------


def hydrogenic_shell(label, electrons, nucleus, axis, kinetic=40, momentum=32, lines=True):
    """`electrons` 1s electrons of a nucleus, under any label."""
    model = jaxnu.response(nucleus, "hydrogenic")
    threshold = float(model.thresholds_keV[0])
    p0 = float(np.sqrt(2.0 * M * threshold))
    width = 3.0 * np.pi / 16.0 * p0  # 1/(2 J(0)) of 1s, J(0) = 8/(3π p0)
    epsilon = 1e-3 * np.expm1(np.linspace(0.0, np.log1p(1e5), kinetic))
    T = (epsilon + threshold)[:, None]
    if axis == "p_z":
        ends = np.arcsinh(np.array([-60.0 * p0, 2.0 * M]) / width)
        nodes = 0.5 * width * np.sinh(np.linspace(*ends, momentum))
        Q = -nodes + np.sqrt(nodes**2 + 2.0 * M * T)
    else:
        nodes = np.geomspace(0.01 * p0, 3000.0, momentum)
        Q = nodes + 0.0 * T
    n = np.arange(2, 9)
    Q_lines = np.geomspace(0.01 * p0, 30.0 * p0, 20)
    table = LineTable(
        n=n,
        l=n - n + 1,
        T_keV=threshold * (1.0 - 1.0 / n**2),
        vacancy=np.ones(len(n)),
        closure=np.where(n == n[-1], 4.0, 1.0),  # Σ_{n>=8} 1/n³ is about 4/8³
        Q_keV=Q_lines,
        S=electrons * np.array([model.line_longitudinal(i - 2, Q_lines) for i in n]),
        R=electrons * np.array([model.line_transverse(i - 2, Q_lines) for i in n]),
    )
    return ShellTable(
        label, electrons, threshold, width, epsilon, axis, nodes,
        S=electrons * np.asarray(model.longitudinal(T, Q)),
        R=electrons * np.asarray(model.transverse(T, Q)),
        lines=table if lines else None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def lithium():
    """Two shells, both axes, with and without lines."""
    shells = (
        hydrogenic_shell("1s", 2.0, "Li", "p_z"),
        hydrogenic_shell("2s", 1.0, "H", "Q", lines=False),
    )
    return AtomTable("Li", 3, shells, {"made by": "closed form, η", "numbers": [1, 2.5]})


def same(a, b):
    """Whether two tables agree to the last bit, provenance included."""
    return repr(parts(a)) == repr(parts(b))


def parts(value):
    if dataclasses.is_dataclass(value):
        return {f.name: parts(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [parts(item) for item in value]
    return (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def header_and_arrays(table):
    """As a user would put them together."""
    shells, arrays = [], {}
    for shell in table.shells:
        names = ("label", "electrons", "threshold_keV", "axis", "width_keV")
        shells.append({name: getattr(shell, name) for name in names})
        for name in ("kinetic_keV", "momentum_keV", "S", "R"):
            arrays[f"{shell.label}/{name}"] = getattr(shell, name).copy()
        if shell.lines is not None:
            for field in dataclasses.fields(LineTable):
                arrays[f"{shell.label}/lines/{field.name}"] = getattr(shell.lines, field.name)
    header = {
        "format": "jaxnu-atom-table", "version": 1, "element": table.symbol, "Z": table.Z,
        "units": "energy keV, momentum keV, response 1/keV", "shells": shells,
        "provenance": dict(table.provenance),
    }  # fmt: skip
    return header, {name: np.array(array) for name, array in arrays.items()}


def save(path, header, arrays):
    np.savez(path, header=json.dumps(header), **arrays)


# ---- what is kept --------------------------------------------------------------------------------


def test_npz_keeps_all_but_the_last_bits_of_the_responses(lithium, tmp_path, agree):
    path = tmp_path / "Li.npz"
    write_table(lithium, path)
    back = read_table(path)
    assert same(back, as_stored(lithium))
    for given, got in zip(lithium.shells, back.shells, strict=True):
        for name in ("S", "R"):
            agree(f"{given.label} {name}", getattr(got, name), getattr(given, name), 2.0**-29)
        for name in ("kinetic_keV", "momentum_keV"):
            np.testing.assert_array_equal(getattr(got, name), getattr(given, name))
    agree("lines", back.shells[0].lines.S, lithium.shells[0].lines.S, 2.0**-29)
    assert back.provenance == lithium.provenance


def test_text_keeps_every_digit(lithium, tmp_path):
    write_table(lithium, tmp_path / "Li.txt")
    assert same(read_table(tmp_path / "Li.txt"), lithium)


@pytest.mark.parametrize("suffix", [".npz", ".txt"])
def test_the_same_table_gives_the_same_bytes(lithium, tmp_path, suffix):
    """Also when it has been written and read before."""
    first, second, third = (tmp_path / f"{i}{suffix}" for i in range(3))
    write_table(lithium, first)
    write_table(lithium, second)
    write_table(read_table(first), third)
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{i}{suffix}" for i in range(3)]


def test_size_of_a_whole_atom(tmp_path):
    """11 subshells of 220 × 128 nodes: 3 MB at most."""
    nuclei = ["Mn", "Na", "Ne", "B", "Be", "Be", "Li", "He", "He", "H", "H"]
    labels = ["1s", "2s", "2p", "3s", "3p", "3d", "4s", "4p", "4d", "5s", "5p"]
    electrons = [2, 2, 6, 2, 6, 10, 2, 6, 10, 2, 6]
    shells = tuple(
        hydrogenic_shell(label, float(count), nucleus, "p_z", 220, 128)
        for label, count, nucleus in zip(labels, electrons, nuclei, strict=True)
    )
    path = tmp_path / "Xe.npz"
    write_table(AtomTable("Xe", 54, shells), path)
    size = path.stat().st_size
    print(f"{size / 1e6:.2f} MB, {size / (11 * 220 * 128 * 2):.2f} bytes a value")
    assert size < 2.5e6
    assert len(read_table(path).shells) == 11


def test_plain_arrays_without_width_lines_and_checksum(lithium, tmp_path, agree):
    header, arrays = header_and_arrays(lithium)
    del header["shells"][1]["width_keV"], header["provenance"]
    arrays = {name: array for name, array in arrays.items() if "lines" not in name}
    save(tmp_path / "user.npz", header, arrays)
    table = read_table(tmp_path / "user.npz")
    np.testing.assert_array_equal(table.shells[0].S, lithium.shells[0].S)
    assert table.shells[0].lines is None and table.provenance == {}
    width = np.sqrt(2.0 * M * table.shells[1].threshold_keV)
    agree("default width", table.shells[1].width_keV, width, 1e-15)


def test_a_partial_table_says_so(lithium, tmp_path):
    part = AtomTable("Ge", 32, lithium.shells, {"partial": True})
    for name in ("part.npz", "part.txt"):
        write_table(part, tmp_path / name)
        assert read_table(tmp_path / name).provenance == {"partial": True}
    with pytest.raises(InputError, match=r"sum to 3, Ge has 32"):
        write_table(dataclasses.replace(part, provenance={}), tmp_path / "no.npz")
    with pytest.raises(InputError, match=r"sum to 3, He has 2"):
        write_table(AtomTable("He", 2, lithium.shells, {"partial": True}), tmp_path / "no.npz")
    assert not (tmp_path / "no.npz").exists()


def test_words_as_provenance_windows_lines_and_comments(lithium, tmp_path):
    write_table(lithium, tmp_path / "Li.txt")
    lines = (tmp_path / "Li.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("# provenance")]
    text = "\r\n".join(["\ufeff## a comment: with a colon", "# provenance: by hand", "", *lines])
    (tmp_path / "Li.txt").write_bytes(text.encode())
    table = read_table(tmp_path / "Li.txt")
    assert table.provenance == {"note": "by hand"}
    assert same(
        dataclasses.replace(table, provenance={}), dataclasses.replace(lithium, provenance={})
    )


# ---- f-sum ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", ["p_z", "Q"])
def test_first_moment_of_hydrogen_is_the_f_sum(axis, agree):
    """∫ T S dT + Σ T S = Q²/2m: exact for one electron, by the closed forms of S and lines."""
    shell = hydrogenic_shell("1s", 1.0, "H", axis, 160, 96 if axis == "p_z" else 400)
    Q = np.array([0.3, 1.0, 3.0, 10.0, 30.0, 100.0])
    if axis == "Q":  # nodes even in ln(1 + ε) and ln Q lose the ridge, of constant width, higher up
        Q = Q[:-2]
    agree(f"axis {axis}", [first_moment(shell, q) for q in Q], Q**2 / (2.0 * M), 0.015)


def test_a_ridge_that_nodes_in_Q_do_not_resolve_is_not_judged():
    """At 100 keV the interpolated sum is wrong by far, and the table is good at low Q."""
    shell = hydrogenic_shell("1s", 1.0, "H", "Q", 160, 96)
    ratio = first_moment(shell, 100.0) / (100.0**2 / (2.0 * M))
    print(f"f-sum of an unresolved ridge: {ratio:.2f}")
    assert ratio > F_SUM_RANGE[1]
    check_table(AtomTable("H", 1, (shell,)))


@pytest.mark.parametrize("factor", [0.03, 0.2, 3.0, 27.2])
@pytest.mark.parametrize("shell", [0, 1])
def test_a_shell_off_by_a_factor_is_refused(lithium, factor, shell):
    check_table(lithium)
    shells = list(lithium.shells)
    shells[shell] = dataclasses.replace(shells[shell], S=factor * shells[shell].S)
    assert not F_SUM_RANGE[0] < factor < F_SUM_RANGE[1]
    with pytest.raises(InputError, match="f-sum") as refusal:
        check_table(dataclasses.replace(lithium, shells=tuple(shells)))
    print(refusal.value)


@pytest.mark.parametrize("name", ["kinetic_keV", "momentum_keV"])
def test_energies_or_momenta_in_eV_are_refused(lithium, name):
    shell = lithium.shells[1]
    shell = dataclasses.replace(shell, **{name: 1e3 * getattr(shell, name)})
    with pytest.raises(InputError, match="f-sum"):
        check_table(AtomTable("H", 1, (shell,)))


def test_a_table_of_low_energies_alone_passes():
    """Its ridge lies outside: what is missing says nothing."""
    shell = hydrogenic_shell("1s", 1.0, "H", "p_z", 160, 64, lines=False)
    low = shell.kinetic_keV < 0.01
    short = dataclasses.replace(
        shell, kinetic_keV=shell.kinetic_keV[low], S=shell.S[low], R=shell.R[low]
    )
    check_table(AtomTable("H", 1, (short,)))
    with pytest.raises(InputError, match="f-sum"):
        check_table(AtomTable("H", 1, (dataclasses.replace(short, S=1e3 * short.S),)))


# ---- refusals: one line with file, shell, name, value, expectation and remedy --------------------


def refused(path, *words):
    with pytest.raises(InputError) as refusal:
        read_table(path)
    message = str(refusal.value)
    print(message)
    assert len(message.splitlines()) == 1 and len(message) < 500
    assert repr(str(path)) in message
    for word in words:
        assert word in message, word


def put(target, *path_and_value):
    *path, key, value = path_and_value
    for step in path:
        target = target[step]
    target[key] = value


HEADERS = {
    "format": (("format", "table"), "format = 'table'"),
    "version": (("version", 2), "version = 2"),
    "element": (("element", "Xx"), "element = 'Xx'"),
    "element list": (("element", [1]), "element = [1]"),
    "Z": (("Z", 4), "Z = 4, but Li has Z = 3"),
    "Z text": (("Z", "3"), "Z = '3'"),
    "units": (("units", "energy eV, momentum keV, response 1/keV"), "energy is in 'eV'"),
    "units of S": (("units", "energy keV, momentum keV, response 1/eV"), "response is in '1/eV'"),
    "no momentum unit": (("units", "energy keV, response 1/keV"), "momentum is in None"),
    "units list": (("units", ["keV"]), "units = ['keV']"),
    "unknown key": (("elment", "Li"), "did you mean 'element'?"),
    "shells": (("shells", "1s"), "shells = '1s'"),
    "no shells": (("shells", []), "belongs to no shell"),
    "partial": (("partial", "yes"), "partial = 'yes'"),
    "provenance": (("provenance", 3), "provenance = 3"),
    "label": (("shells", 0, "label", "1p"), "shell 1p"),
    "no label": (("shells", 0, "label", None), "label = None"),
    "electrons": (("shells", 0, "electrons", 2.5), "shell 1s: electrons = 2.5 is outside (0, 2]"),
    "no electrons": (("shells", 0, "electrons", 0), "electrons = 0 is outside"),
    "electron text": (("shells", 0, "electrons", "2"), "electrons = '2'; give a number"),
    "sum": (("shells", 0, "electrons", 1.5), "sum to 2.5, Li has 3"),
    "threshold": (("shells", 1, "threshold_keV", -0.01), "shell 2s: threshold_keV = -0.01"),
    "threshold nan": (("shells", 1, "threshold_keV", float("nan")), "threshold_keV = nan"),
    "width": (("shells", 0, "width_keV", 0.0), "width_keV = 0 is not above 0"),
    "axis": (("shells", 0, "axis", "q"), "axis = 'q'"),
    "shell key": (("shells", 0, "treshold_keV", 1.0), "did you mean 'threshold_keV'?"),
    "checksum": (("sha256", "0" * 64), "sha256 = '000000000000'"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_a_wrong_header_is_refused(lithium, tmp_path, case):
    change, word = HEADERS[case]
    header, arrays = header_and_arrays(lithium)
    put(header, *change)
    save(tmp_path / "t.npz", header, arrays)
    refused(tmp_path / "t.npz", word)


@pytest.mark.parametrize("key", ["format", "version", "element", "Z", "units", "shells"])
def test_a_missing_key_is_refused(lithium, tmp_path, key):
    header, arrays = header_and_arrays(lithium)
    del header[key]
    save(tmp_path / "t.npz", header, arrays)
    refused(tmp_path / "t.npz", key)


@pytest.mark.parametrize("key", ["electrons", "threshold_keV", "axis", "width_keV"])
def test_a_missing_key_of_a_shell_is_refused(lithium, tmp_path, key):
    header, arrays = header_and_arrays(lithium)
    del header["shells"][0][key]
    save(tmp_path / "t.npz", header, arrays)
    refused(tmp_path / "t.npz", "shell 1s", f"key '{key}' is missing")


def test_a_shell_given_twice_is_refused(lithium):
    twice = (lithium.shells[0], lithium.shells[0])
    with pytest.raises(InputError, match="shell 1s is given twice"):
        check_table(AtomTable("Li", 3, twice))
    with pytest.raises(InputError, match="shells is empty"):
        check_table(AtomTable("Li", 3, ()))


def with_value(index, value):
    def change(array):
        array[index] = value
        return array

    return change


ARRAYS = {
    "missing": ("2s/R", None, "array '2s/R' is missing"),
    "missing grid": ("2s/kinetic_keV", None, "array '2s/kinetic_keV' is missing"),
    "missing line": ("1s/lines/closure", None, "lines/closure' is missing"),
    "shape": ("1s/S", lambda a: a[:-1], "S has shape (39, 32), expected (40, 32)"),
    "transposed": ("1s/R", lambda a: a.T, "R has shape (32, 40), expected (40, 32)"),
    "nan": ("1s/S", with_value((3, 4), np.nan), "S[3, 4] = nan is not finite"),
    "inf": ("2s/R", with_value((0, 0), np.inf), "shell 2s: R[0, 0] = inf"),
    "negative": ("2s/S", with_value((1, 2), -1e-3), "S[1, 2] = -0.001 is negative"),
    "kinetic order": ("1s/kinetic_keV", lambda a: a[::-1], "kinetic_keV[0:2] = 100"),
    "kinetic repeated": ("1s/kinetic_keV", with_value(1, 0.0), "kinetic_keV[0:2] = 0, 0 does not"),
    "kinetic below 0": ("1s/kinetic_keV", with_value(0, -0.1), "kinetic_keV[0] = -0.1 is below 0"),
    "kinetic nan": ("1s/kinetic_keV", with_value(5, np.nan), "kinetic_keV[5] = nan"),
    "few": ("1s/kinetic_keV", lambda a: a[:3], "kinetic_keV has shape (3,)"),
    "scalar": ("1s/kinetic_keV", lambda a: a[0], "kinetic_keV has shape ()"),
    "momentum order": ("2s/momentum_keV", with_value(3, 1e-9), "momentum_keV[2:4]"),
    "Q of 0": ("2s/momentum_keV", with_value(0, 0.0), "momentum_keV[0] = 0 is not above 0"),
    "text": ("1s/S", lambda a: a.astype(str), "S holds <U"),
    "complex": ("1s/S", lambda a: a.astype(complex), "S holds complex128"),
    "object": ("1s/S", lambda a: a.astype(object), "NumPy cannot read"),
    "line number": ("1s/lines/n", with_value(0, 0), "lines/n[0] = 0"),
    "half a line": ("1s/lines/n", lambda a: a + 0.5, "lines/n = 2.5"),
    "line l": ("1s/lines/l", with_value(0, 2), "lines/l[0] = 2; give 0 to n − 1"),
    "vacancy": ("1s/lines/vacancy", with_value(1, 1.5), "lines/vacancy[1] = 1.5"),
    "closure": ("1s/lines/closure", with_value(1, 0.0), "lines/closure[1] = 0"),
    "line T": ("1s/lines/T_keV", with_value(1, np.nan), "lines/T_keV[1] = nan"),
    "line T length": ("1s/lines/T_keV", lambda a: a[1:], "lines/T_keV has shape (6,)"),
    "line Q": ("1s/lines/Q_keV", lambda a: -a, "lines/Q_keV"),
    "line S": ("1s/lines/S", with_value((0, 0), -1.0), "lines/S[0, 0] = -1 is negative"),
    "line R shape": ("1s/lines/R", lambda a: a[:, 1:], "lines/R has shape (7, 19)"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_a_wrong_array_is_refused(lithium, tmp_path, case):
    name, change, word = ARRAYS[case]
    header, arrays = header_and_arrays(lithium)
    array = arrays.pop(name)
    if change is not None:
        arrays[name] = change(array)
    save(tmp_path / "t.npz", header, arrays)
    refused(tmp_path / "t.npz", word, "shell " if case != "object" else "")


def test_rounding_noise_below_zero_passes(lithium):
    shell = lithium.shells[1]
    S = shell.S.copy()
    S[-1, -1] = -0.5e-12 * S.max()
    check_table(AtomTable("H", 1, (dataclasses.replace(shell, S=S),)))
    S[-1, -1] *= 4.0
    with pytest.raises(InputError, match="is negative"):
        check_table(AtomTable("H", 1, (dataclasses.replace(shell, S=S),)))


def test_an_unknown_array_is_refused(lithium, tmp_path):
    header, arrays = header_and_arrays(lithium)
    save(tmp_path / "t.npz", header, {**arrays, "1s/kinetic_eV": np.ones(3)})
    refused(tmp_path / "t.npz", "'1s/kinetic_eV'", "did you mean '1s/kinetic_keV'?")


def test_files_that_are_no_tables(tmp_path):
    np.savez(tmp_path / "none.npz", a=np.ones(3))
    refused(tmp_path / "none.npz", "header is missing")
    np.savez(tmp_path / "number.npz", header=3)
    refused(tmp_path / "number.npz", "header is not text")
    np.savez(tmp_path / "json.npz", header="{")
    refused(tmp_path / "json.npz", "header is not JSON")
    np.savez(tmp_path / "list.npz", header="[1]")
    refused(tmp_path / "list.npz", "not an object")
    (tmp_path / "text.npz").write_text("# format: jaxnu-atom-table\n")
    refused(tmp_path / "text.npz", "not an npz file")
    np.save(tmp_path / "array", np.ones(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    refused(tmp_path / "array.npz", "not an npz file")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(tmp_path / "zip.npz", "'readme.txt' is not an array")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    refused(tmp_path / "binary.txt", "not UTF-8")
    (tmp_path / "words.txt").write_text("some words\n")
    refused(tmp_path / "words.txt", "line 1 = 'some words'")
    for suffix in (".npz", ".txt"):
        (tmp_path / f"empty{suffix}").write_bytes(b"")
        refused(tmp_path / f"empty{suffix}", "is empty")
        (tmp_path / f"folder{suffix}").mkdir()
        refused(tmp_path / f"folder{suffix}", "it is a folder")
        refused(tmp_path / f"absent{suffix}", "No such file")
    refused(tmp_path / "Ge.csv", "ends in '.csv'", ".npz or .txt")
    with pytest.raises(InputError, match="path = 3 is not a file name"):
        read_table(3)


def test_every_truncation_and_changed_byte_is_found(lithium, tmp_path):
    path = tmp_path / "Li.npz"
    write_table(lithium, path)
    whole = path.read_bytes()
    expected = read_table(path)
    for length in np.linspace(1, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:length])
        refused(path)
    rng = np.random.default_rng(1)
    harmless = 0
    for at in rng.integers(0, len(whole), 200):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            table = read_table(path)
        except InputError as error:
            assert len(str(error).splitlines()) == 1
        else:  # a bit of the archive that says nothing, such as a date
            harmless += 1
            assert same(table, expected)
    print(f"of 200 flipped bits {200 - harmless} are refused, the others change nothing")
    assert harmless < 20


def test_numbers_changed_inside_a_sound_archive_are_found(lithium, tmp_path):
    path = tmp_path / "Li.npz"
    write_table(lithium, path)
    file = np.load(path)
    header, arrays = json.loads(str(file["header"])), {n: file[n] for n in file.files}
    del arrays["header"]
    save(path, header, arrays)
    assert same(read_table(path), as_stored(lithium))
    save(path, {**header, "provenance": {}}, arrays)
    refused(path, "sha256 = ")
    arrays["1s/S"][4, 7, 7] ^= 1  # the last bit kept
    save(path, header, arrays)
    refused(path, "sha256 = ")


TEXTS = {
    "five columns": (r"^0\.0 ", "0.0 0.0 ", "5 numbers, expected 4"),
    "word": (r"^0\.0 ", "zero ", "kinetic_keV = 'zero' is not a number"),
    "commas": (r"^0\.0 (\S+) (\S+) (\S+)$", r"0.0,\1,\2,\3", "expected 4, separated by blanks"),
    "row missing": (r"^0\.0 \S+ \S+ \S+\n", "", "not rectangular"),
    "columns": (r"# lines 1s: n l", "# lines 1s: l n", "columns 'l n"),
    "shell twice": (r"# shell 2s", "# shell 1s", "shell 1s is given twice"),
    "entry": (r"electrons 2.0", "electrons", "'electrons' is not a name and a value"),
    "electrons": (r"electrons 2.0", "electrons two", "electrons = 'two'"),
    "entry twice": (r"electrons 2.0", "electrons 2.0, electrons 2.0", "electrons is given twice"),
    "key twice": (r"# Z: 3", "# Z: 3\n# Z: 3", "Z is given twice"),
    "Z": (r"# Z: 3", "# Z: three", "Z = 'three'"),
    "version": (r"# version: 1", "# version: 1.5", "version = '1.5'"),
    "comment": (r"# Z: 3", "# Z is 3", "begin comments with '##'"),
    "json": (r"# provenance: .*", "# provenance: {", "provenance is not JSON"),
    "partial": (r"# Z: 3", "# Z: 3\n# partial: maybe", "partial = 'maybe'"),
    "checksum": (r"# Z: 3", "# Z: 3\n# sha256: 00", "sha256 is for .npz"),
    "numbers first": (r"# format", "1 2 3 4\n# format", "line 1 = '1 2 3 4'"),
    "nan": (r"^0\.0 (\S+) \S+ ", r"0.0 \1 nan ", "S[0, 0] = nan"),
    "no rows": (r"# shell 2s", "# shell 3s: electrons 1\n# shell 2s", "shell 3s has no rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXTS)
def test_a_wrong_text_is_refused(lithium, tmp_path, case):
    pattern, replacement, word = TEXTS[case]
    path = tmp_path / "Li.txt"
    write_table(lithium, path)
    text, changes = re.subn(
        pattern, replacement, path.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE
    )
    assert changes == 1
    path.write_text(text, encoding="utf-8")
    refused(path, word, "" if case in ("checksum", "nan") else "line ")


def test_the_line_number_is_the_files(lithium, tmp_path):
    path = tmp_path / "Li.txt"
    write_table(lithium, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[99] = lines[99].replace(lines[99].split()[1], "7.5")
    path.write_text("\n".join(lines), encoding="utf-8")
    refused(path, "line 100: shell 1s is not rectangular here", "32 momenta")
    path.write_text("\n".join(lines[:90]), encoding="utf-8")
    refused(path, "line 90: shell 1s")


# ---- writing -------------------------------------------------------------------------------------


def test_a_bad_table_is_not_written(lithium, tmp_path):
    bad = dataclasses.replace(lithium, Z=4)
    odd = dataclasses.replace(lithium, provenance={"file": object()})
    for table, word in ((bad, "Z = 4"), (odd, "provenance of Li cannot be written")):
        with pytest.raises(InputError, match=word):
            write_table(table, tmp_path / "t.npz")
    with pytest.raises(InputError, match="cannot be written"):
        write_table(lithium, tmp_path / "absent" / "t.npz")
    with pytest.raises(InputError, match=r"ends in '\.dat'"):
        write_table(lithium, tmp_path / "t.dat")
    assert list(tmp_path.iterdir()) == []


def test_numpy_numbers_and_dataclasses_in_the_provenance(lithium, tmp_path):
    line = dataclasses.make_dataclass("Knobs", [("nodes", int, 4)])()
    told = {"step": np.float64(0.5), "nodes": np.arange(2), "pair": (1, 2), "knobs": line}
    write_table(dataclasses.replace(lithium, provenance=told), tmp_path / "t.npz")
    expected = {"step": 0.5, "nodes": [0, 1], "pair": [1, 2], "knobs": {"nodes": 4}}
    assert read_table(tmp_path / "t.npz").provenance == expected


# ---- docs/table-file.md --------------------------------------------------------------------------

PAGE = Path(jaxnu.__file__).parent.parent / "docs" / "table-file.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not installed")
def test_the_examples_of_the_page_work(tmp_path, monkeypatch, agree):
    text, own, stranger = re.findall(r"^```\w+\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    Path("H.txt").write_text(text, encoding="utf-8")
    table = read_table("H.txt")
    shell = table.shells[0]
    model = jaxnu.response("H", "hydrogenic")
    T, Q = (shell.kinetic_keV + shell.threshold_keV)[:, None], shell.momentum_keV
    agree("S of the page", shell.S, model.longitudinal(T, Q), 2e-4)
    agree("R of the page", shell.R, model.transverse(T, Q), 2e-4)
    agree("line of the page", shell.lines.S[0], model.line_longitudinal(0, shell.lines.Q_keV), 1e-4)
    names = {"kinetic_keV": shell.kinetic_keV, "Q_keV": Q, "S": shell.S, "R": shell.R}
    exec(own, names)
    np.testing.assert_array_equal(read_table("hydrogen.npz").shells[0].S, shell.S)
    write_table(table, "Ge.npz")
    exec(stranger.replace("3d/", "1s/"), names)
    agree("S by NumPy", names["S"], shell.S, 2.0**-29)
