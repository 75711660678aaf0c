"""Output paths: links are followed, what is no regular file is refused and left alone."""

import os
import stat
from pathlib import Path

import pytest

from jaxnu.cli import main
from jaxnu.errors import InputError
from jaxnu.files import atomic_path, check_writable, write_text


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(call, path, reason):
    with pytest.raises(InputError) as error:
        call()
    line = str(error.value)
    assert line.startswith(f"{str(path)!r} cannot be written: {reason}") and "\n" not in line


@pytest.mark.parametrize("link", [False, True])
def test_a_pipe_is_refused_and_stays_a_pipe(link, tmp_path):
    os.mkfifo("pipe")
    path = Path("link" if link else "pipe")
    if link:
        path.symlink_to("pipe")
    refused(lambda: check_writable(path), path, "it is a pipe")
    refused(lambda: write_text(path, "text"), path, "it is a pipe")
    assert stat.S_ISFIFO(Path("pipe").lstat().st_mode) and path.is_symlink() == link
    assert len(list(tmp_path.iterdir())) == 1 + link, "no temporary file is left"


def test_a_device_and_a_folder_are_refused():
    refused(lambda: check_writable(Path("/dev/null")), Path("/dev/null"), "it is a pipe, a device")
    Path("folder").mkdir()
    for call in (lambda: check_writable(Path("folder")), lambda: write_text(Path("folder"), "")):
        refused(call, Path("folder"), "it is a folder")


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(there):
    """In another folder, relative, through two links; the target exists or not yet."""
    Path("store").mkdir()
    target = Path("store/real.txt")
    if there:
        target.write_text("old")
    Path("store/second").symlink_to("real.txt")
    link = Path("first")
    link.symlink_to("store/second")
    check_writable(link)
    assert target.exists() == there
    write_text(link, "new")
    assert link.is_symlink() and Path("store/second").is_symlink()
    assert target.read_text() == link.read_text() == "new" and not target.is_symlink()
    assert {p.name for p in Path("store").iterdir()} == {"real.txt", "second"}


def test_links_that_lead_nowhere_are_refused():
    Path("loop").symlink_to("loop")
    Path("away").symlink_to("no/such/folder.txt")
    for name in ("loop", "away"):
        refused(lambda path=Path(name): check_writable(path), name, "")
        refused(lambda path=Path(name): write_text(path, "text"), name, "")
        assert Path(name).is_symlink()


def test_an_error_leaves_the_target_as_it_was():
    Path("real.txt").write_text("old")
    Path("link").symlink_to("real.txt")
    with pytest.raises(ZeroDivisionError), atomic_path(Path("link")) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert Path("link").read_text() == "old" and len(list(Path().iterdir())) == 2


def test_a_command_refuses_a_pipe_in_one_line(capsys):
    os.mkfifo("pipe")
    assert main(["rate", "gemma", "--response", "free", "--csv", "pipe"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(lines) == 1 and "'pipe' cannot be written: it is a pipe" in lines[0]
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
