"""The shipped tables are the ones that jaxnu/data/README.md describes."""

import hashlib
import re
from pathlib import Path

import jaxnu

DATA = Path(jaxnu.__file__).parent / "data"
TEXTS = sorted(
    [*DATA.glob("*.csv"), *DATA.glob("*.toml"), *DATA.glob("../experiments/catalogue/*.toml")]
)
ATOMS = sorted(DATA.glob("atoms/*.npz"))
README = (DATA / "README.md").read_text(encoding="utf-8")


def test_checksums_in_the_readme_are_those_of_the_files():
    written = {
        (DATA / name).resolve(): digest
        for digest, name in re.findall(r"^    ([0-9a-f]{64})  (\S+)$", README, re.MULTILINE)
    }
    found = {
        path.resolve(): hashlib.sha256(path.read_bytes()).hexdigest() for path in [*TEXTS, *ATOMS]
    }
    differing = [path.name for path in found if written.get(path) != found[path]]
    print(f"{len(found)} tables; checksum missing or different: {differing or 'none'}")
    assert len(found) >= 15
    assert written == found


def test_every_table_has_a_row_in_the_readme():
    rows = re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE)
    assert {path.resolve() for path in TEXTS} <= {(DATA / row).resolve() for row in rows}
    assert all((DATA / row).exists() for row in rows)


def test_every_table_says_where_it_comes_from():
    """A source in the comment at its top, or a citation among its keys."""
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("#"), path.name
        assert re.search(r"Source:|publication|\bcitation = ", text), path.name


def test_tables_of_atoms_are_small():
    sizes = {path.stem: path.stat().st_size / 1e6 for path in ATOMS}
    print(", ".join(f"{name} {size:.2f} MB" for name, size in sizes.items()))
    assert {"He", "Ne", "Na", "Ar", "Si", "Ge", "Kr", "I", "Xe", "Cs"} <= set(sizes)
    assert max(sizes.values()) <= 3.0
