"""Make the .ipynb of every # %% script in this folder: python notebooks/make_ipynb.py

The notebooks are made, never edited; a test compares them with the scripts.
"""

import json
import re
from pathlib import Path
from typing import Any

MARKER = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


def cells(script: str) -> list[dict[str, Any]]:
    """The cells of a # %% script; text before the first marker is refused."""
    head, *parts = MARKER.split(script)
    if head.strip():
        raise ValueError(f"text before the first '# %%' line: {head.strip().splitlines()[0]!r}")
    return [
        _cell(number, markdown=kind is not None, body=body.strip("\n"))
        for number, (kind, body) in enumerate(zip(parts[::2], parts[1::2], strict=True))
    ]


def _cell(number: int, markdown: bool, body: str) -> dict[str, Any]:
    if markdown:
        body = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines())
    common = {"id": f"cell-{number}", "metadata": {}, "source": body.splitlines(keepends=True)}
    if markdown:
        return {"cell_type": "markdown", **common}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **common}


def notebook(script: str) -> str:
    """The .ipynb text of a # %% script, without outputs."""
    content = {
        "cells": cells(script),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def scripts() -> list[Path]:
    return sorted(Path(__file__).parent.glob("[0-9]*.py"))


if __name__ == "__main__":
    for path in scripts():
        path.with_suffix(".ipynb").write_text(
            notebook(path.read_text(encoding="utf-8")), encoding="utf-8"
        )
        print(path.with_suffix(".ipynb"))
