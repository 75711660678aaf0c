"""The table of equations in docs/theory.md names functions and tests that exist."""

import ast
import re
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if re.match(r"\| (\d|claim|outlook)", line)]


def test_every_equation_is_there():
    named = {int(n) for row in ROWS for n in re.findall(r"\d+", row.split("|")[1])}
    assert named == set(range(1, 18))


def test_functions_exist():
    functions = re.findall(r"`(jaxnu[\w.]*):([\w.]+)`", TEXT)
    assert len(functions) >= len(ROWS)
    for module, name in functions:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found), name


def test_tests_exist():
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert len(tests) >= len(ROWS)
    for path, name in tests:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in names, f"{path} has no {name}"


def test_every_row_has_a_function_and_a_test():
    assert all("`jaxnu." in row and "`tests/" in row for row in ROWS)
