"""The command line: what it prints and writes, and how it refuses."""

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxnu
from jaxnu.atom import build, table_store
from jaxnu.atom.table_files import read_table
from jaxnu.cli import _compile_quickly, main
from jaxnu.cross_sections import CHANNELS
from jaxnu.errors import CacheWarning
from jaxnu.precision import enable_compilation_cache

PNG = b"\x89PNG\r\n\x1a\n"
SHIPPED = Path(jaxnu.__file__).parent / "data" / "atoms"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # the run's own cache of compiled programs stays in charge
    monkeypatch.setattr("jaxnu.precision.enable_compilation_cache", lambda: None)


def refused(capsys, *arguments):
    """The one line on stderr of a command that must refuse with 2, writing nothing."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse
        code = stop.code
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("jaxnu: error")]
    assert code == 2 and out == "" and len(lines) == 1, (code, out, err)
    assert "Traceback" not in err
    assert {p.name for p in Path().iterdir()} <= {"broken.toml"}, "nothing half written"
    print(lines[0])
    return lines[0]


def test_limit_prints_and_writes_the_same_result(capsys):
    assert main(["limit", "xenonnt-sr0", "--out", "results"]) == 0
    out, err = capsys.readouterr()
    written = json.loads(Path("results/limit-xenonnt-sr0.json").read_text())
    assert f"mu_nu < {written['limit_mu_B']:.4g} mu_B at 90% CL" in out
    assert "doubled nodes" in err and "central-field" in out and "two-sided" in out
    assert "counts, bins and background shape stay fixed" in out
    needed = {
        "experiment", "limit_mu_B", "confidence_level", "convention", "method", "response",
        "best_fit_mu2", "derivatives", "status", "convergence", "version", "counts", "background",
        "signal", "scan_mu2", "scan_q", "expected_mu_B", "threshold_keV", "exposure_kg_day",
    }  # fmt: skip
    assert needed <= set(written)
    assert {"threshold_keV", "exposure", "resolution", "background"} <= set(written["derivatives"])
    assert written["status"] == "converged" and written["convergence"] < 1e-3
    assert len(written["counts"]) == len(written["signal"]) == 58
    assert Path("results/limit-xenonnt-sr0.png").read_bytes()[:8] == PNG
    assert len(list(Path("results").iterdir())) == 2, "no temporary file is left"


def test_json_is_alone_on_stdout(capsys):
    assert main(["limit", "xenonnt-sr0", "--json"]) == 0
    out, _ = capsys.readouterr()
    assert json.loads(out) == json.loads(Path("limit-xenonnt-sr0.json").read_text())


@pytest.mark.slow
def test_forecast_of_gemma(capsys):
    assert main(["forecast", "gemma", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    print(f"gemma, ON with a floating flat background: {result['limit_mu_B']:.3e} (asked 3.6e-11)")
    assert result["data"] == "Asimov"
    assert result["limit_mu_B"] == pytest.approx(3.6e-11, rel=0.05)
    assert Path("forecast-gemma.png").read_bytes()[:8] == PNG


def test_forecast_of_a_difference_in_words(capsys):
    assert main(["forecast", "gemma-2010", "--response", "stepping"]) == 0
    text = capsys.readouterr().out
    assert "ON − OFF" in text and "subtracted bin by bin" in text
    assert Path("forecast-gemma-2010.png").read_bytes()[:8] == PNG


@pytest.mark.slow
def test_fit_prints_and_writes_the_same_result(capsys):
    arguments = ["fit", "xenonnt-sr0", "--parameters", "mu2,q_e", "--response", "free"]
    assert main([*arguments, "--out", "results"]) == 0
    out = capsys.readouterr().out
    written = json.loads(Path("results/fit-xenonnt-sr0.json").read_text())
    low, high = written["intervals"]["q_e"]
    assert f"in [{low:.3g}, {high:.3g}] e" in out and "low end at the bound" in out
    assert written["parameters"] == ["mu2", "q_e"] and written["status"] == "converged"
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["intervals"] == written["intervals"]


def test_fit_of_the_matrix_of_moments(capsys):
    assert main(["fit", "xenonnt-sr0", "--moments", "majorana", "--response", "free"]) == 0
    out = capsys.readouterr().out
    limits = json.loads(Path("fit-xenonnt-sr0.json").read_text())["limits_mu_B"]
    assert list(limits) == ["12", "13", "23"] and f"|mu_12| < {limits['12']:.3g}," in out


@pytest.mark.slow
def test_two_forecasts_in_one(capsys):
    words = "forecast gemma-2010 texono-2007 --response free --method profile --out both"
    assert main(words.split()) == 0
    text = capsys.readouterr().out
    result = json.loads(Path("both/forecast-gemma-2010-texono-2007.json").read_text())
    alone = result["impacts_mu_B"], result["bands_mu_B"]
    print(text, alone)
    assert "gemma-2010: exposure" in text and "texono-2007: exposure" in text
    assert "discovery" in text and "bands" in text and len(result["counts"]) == 2
    assert result["convergence"] < 1e-3
    assert Path("both/forecast-gemma-2010-texono-2007.png").read_bytes()[:8] == PNG


def test_cross_section_table_has_every_shell(capsys):
    command = ["cross-section", "--target", "Ge", "--energy-keV", "1000", "--response", "stepping"]
    command += ["--response", "free", "--plot", "out.png", "--csv", "out.csv", "--points", "50"]
    assert main(command) == 0
    header, names, *rows = Path("out.csv").read_text().splitlines()
    assert "cm^2/keV" in header
    names = names.split(",")
    table = dict(zip(names, np.array([row.split(",") for row in rows], float).T, strict=True))
    shells = [table[name] for name in names if name.startswith("stepping:")]
    assert len(shells) == 11 and len(rows) == 50
    np.testing.assert_allclose(np.sum(shells, axis=0), table["stepping"], rtol=1e-7)
    assert Path("out.png").read_bytes()[:8] == PNG
    assert "stepping" in capsys.readouterr().out


def test_rate_and_lists(capsys):
    assert main(["rate", "gemma", "--T-max-keV", "20", "--csv", "rate.csv"]) == 0
    rows = Path("rate.csv").read_text().splitlines()[2:]
    assert len(rows) == 500 and all(float(row.split(",")[1]) > 0 for row in rows)
    assert main(["experiments"]) == 0
    listing = capsys.readouterr().out
    assert "xenonnt-sr0" in listing and "gemma" in listing and "XENON Collaboration" in listing
    assert main(["experiments", "show", "gemma"]) == 0
    assert "13.9 m from a 3 GW reactor" in capsys.readouterr().out
    assert main(["cite"]) == 0
    assert "@article{Kouzakov2011," in capsys.readouterr().out


PER = {  # what each channel's cross section is divided by, written out
    "magnetic": "", "weak": "", "charge-radius": " per cm^2", "charge-radius-squared": " per cm^4",
    "millicharge-weak": " per e", "millicharge": " per e^2",
    "millicharge-charge-radius": " per e cm^2",
}  # fmt: skip


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("command", ["rate", "cross-section"])
def test_each_channel_names_its_unit(command, channel, capsys, monkeypatch):
    """In the table, in the CSV and on the picture; the help lists the channel."""
    labels = []
    monkeypatch.setattr("jaxnu.plot.plot_curves", lambda *arguments: labels.append(arguments[3]))
    of = ["gemma", "--T-max-keV", "20"]
    if command == "cross-section":
        of = ["--target", "Ge", "--energy-keV", "1000"]
    words = ["--response", "free", "--points", "3", "--csv", "x.csv", "--plot", "x.png"]
    assert main([command, *of, *words, "--channel", channel]) == 0
    unit = {"rate": "dR/dT [1/(kg keV d)", "cross-section": "dsigma/dT [cm^2/keV per atom"}[command]
    expected = unit + PER[channel] + "]"
    title, quantity = capsys.readouterr().out.splitlines()[0].split("; ")
    assert quantity == expected and labels == [expected]
    assert title.endswith("mu_nu = 1e-11 mu_B" if channel == "magnetic" else f", {channel}")
    assert Path("x.csv").read_text().splitlines()[0].split("; ")[1] == expected
    with pytest.raises(SystemExit):
        main([command, "--help"])
    listed = capsys.readouterr().out.split("--channel CHANNEL")[-1].split("--T-min")[0]
    assert channel in re.sub(r"(?<=-)\s+", "", listed).replace(",", " ").split()


# ---- sources -------------------------------------------------------------------------------------


def flux_json(capsys, *arguments):
    assert main(["flux", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_flux_of_the_sun_in_numbers_and_in_words(capsys):
    sun = flux_json(capsys, "solar", "--plot", "sun.png")
    assert Path("sun.png").read_bytes()[:8] == PNG
    assert sun["flux_per_cm2_s"] == pytest.approx(6.537e10, rel=1e-3) and not sun["antineutrino"]
    parts = {part["name"]: part for part in sun["components"]}
    assert sum(part["share"] for part in parts.values()) == pytest.approx(1.0, rel=1e-12)
    assert parts["pp"]["E_max_keV"] == 423.41 and parts["8B"]["relative_error"] == 0.12
    assert parts["pp"]["mean_energy_keV"] == pytest.approx(266.8, rel=1e-3)
    assert [line["E_keV"] for line in sun["lines"]] == [1442.0, 861.8, 384.3]
    low = flux_json(capsys, "solar", "--metallicity", "AGSS09met")
    assert {p["name"]: p["flux_per_cm2_s"] for p in low["components"]}["7Be"] == pytest.approx(
        4.5e9
    )
    assert main(["flux", "solar"]) == 0
    text = capsys.readouterr().out
    for words in ("solar (GS98), neutrinos", "6.537e+10 /(cm² s)", "0.547 to 0.504", "861.8 keV"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100


def test_flux_of_a_reactor(capsys):
    options = ["reactor", "--nu-per-fission", "texono", "--power-GW", "3", "--distance-m", "13.9"]
    reactor = flux_json(capsys, *options, "--plot", "reactor.png")
    assert reactor["flux_per_cm2_s"] == pytest.approx(2.731e13, rel=1e-3)
    assert [p["name"] for p in reactor["components"]][-2:] == ["239U", "239Np"]
    assert sum(p["share"] for p in reactor["components"]) == pytest.approx(1.0, rel=1e-12)
    gemma = flux_json(capsys, "gemma")
    assert gemma["flux_per_cm2_s"] == pytest.approx(reactor["flux_per_cm2_s"], rel=1e-12)
    assert "GEMMA" in gemma["origin"] and gemma["antineutrino"]
    other = flux_json(capsys, "reactor", "--spectrum", "vogel-engel")
    assert "vogel-engel" in other["name"]
    print(f"GEMMA's flux: {reactor['flux_per_cm2_s']:.4e} /(cm² s) (published 2.73e13)")


@pytest.mark.parametrize(("name", "lines"), [("chromium-51", 4), ("tritium", 0)])
def test_flux_of_radioactive_sources(capsys, name, lines):
    source = flux_json(capsys, name, "--activity-PBq", "50", "--distance-m", "2", "--plot", "x.png")
    assert len(source["lines"]) == lines and Path("x.png").read_bytes()[:8] == PNG
    assert source["flux_per_cm2_s"] == pytest.approx(50e15 / (4 * np.pi * 4e4), rel=1e-12)
    assert main(["flux", name]) == 0
    text = capsys.readouterr().out
    assert "100 PBq at 1 m" in text and ("747 keV" in text) == (name == "chromium-51")


def test_flux_of_a_file(capsys):
    Path("mine.csv").write_text("E [keV], flux [1/(cm2 s keV)]\n0, 0\n500, 2\n1500, 0\n")
    mine = flux_json(capsys, "mine.csv", "--plot", "mine.png")
    assert mine["flux_per_cm2_s"] == pytest.approx(1500.0) and mine["E_max_keV"] == 1500.0
    assert mine["components"] == mine["lines"] == [] and mine["name"] == "mine.csv"
    Path("fission.csv").write_text("E [MeV], nu [1/(MeV fission)]\n0, 0\n4, 2\n8, 0\n")
    reactor = flux_json(capsys, "fission.csv", "--power-GW", "3", "--distance-m", "13.9")
    fissions = 3e9 / (205 * 1.602176634e-13) / (4 * np.pi * 1390.0**2)
    assert reactor["flux_per_cm2_s"] == pytest.approx(8.0 * fissions, rel=1e-9)
    assert reactor["antineutrino"]


@pytest.mark.slow
def test_examine_writes_report_numbers_and_pictures(capsys):
    assert main(["examine", "He", "--energy-keV", "100", "--out", "helium"]) == 0
    out, _ = capsys.readouterr()
    assert "the full result is" in out and "eq 13 does not hold" in out
    written = json.loads(Path("helium/report.json").read_text())
    assert written["target"] == "He" and written["E_keV"] == 100.0
    text = Path("helium/report.md").read_text()
    for name in written["pictures"].values():
        assert f"({name})" in text
        assert (Path("helium") / name).read_bytes()[:8] == PNG
    assert len(list(Path("helium").iterdir())) == 10, "no temporary file is left"


# ---- atoms ---------------------------------------------------------------------------------------


def test_atom_in_numbers_and_in_words(capsys):
    assert "Ge" in table_store.SHIPPED, "the table of Ge is part of the package"
    assert main(["atom", "Ge", "--json"]) == 0
    atom = json.loads(capsys.readouterr().out)
    assert atom["configuration"] == "1s2 2s2 2p6 3s2 3p6 3d10 4s2 4p2"
    assert atom["source"] == "shipped with jaxnu" and atom["thresholds"] == "measured"
    d = next(shell for shell in atom["subshells"] if shell["label"] == "3d")
    # Elam's edges; the level of the model is held by tests/atom/test_field.py
    assert d["measured_keV"] == {"M4": 0.0298, "M5": 0.0292}
    assert d["model_keV"] == pytest.approx(0.0394, rel=1e-2)
    assert d["multipoles_to_keV"] == pytest.approx(atom["last_ratio"] * d["model_keV"])
    worst = max(abs(f - 1.0) for f in atom["f_sum"]["independent"])
    print(f"Ge, independent-particle f-sum over Z: worst |f − 1| = {worst:.1e}")
    assert worst < 0.01 and len(atom["f_sum"]["physical"]) == 3
    static = atom["static_sum"]
    assert np.all(np.diff(static["physical"]) > 0) and static["physical"][-1] < 1.0
    # filled states take strength away at every Q
    assert np.all(np.array(static["physical"]) < static["independent"])
    table = np.array([atom["charge_keV"], atom["magnetic"], atom["weak"], atom["stepping"]])
    above = table[1:, np.isin(table[0], (5.0, 10.0, 20.0, 30.0, 50.0))]
    print(f"Ge, effective charges over stepping from 5 keV on: {above[:2] / above[2]}")
    np.testing.assert_allclose(above[:2] / above[2], 1.0, atol=0.01)
    pytest.importorskip("xraydb", reason="xraydb is not installed")
    sigma = zip(atom["photon_keV"], atom["photoabsorption_cm2"], atom["elam_cm2"], strict=True)
    ratio = {T: ours / elam for T, ours, elam in sigma}
    print("Ge, photoabsorption over Elam:", {T: round(r, 3) for T, r in ratio.items()})
    assert all(0.95 < ratio[T] < 1.05 for T in (2.0, 3.0, 5.0, 8.0, 10.0))

    capsys.readouterr()  # what was printed above
    assert main(["atom", "Ge"]) == 0
    text = capsys.readouterr().out
    assert "Ge, Z = 32: 1s2 2s2 2p6" in text and "shipped with jaxnu" in text
    assert "3d differs most: 39.39 eV in the model, 29.80 and 29.20 eV" in text
    for part in ("T/I ≤ 100", "f-sum, physical", "ours/Elam", "stepping", "Herman–Skillman"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.slow
def test_atom_of_a_file_with_a_picture_and_without_xraydb(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "xraydb", None)
    command = ["atom", str(SHIPPED / "He.npz"), "--thresholds", "model", "--plot", "he.png"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert Path("he.png").read_bytes()[:8] == PNG
    assert "xraydb is not installed" in text and "ours/Elam" not in text
    assert "thresholds of the model" in text and "He.npz" in text


@pytest.fixture
def builder(monkeypatch, tmp_path):
    """In place of the solver: the shipped He at once. Calls are noted; raises what `.error` is."""

    def build_table(element, exchange=1.0, progress=None):
        build_table.calls.append((element, exchange))
        progress(0, 4, "continuum")
        if build_table.error:
            raise build_table.error
        progress(4, 4, "done")
        return read_table(SHIPPED / "He.npz")

    build_table.calls, build_table.error = [], None
    monkeypatch.setattr(build, "build_table", build_table)
    monkeypatch.setenv("JAXNU_CACHE_DIR", str(tmp_path.parent / f"{tmp_path.name}-cache"))
    return build_table


@pytest.mark.parametrize("name", ["he.npz", "he.txt"])
def test_build_writes_a_table_that_atom_reads(capsys, builder, name):
    assert main(["atom", "build", "He", "--exchange", "0.9", "--out", name]) == 0
    out, err = capsys.readouterr()
    assert builder.calls == [("He", 0.9)] and "table of He" in err
    assert f"{name}: {Path(name).stat().st_size / 1e6:.2f} MB" in out and "1 subshells" in out
    written, shipped = read_table(name).shells[0], read_table(SHIPPED / "He.npz").shells[0]
    np.testing.assert_allclose(written.S, shipped.S, rtol=1e-8)
    assert [path.name for path in Path().iterdir()] == [name]


def test_an_interrupted_build_leaves_nothing(capsys, builder):
    builder.error = KeyboardInterrupt()
    assert main(["atom", "build", "He", "--out", "he.npz"]) == 130
    out, err = capsys.readouterr()
    assert out == "" and "interrupted" in err and not list(Path().iterdir())


def test_a_bad_place_is_refused_before_the_build(capsys, builder):
    for out in ("no/he.npz", "he.dat", "/"):
        assert out in refused(capsys, "atom", "build", "He", "--out", out)
        capsys.readouterr()  # what `refused` printed
    assert "W" in refused(capsys, "atom", "build", "W", "--out", "w.npz")
    assert builder.calls == []


def test_a_computed_atom_shows_progress_and_is_kept(capsys, builder, monkeypatch):
    monkeypatch.setattr(table_store, "SHIPPED", ())
    command = ["cross-section", "--target", "He", "--energy-keV", "50", "--points", "3"]
    command += ["--response", "central-field", "--T-min-keV", "1", "--T-max-keV", "2"]
    for expected in (True, False):
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert ("table of He" in err) == expected and "central-field" in out
    assert builder.calls == [("He", 1.0)]


def test_a_damaged_cache_is_said_in_one_line(capsys, builder, monkeypatch):
    monkeypatch.setattr(table_store, "SHIPPED", ())
    command = ["cross-section", "--target", "He", "--energy-keV", "50", "--points", "3"]
    command += ["--response", "central-field", "--T-min-keV", "1", "--T-max-keV", "2"]
    assert main(command) == 0
    (path,) = (Path(os.environ["JAXNU_CACHE_DIR"]) / "atoms").iterdir()
    path.write_bytes(path.read_bytes()[:-50])
    capsys.readouterr()
    assert main(command) == 0
    err = capsys.readouterr().err
    told = [line for line in err.splitlines() if "cannot be used" in line]
    print(told)
    assert len(told) == 1 and told[0].startswith("jaxnu: warning: cached table of He")
    assert "CacheWarning" not in err and "warnings.warn" not in err
    assert len(builder.calls) == 2


def test_only_builds_and_toys_are_compiled_with_optimisation(monkeypatch):
    name = "--xla_backend_optimization_level"
    devices = "--xla_force_host_platform_device_count"
    for given, words, expected in (
        ("", ["atom", "Xe"], f"{name}=0"),
        ("", ["atom", "build", "Xe", "--out", "xe.npz"], f"{name}=1"),
        (f"{name}=2", ["atom", "build", "Xe"], f"{name}=2"),
        ("", ["toys", "gemma"], f"{name}=1 {devices}={os.cpu_count()}"),
        (f"{devices}=3 {name}=2", ["toys", "gemma"], f"{devices}=3 {name}=2"),
    ):
        monkeypatch.setenv("XLA_FLAGS", given)
        _compile_quickly(words)
        assert os.environ["XLA_FLAGS"] == expected


@pytest.mark.slow
def test_build_of_helium_gives_the_shipped_table(capsys):
    """Each array to 1e-8 of its largest value, and of each value above 1e-6 of it."""
    assert main(["atom", "build", "He", "--out", "he.npz"]) == 0
    print(capsys.readouterr().out)
    built, shipped = read_table("he.npz"), read_table(SHIPPED / "He.npz")
    assert built.symbol == shipped.symbol and len(built.shells) == len(shipped.shells)
    for ours, theirs in zip(built.shells, shipped.shells, strict=True):
        parts = [(ours, theirs, n) for n in ("kinetic_keV", "momentum_keV", "S", "R")]
        parts += [
            (ours.lines, theirs.lines, n)
            for n in ("n", "l", "T_keV", "vacancy", "closure", "Q_keV", "S", "R")
        ]
        for a, b, name in parts:
            a, b = np.asarray(getattr(a, name)), np.asarray(getattr(b, name))
            difference, largest = np.abs(a - b), np.max(np.abs(b))
            large = np.abs(b) > 1e-6 * largest  # below: rounding of sums of larger terms
            relative = float(np.max(difference[large] / np.abs(b[large])))
            print(
                f"He {ours.label} {name}: {np.max(difference) / largest:.1e} of the largest, "
                f"{relative:.1e} relative"
            )
            assert np.max(difference) <= 1e-8 * largest and relative <= 1e-8
        for name in ("electrons", "threshold_keV", "width_keV"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-8)


BAD = {
    "examined: no element": (["examine", "Xx"], ["Xx", "H to Cs"]),
    "examined: a compound": (["examine", "NaI"], ["NaI", "H to Cs"]),
    "examined: too heavy": (["examine", "Pb"], ["Pb", "H to Cs"]),
    "examined: energy": (["examine", "He", "--energy-keV", "1"], ["E_keV = 1 keV", "[5, 1e+06]"]),
    "examined: no moment": (["examine", "He", "--mu", "0"], ["mu = 0"]),
    "examined: thresholds": (["examine", "He", "--thresholds", "modle"], ["'modle'", "model"]),
    "examined: no folder": (["examine", "He", "--out", "/dev/null"], ["--out", "is a file"]),
    "unknown experiment": (["limit", "xenonnt"], ["'xenonnt'", "xenonnt-sr0"]),
    "a forecast has no counts": (["limit", "gemma"], ["gemma", "counts", "forecast"]),
    "unknown model": (["limit", "xenonnt-sr0", "--response", "steping"], ["'steping'", "stepping"]),
    "fit: unknown parameter": (["fit", "xenonnt-sr0", "--parameters", "mu"], ["'mu'", "mu2"]),
    "fit: one shift twice": (
        ["fit", "xenonnt-sr0", "--parameters", "sin2_theta_w,r2_cm2"],
        ["sin2_theta_w with r2_cm2", "leave the other out"],
    ),
    "fit: moments": (["fit", "xenonnt-sr0", "--moments", "majorna"], ["'majorna'", "majorana"]),
    "fit: moments and parameters": (
        ["fit", "xenonnt-sr0", "--moments", "dirac", "--parameters", "q_e"],
        ["not allowed with"],
    ),
    "fit: nothing": (["fit", "xenonnt-sr0", "--parameters", ","], ["at least one"]),
    "fit: a forecast has no counts": (["fit", "gemma"], ["gemma", "counts", "--asimov"]),
    "fit: confidence level": (["fit", "xenonnt-sr0", "--confidence-level", "90"], ["90", "0.9"]),
    "unknown method": (["limit", "xenonnt-sr0", "--method", "bays"], ["'bays'", "'bayes'"]),
    "a convention of another method": (
        ["limit", "xenonnt-sr0", "--method", "cls", "--convention", "two-sided"],
        ["leave it out"],
    ),
    "one experiment twice": (["forecast", "gemma", "gemma"], ["repeat a name"]),
    "nothing to share": (["forecast", "gemma", "--shared", "flux"], ["shared = 'flux'"]),
    "a design of nothing": (["design"], ["needs an experiment"]),
    "no costs": (["design", "gemma", "--free", "exposure"], ["--cost"]),
    "costs that are not there": (
        ["design", "gemma", "--free", "exposure", "--cost", "none.toml"],
        ["none.toml", "--new"],
    ),
    "unknown convention": (["limit", "xenonnt-sr0", "--convention", "both"], ["'both'"]),
    "confidence level": (["limit", "xenonnt-sr0", "--confidence-level", "90"], ["90", "0.9"]),
    "threshold in eV": (["forecast", "gemma", "--threshold-keV", "1500"], ["1500", "keV"]),
    "not a number": (["forecast", "gemma", "--threshold-keV", "one"], ["'one'"]),
    "unit slip of mu": (["rate", "xenonnt-sr0", "--mu", "11"], ["mu = 11", "[0, 1e-06]"]),
    "NaN": (["rate", "xenonnt-sr0", "--mu", "nan"], ["mu = nan"]),
    "unknown element": (
        ["cross-section", "--target", "Xx", "--energy-keV", "100"],
        ["target = 'Xx'"],
    ),
    "T = 0": (
        ["cross-section", "--target", "Xe", "--energy-keV", "100", "--T-min-keV", "0"],
        ["T-min-keV = 0"],
    ),
    "T beyond the end": (
        ["cross-section", "--target", "Xe", "--energy-keV", "100", "--T-max-keV", "200"],
        ["T_keV = ", "E_keV = 100"],
    ),
    "energy": (["cross-section", "--target", "Xe", "--energy-keV", "-5"], ["energy-keV = -5"]),
    "T-max = 0": (
        ["cross-section", "--target", "Xe", "--energy-keV", "100", "--T-max-keV", "0"],
        ["T-max-keV = 0"],
    ),
    "T beyond the source": (["rate", "gemma", "--T-max-keV", "9000"], ["T_keV[", "(0, 8000]"]),
    "mu of another channel": (
        ["rate", "gemma", "--channel", "millicharge", "--mu", "1e-11"],
        ["--mu = 1e-11", "--channel millicharge", "option of: magnetic"],
    ),
    "mu of weak scattering": (
        ["cross-section", "--target", "Ge", "--energy-keV", "9", "--channel", "weak", "--mu", "0"],
        ["--mu = 0", "--channel weak", "option of: magnetic"],
    ),
    "flavor of the magnetic channel": (
        ["cross-section", "--target", "Ge", "--energy-keV", "9", "--flavor", "nu_mu"],
        ["--flavor = nu_mu", "--channel magnetic", "option of: weak, charge-radius"],
    ),
    "unknown channel": (["rate", "gemma", "--channel", "weka"], ["channel = 'weka'", "'weak'"]),
    "unknown flavor": (
        [
            "cross-section",
            "--target",
            "Ge",
            "--energy-keV",
            "9",
            "--response",
            "free",
            "--channel",
            "weak",
            "--flavor",
            "nu_x",
        ],
        ["flavor = 'nu_x'", "nu_tau"],
    ),
    "negative mu": (["rate", "gemma", "--mu", "-1e-11"], ["mu = -1e-11", "[0, 1e-06]"]),
    "picture into a folder": (["rate", "gemma", "--plot", "/"], ["'/'", "folder"]),
    "table without a folder": (["rate", "gemma", "--csv", "no/x.csv"], ["no/x.csv"]),
    "a list has no name": (["experiments", "list", "gemma"], ["'gemma'", "show"]),
    "unknown command": (["limits"], ["limits"]),
    "flux: unknown": (["flux", "sollar"], ["source = 'sollar'", "did you mean 'solar'?"]),
    "flux: no such file": (["flux", "no.csv"], ["no.csv", "cannot be read"]),
    "flux: no such experiment": (["flux", "no.toml"], ["no.toml"]),
    "flux: an option of another": (
        ["flux", "solar", "--power-GW", "3"],
        ["--power-GW = 3", "'solar'", "--metallicity"],
    ),
    "flux: an option of an experiment": (
        ["flux", "gemma", "--distance-m", "10"],
        ["--distance-m = 10", "'gemma'", "none"],
    ),
    "flux: power in MW": (["flux", "reactor", "--power-GW", "3000"], ["power_GW = 3000", "3.0"]),
    "flux: off": (["flux", "reactor", "--power-GW", "0"], ["0 /(cm² s)", "is on"]),
    "flux: spectrum": (["flux", "reactor", "--spectrum", "muller"], ["'muller'", "mueller"]),
    "flux: picture": (["flux", "solar", "--plot", "no/x.png"], ["no/x.png", "cannot be written"]),
    "atom: unknown": (["atom", "xe"], ["'xe'", "did you mean Xe?"]),
    "atom: near ones": (["atom", "Gx"], ["'Gx'", "Ga", "Ge"]),
    "atom: ion": (["atom", "Xe+"], ["'Xe+'", "ion"]),
    "atom: too heavy": (["atom", "W"], ["'W'", "Z = 74", "H to Cs"]),
    "atom: exchange": (["atom", "Xe", "--exchange", "1.6"], ["exchange = 1.6", "[0.5, 1.5]"]),
    "atom: thresholds": (["atom", "Xe", "--thresholds", "both"], ["'both'", "measured, model"]),
    "atom: source": (["atom", "Xe", "--source", "file"], ["'file'", "table, compute"]),
    "atom: picture": (["atom", "Xe", "--plot", "no/x.png"], ["no/x.png", "cannot be written"]),
    "atom: no such file": (["atom", "no.npz"], ["no.npz", "cannot be read"]),
    "atom: no table": (["atom", __file__], ["test_cli.py", ".npz or .txt"]),
    "atom: option of an element": (["atom", "x.npz", "--exchange", "1"], ["--exchange", "x.npz"]),
    "atom build: exchange": (
        ["atom", "build", "Xe", "--exchange", "0.4", "--out", "x.npz"],
        ["exchange = 0.4", "[0.5, 1.5]"],
    ),
    "atom build: no name": (["atom", "build", "Xe"], ["--out"]),
    "folder that is a file": (["limit", "xenonnt-sr0", "--out", __file__], ["--out", "folder"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case, capsys):
    arguments, words = BAD[case]
    line = refused(capsys, *arguments)
    for word in words:
        assert word in line


def test_a_damaged_table_is_refused(capsys, tmp_path_factory):
    damaged = tmp_path_factory.mktemp("elsewhere") / "bad.npz"
    damaged.write_bytes((SHIPPED / "He.npz").read_bytes()[:3000])
    assert "bad.npz" in refused(capsys, "atom", damaged)


def test_malformed_file_is_refused(capsys, tmp_path):
    (tmp_path / "broken.toml").write_text("title = 'x'\n[source\n")
    line = refused(capsys, "limit", tmp_path / "broken.toml")
    assert "broken.toml" in line and "line 2" in line


def test_help_teaches(capsys):
    names = (
        "limit", "forecast", "design", "rate", "cross-section", "flux", "atom", "atom build",
        "examine",
        "experiments",
    )  # fmt: skip
    for command in names:
        with pytest.raises(SystemExit) as stop:
            main([*command.split(), "--help"])
        text = capsys.readouterr().out
        assert stop.value.code == 0
        example = f"  jaxnu {command} " if command != "experiments" else "jaxnu experiments show"
        assert example in text.split("usage:")[1], "an example to copy"


def test_installed_command_runs_from_site_packages(tmp_path):
    """In an empty folder, in another process, the installed package answers."""
    distribution = importlib.metadata.distribution("jaxnu-moment")
    if '"editable": true' in (distribution.read_text("direct_url.json") or ""):
        pytest.skip("an editable installation imports the checkout, not site-packages")
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    where = "import jaxnu; print(jaxnu.__file__)"
    run = [
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            env=clean,
            cwd=tmp_path,
            timeout=600,
        )
        for command in (
            [sys.executable, "-c", where],
            [Path(sys.executable).with_name("jaxnu"), "--version"],
        )
    ]
    assert "site-packages" in run[0].stdout
    assert run[1].stdout.split() == ["jaxnu", distribution.version]


@pytest.mark.slow
def test_limit_with_a_continuum_model(capsys):
    """Tens of thousands of Q and E nodes for each T: a few T at a time fit into memory."""
    assert main(["limit", "xenonnt-sr0", "--response", "hydrogenic", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    # one 1s electron bound by 39.7 keV in the place of 54 electrons: hardly a signal in the bins
    print(f"one bound electron: {result['limit_mu_B']:.3e}, {result['convergence']:.1e}")
    assert result["limit_mu_B"] > 1e-10 and result["convergence"] < 1e-3


def test_a_reader_that_stops_early_sees_no_traceback(tmp_path):
    command = [sys.executable, "-c", "import sys, jaxnu.cli; sys.exit(jaxnu.cli.console())", "cite"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert "Traceback" not in errors and "BrokenPipe" not in errors


@pytest.mark.slow
def test_an_interruption_while_programs_are_compiled(tmp_path):
    """Two threads compile then: it ends at once, and as interrupted, not by a crash."""
    words = f"limit xenonnt-sr0 --response free --out {tmp_path / 'out'}".split()
    run = "import sys, jaxnu.cli; sys.exit(jaxnu.cli.console())"
    command = [sys.executable, "-c", run, *words]
    cold = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    cold["JAXNU_CACHE_DIR"] = str(tmp_path / "cache")
    with subprocess.Popen(command, env=cold, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        while said and "reading" not in said:
            said = process.stderr.readline()
        time.sleep(2.0)
        assert process.poll() is None, "it ended before it could be interrupted"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    print(process.returncode, rest)
    assert process.returncode == 130 and "jaxnu: interrupted" in rest and "Traceback" not in rest
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("limit borexino-2017", "no background model"),
        ("limit gemma", "has no counts"),
        ("fit borexino-2017", "no background model"),
        ("design gemma --free foo --cost cost.toml", "free parameter = 'foo' is unknown"),
        ("design gemma --free exposure --cost cost.toml --target-limit -3", "--target-limit = -3"),
        ("toys xenonnt-sr0 --process 0", "--process = 0 without --distributed"),
        ("toys borexino-2017", "no background model"),
        ("toys xenonnt-sr0 --checkpoint toys-xenonnt-sr0.json", "give another name"),
        ("limit xenonnt-sr0 --pyhf limit-xenonnt-sr0.json", "give another name"),
        ("limit xenonnt-sr0 --out new --confidence-level 90", "confidence_level = 90"),
        ("limit xenonnt-sr0 --confidence-level 0.9999999999999999", "is outside [0.001, 1)"),
        ("limit gemma --out new", "has no counts"),
    ],
)
def test_what_is_refused_is_refused_before_the_work(words, said, capsys, monkeypatch):
    def no_atom(*_):
        raise AssertionError("an atom was built")

    assert main(["design", "--new", "cost.toml"]) == 0
    for name in ("limit.named_responses", "fit.named_responses", "design.named_response",
                 "toys.named_response"):  # fmt: skip
        monkeypatch.setattr(f"jaxnu.commands.{name}", no_atom)
    capsys.readouterr()
    assert main(words.split()) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    print(error)
    assert len(error) == 1 and said in error[0]
    assert not Path("new").exists()


def test_a_cache_that_cannot_be_written_is_said_in_a_line(monkeypatch, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("JAXNU_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(CacheWarning, match="JAXNU_CACHE_DIR") as seen:
        enable_compilation_cache()
    assert len(str(seen[0].message).splitlines()) == 1
    assert jax.config.jax_compilation_cache_dir == before


def test_a_cache_of_programs_says_nothing(tmp_path):
    """Of programs found in the cache XLA writes long lines with the word error."""
    command = [sys.executable, "-c", "import sys, jaxnu.cli; sys.exit(jaxnu.cli.console())",
               "rate", "xenonnt-sr0", "--response", "free"]  # fmt: skip
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "TF_"))}
    quiet["JAXNU_CACHE_DIR"] = str(tmp_path)
    for _ in range(2):
        done = subprocess.run(
            command, env=quiet, capture_output=True, text=True, check=True, timeout=600
        )
    lines = done.stderr.splitlines()
    assert all(line.startswith("jaxnu:") for line in lines if line), lines
