"""One command at a time beside the pages, bounded; and the sticks that exports go to."""

import threading
import time
from pathlib import Path

import pytest

from edge.errors import UnavailableError
from edge.pages.errands import errands as module
from edge.pages.errands.download import sweep
from edge.pages.errands.errands import BusyError, Ended, Errands, bounded
from edge.pages.errands.sticks import find_stick, find_sticks
from edge.processes.process import Command
from edge.processes.run import run


def ended(errands: Errands, name: str) -> Ended:
    until_s = time.monotonic() + 60
    while errands.running() is not None:
        assert time.monotonic() < until_s
        time.sleep(0.02)
    found = errands.ended(name)
    assert found is not None
    return found


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errands whose words are a line of the shell."""
    monkeypatch.setattr(module, "bounded", lambda words, memory: Command(["sh", "-c", words[0]]))


@pytest.mark.process
@pytest.mark.usefixtures("scripted")
class TestErrands:
    def test_how_it_ended_is_kept(self) -> None:
        errands = Errands()
        errands.begin("one", ["echo done; echo 'a\033[2J' >&2; exit 3"], 60.0)
        found = ended(errands, "one")
        assert (found.finished.status, found.is_well) == (3, False)
        assert (found.printed, found.lines, found.why) == (["done"], ["a?[2J"], "a?[2J")

    def test_there_is_one_at_a_time(self) -> None:
        errands = Errands()
        errands.begin("first", ["echo so far >&2; sleep 60"], 60.0)
        with pytest.raises(BusyError, match="first goes on"):
            errands.begin("second", ["true"], 60.0)
        with pytest.raises(BusyError), errands.held("third"):
            raise AssertionError
        running = errands.running()
        assert running is not None
        until_s = time.monotonic() + 30
        while running.latest != "so far":
            assert time.monotonic() < until_s
            time.sleep(0.02)
        errands.cancel()
        assert ended(errands, "first").finished.killed_for == "cancelled"
        errands.begin("second", ["true"], 60.0)
        assert ended(errands, "second").is_well

    def test_one_that_takes_too_long_is_killed(self) -> None:
        errands = Errands()
        errands.begin("slow", ["sleep 60"], 0.2)
        assert ended(errands, "slow").finished.killed_for == "time"

    def test_one_that_prints_without_end_is_killed(self) -> None:
        errands = Errands()
        errands.begin("loud", ["yes"], 60.0)
        assert ended(errands, "loud").finished.killed_for == "output"

    def test_one_that_cannot_begin_is_no_errand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_thread(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        errands = Errands()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            with pytest.raises(UnavailableError, match="first cannot begin: can't start new thread: try again later"):
                errands.begin("first", ["true"], 60.0)
        assert errands.running() is None
        errands.begin("second", ["true"], 60.0)
        assert ended(errands, "second").is_well

    def test_nothing_to_cancel_is_no_fault(self) -> None:
        Errands().cancel()


@pytest.mark.process
def test_a_command_is_bounded_and_has_the_least_priority(tmp_path: Path) -> None:
    """What it runs is `python -m edge`; one of that name in its place shows what it was given."""
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge/__main__.py").write_text(
        "import os, resource, sys\n"
        "print(os.nice(0), resource.getrlimit(resource.RLIMIT_DATA)[0], sys.argv[1:])\n"
        "try:\n    bytearray(1 << 30)\nexcept MemoryError:\n    print('refused')\n"
    )
    command = bounded(["export", "--out", "-"])
    line = "import sys; sys.argv = sys.argv[1:]; import os; import edge.pages.errands.bounded as b; "
    line += f"os.environ['PYTHONPATH'] = {str(tmp_path)!r}; b.main()"
    words = [command.words[0], "-P", "-c", line, *command.words[3:]]
    done = run(Command(words, command.variables), 60.0)
    assert done.output.decode().splitlines() == [f"19 {module.MEMORY} ['export', '--out', '-']", "refused"], done.errors


MOUNTS = """\
21 1 8:2 / / rw - ext4 /dev/root rw
30 21 8:17 / {media}/my\\040stick rw - vfat /dev/sdb1 rw
31 21 0:40 / {media}/net rw - nfs server:/x rw
32 21 8:33 / {media}/pulled rw - vfat /dev/sdc1 rw
33 21 0:41 / {media}/auto rw - autofs systemd-1 rw
34 21 8:49 / {other}/elsewhere rw - vfat /dev/sdd1 rw
35 21 8:17 / {media}/my\\040stick rw - vfat /dev/sdb1 rw
"""


def test_sticks_are_disks_below_their_places(tmp_path: Path) -> None:
    media, other = tmp_path / "media", tmp_path / "other"
    (media / "my stick").mkdir(parents=True)
    (other / "elsewhere").mkdir(parents=True)
    info = tmp_path / "mountinfo"
    info.write_text(MOUNTS.format(media=media, other=other))
    found = find_sticks(info, (str(media),))
    assert [(one.id, one.name) for one in found] == [("8:17", "my stick"), ("8:33", "pulled")]
    assert (found[0].fault, found[0].free > 0) == (None, True)
    assert found[1].fault == "No such file or directory"
    assert find_stick("8:17", found) == found[0]
    for strange in ("", "8:49", "8:170", str(media / "my stick")):
        assert find_stick(strange, found) is None


def test_this_machine_can_be_asked() -> None:
    assert isinstance(find_sticks(), list)


def test_what_killed_pages_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "download-x/fieldfare-export-y").mkdir(parents=True)
    (tmp_path / "password.json").write_text("{}")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["password.json"]
    sweep(tmp_path / "missing")
