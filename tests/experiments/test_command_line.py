"""jaxnu's commands on a file of one's own: what they say, and exit 2 for a mistake."""

import pytest

from jaxnu.cli import main


@pytest.mark.parametrize(
    ("command", "change", "words"),
    [
        (["experiments", "show"], ('"20 eV"', '"20 kg"'), "detector.efficiency.width = '20 kg'"),
        (["flux"], ('"3 GW"', '"3 m"'), "source.power = '3 m'"),
        (["forecast"], ('element = "Ge"', 'element = "Gi"'), "target.element"),
    ],
)
def test_a_mistake_is_exit_2_with_one_line(base, capsys, command, change, words):
    base()
    base.path.write_text(base.path.read_text().replace(*change))
    assert main([*command, str(base.path)]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("jaxnu: error: ") and "mine.toml" in message and words in message


def test_flux_of_a_file_is_drawn(base, capsys):
    cores = "".join(
        f'[[source.core]]\npower = "{P} GW"\ndistance = "{L} m"\n' for P, L in ((3, 14), (2, 50))
    )
    base(('power = "3 GW"\ndistance = "14 m"\n', cores))
    picture = base.folder / "flux.png"
    assert main(["flux", str(base.path), "--plot", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "3 GW at 14 m, 2 GW at 50 m" in text and "239Np" in text
    assert picture.stat().st_size > 10_000


def test_the_template_is_a_file_that_loads(tmp_path, capsys):
    path = str(tmp_path / "new.toml")
    assert main(["experiments", "new", path]) == 0
    assert main(["experiments", "show", path]) == 0
    assert "Ge, 300 kg d" in capsys.readouterr().out
    for word in ("[[source.core]]", "chromium-51", "tritium", '"line"', '"csv"', "quenching",
                 "matrix", "solar-fluxes", "recoil"):  # fmt: skip
        assert word in (tmp_path / "new.toml").read_text(encoding="utf-8"), word
