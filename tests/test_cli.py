"""The command line: what it prints and writes, and how it refuses."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxnu.cli import main

PNG = b"\x89PNG\r\n\x1a\n"


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


def test_forecast_of_gemma(capsys):
    assert main(["forecast", "gemma", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    print(f"gemma, ON with a floating flat background: {result['limit_mu_B']:.3e} (asked 3.6e-11)")
    assert result["data"] == "Asimov"
    assert result["limit_mu_B"] == pytest.approx(3.6e-11, rel=0.05)
    assert Path("forecast-gemma.png").read_bytes()[:8] == PNG


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


BAD = {
    "unknown experiment": (["limit", "xenonnt"], ["'xenonnt'", "xenonnt-sr0"]),
    "a forecast has no counts": (["limit", "gemma"], ["gemma", "counts", "forecast"]),
    "unknown model": (["limit", "xenonnt-sr0", "--response", "steping"], ["'steping'", "stepping"]),
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
    "negative mu": (["rate", "gemma", "--mu", "-1e-11"], ["mu = -1e-11", "[0, 1e-06]"]),
    "picture into a folder": (["rate", "gemma", "--plot", "/"], ["'/'", "folder"]),
    "table without a folder": (["rate", "gemma", "--csv", "no/x.csv"], ["no/x.csv"]),
    "a list has no name": (["experiments", "list", "gemma"], ["'gemma'", "show"]),
    "unknown command": (["limits"], ["limits"]),
    "folder that is a file": (["limit", "xenonnt-sr0", "--out", __file__], ["--out", "folder"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case, capsys):
    arguments, words = BAD[case]
    line = refused(capsys, *arguments)
    for word in words:
        assert word in line


def test_malformed_file_is_refused(capsys, tmp_path):
    (tmp_path / "broken.toml").write_text("title = 'x'\n[source\n")
    line = refused(capsys, "limit", tmp_path / "broken.toml")
    assert "broken.toml" in line and "line 2" in line


def test_help_teaches(capsys):
    for command in ("limit", "forecast", "rate", "cross-section", "experiments"):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
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
        subprocess.run(command, capture_output=True, text=True, check=True, env=clean, cwd=tmp_path)
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
