"""The notebooks run as plain Python, and each .ipynb is the one made from its script."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
SCRIPTS = sorted(FOLDER.glob("[0-9]*.py"))


def load_maker():
    specification = importlib.util.spec_from_file_location("maker", FOLDER / "make_ipynb.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_ipynb_is_in_step_with_its_script(script):
    made = load_maker().notebook(script.read_text(encoding="utf-8"))
    kept = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert kept == made, "run python notebooks/make_ipynb.py"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_ipynb_holds_the_code_of_its_script_and_no_outputs(script):
    """Read back as JSON: every code line is there, in order, and compiles."""
    kept = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in kept["cells"] if cell["cell_type"] == "code"]
    text = script.read_text(encoding="utf-8")
    lines = [line for cell in code for line in cell.splitlines() if line.strip()]
    start = 0
    for line in lines:
        start = text.index(line, start) + len(line)
    print(f"{script.name}: {len(kept['cells'])} cells, {len(lines)} lines of code")
    assert len(lines) > 50
    for cell in code:
        compile(cell, script.name, "exec")
    assert all(cell["outputs"] == [] for cell in kept["cells"] if cell["cell_type"] == "code")


def test_maker_refuses_text_before_the_first_cell():
    with pytest.raises(ValueError, match="import os"):
        load_maker().cells("import os\n# %%\n1\n")


def test_maker_keeps_order_kind_and_blank_lines():
    made = load_maker().cells("# %% [markdown]\n# # A\n#\n# b\n\n# %%\nx = 1\n\n\ny = 2\n")
    assert [cell["cell_type"] for cell in made] == ["markdown", "code"]
    assert "".join(made[0]["source"]) == "# A\n\nb"
    assert "".join(made[1]["source"]) == "x = 1\n\n\ny = 2"


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs_and_saves_its_picture(script, tmp_path):
    environment = {**os.environ, "JAXNU_NOTEBOOK_SMALL": "1"}
    environment.pop("DISPLAY", None)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "out")],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    pictures = list((tmp_path / "out").glob("*.png"))
    assert pictures
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"], "files outside the folder"
