"""The whole examination of helium, its report and its refusals."""

import json
import re

import numpy as np
import pytest

from jaxnu.errors import InputError
from jaxnu.examination import examine
from jaxnu.examination.report import report_markdown, summary_lines
from jaxnu.plot_examination import plot_examination


@pytest.fixture(scope="module")
def result(helium):
    return examine("He", 100.0, atom=helium)


@pytest.mark.slow
def test_numbers_of_helium(result, helium, agree):
    assert result.Z == 2 and result.labels == ("K",) and result.range_keV[0] == 0.01
    assert result.range_keV[1] == pytest.approx(0.98 * 2e4 / (510.99895 + 200.0))
    there = (result.curves.T_keV >= 0.2) & (result.curves.T_keV < 10.0)
    agree("central field over free", result.curves.total[there], result.curves.free[there], 0.011)
    assert result.dispersion.F_zero == 4.0
    agree("F(E,0), elastic part", result.dispersion.elastic[:, 0], np.full(3, 4.0), 0.02)
    agree("Z_eff", result.dispersion.integral_zero, np.full(3, 2.0), 0.03)
    agree("f-sum", result.sums.f_independent, np.ones(len(result.sums.Q_keV)), 1e-3)
    share, _ = result.transverse_share
    assert 0.0 < share < 1e-3
    (k,) = result.departures
    assert 0.75 < k.lowest < 0.8 and k.highest < 1.01
    model = float(helium.model_thresholds_keV[0])
    assert k.edge_ratio == pytest.approx(k.edge_keV / model) and 0.9 < k.edge_ratio < 1.1


def test_json_holds_every_number(result):
    text = json.dumps(result.as_dict(), allow_nan=False)
    again = json.loads(text)
    assert again["curves"]["T_keV"] == result.curves.T_keV.tolist()
    assert {"conditions", "integrands", "current_ratios", "departures", "excitation", "sums",
            "dispersion", "hydrogen", "orbitals", "outlook"} <= set(again)  # fmt: skip


def test_the_report_says_it(result):
    names = ("cross-sections", "integrand", "currents", "charges", "departures", "dispersion",
             "excitation", "outlook")  # fmt: skip
    text = report_markdown(result, {name: f"He-{name}.png" for name in names})
    for words in ("equivalent photon", "Z²", "Why it fails", "independent-particle", "T/T_model",
                  "T ≪ m", "bound–bound lines"):  # fmt: skip
        assert words in text, words
    assert all(f"(He-{name}.png)" in text for name in names)
    assert len(summary_lines(result)) == 10
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 12
    for table in tables:
        columns = {line.count("|") for line in table.splitlines()}
        assert len(columns) == 1, table


@pytest.mark.slow
def test_every_picture_is_drawn(result, tmp_path):
    drawn = plot_examination(result, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"He-{name}.png" for name in drawn}
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in drawn.values())


def test_refusals(helium):
    for arguments, words in (
        (("He", 1.0), "E_keV = 1 keV is outside [5, 1e+06]"),
        (("He", float("nan")), "E_keV = nan keV"),
        (("He", 100.0, 1.0), "mu = 1 μ_B"),
        (("He", 100.0, 0.0), "leaves nothing to examine"),
        (("Xx", 100.0), "target = 'Xx'"),
        (("NaI", 100.0), "is no single atom"),
        (("Pb", 100.0), "target = 'Pb'"),
        (("He", 100.0, 1e-11, "modle"), "thresholds = 'modle'"),
    ):
        with pytest.raises(InputError) as refusal:
            examine(*arguments)
        print(refusal.value)
        assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
