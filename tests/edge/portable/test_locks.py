"""Locks on folders: of the folder itself, and of a file beside it as on Windows."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.portable import locks
from edge.portable.locks import locked

HOLD = """
import sys
from pathlib import Path
from edge.portable import locks
if sys.argv[2] == "without":
    locks.fcntl = None
with locks.locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["with", "without"])
def fcntl(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether this system has the module of Linux and macOS."""
    if request.param == "without":
        monkeypatch.setattr(locks, "fcntl", None)
    return str(request.param)


def test_a_second_one_is_refused_until_the_first_has_ended(fcntl: str, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    with locked(folder), pytest.raises(BlockingIOError), locked(folder):
        pass
    with locked(folder):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["one"], "no lock file stays"


def test_an_exception_gives_it_back(fcntl: str, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt), locked(folder):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_killed_process_gives_it_back(fcntl: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), fcntl], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), locked(tmp_path):
            pass
        other.kill()
        other.wait()
    with locked(tmp_path):
        pass


def test_a_folder_that_is_not_there(fcntl: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "none"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_cannot_be_made_is_no_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    (tmp_path / "one").mkdir()
    (tmp_path / "one.lock").mkdir()  # in the place of the file; permissions do not stop root
    with pytest.raises(PermissionError, match="unable to open"), locked(tmp_path / "one"):
        pass


def test_a_folder_that_was_removed_while_it_was_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "one"
    folder.mkdir()

    def flock(*_: object) -> None:
        folder.rename(tmp_path / "gone")
        folder.mkdir()

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.raises(BlockingIOError), locked(folder):
        pass
