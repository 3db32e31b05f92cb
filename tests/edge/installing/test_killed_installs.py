"""Power that is lost at any step of an installation: the old version is there or the new one, whole, and the next
installation mends what is left."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from made_devices import Device, StandIns, files_of, make_device, make_kit

from edge.errors import UnavailableError
from edge.installing.layout import Layout
from edge.installing.present import find
from edge.installing.system.locking import locked
from edge.installing.system.programs import Outcome

CHANGES = ("os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.chmod", "os.chown", "shutil.rmtree")
SETTINGS = b'bundle = "/etc/fieldfare/bundle.fieldfare"\ncamera.fps = %d\n'
WATCHED = {
    "etc/fieldfare/fieldfare.toml": "camera.fps = {}",
    "etc/fieldfare/bundle.fieldfare": "bundle of {}.0",
    "etc/systemd/system/fieldfare.service": "# {}.0",
    "etc/systemd/system/fieldfare@.service": "# {}.0",
}


def run_until(work: Callable[[], object], root: Path, call: int) -> bool:
    """Run `work` in a process that is killed just before the file-system call of this number below `root`. Return False
    if it ended before."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def watch(event: str, arguments: Sequence[object]) -> None:
            nonlocal count
            if event in ("open", *CHANGES) and arguments and str(arguments[0]).startswith(str(root)):
                count += 1
                if count == call:
                    os._exit(137)

        sys.addaudithook(watch)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 137)
    return status == 137


def kit_of(folder: Path, number: int) -> Path:
    files = {**files_of(f"{number}.0"), "fieldfare.toml": SETTINGS % number}
    return make_kit(folder / f"kit-{number}", f"{number}.0", files)


def seen(device: Device) -> set[int]:
    """Return which versions the files of the device are of, as the service and systemd would find them."""
    found = set()
    for path, mark in WATCHED.items():
        text = device.text(path)
        found |= {number for number in (1, 2) if mark.format(number) in text}
    scripts = (device.root / "opt/fieldfare/bin/fieldfare").read_text()
    return found | {number for number in (1, 2) if f"/{number}.0-" in scripts}


def assert_settled(device: Device, number: int) -> None:
    assert seen(device) == {number}
    tree = device.tree()
    assert not [path for path in tree if ".partial" in path or path.endswith(".link")]
    assert not [path for path, text in tree.items() if path.startswith("etc/") and "/current/" in text and "->" in text]
    assert not find(device.layout).leftovers


@pytest.mark.slow
def test_an_upgrade_that_is_killed_anywhere_leaves_the_old_version_or_the_new_one(tmp_path: Path, memory: Path) -> None:
    kits = [kit_of(tmp_path, number) for number in (1, 2)]
    switched = []
    for call in range(1, 1000, 2):
        device = make_device(memory / f"device-{call}")
        device.install(kits[0])
        if not run_until(lambda device=device: device.install(kits[1]), device.root, call):  # type: ignore[misc]
            break
        versions = seen(device)
        assert len(versions) == 1, f"killed at call {call}: {versions}"
        switched.append(versions == {2})
        device.programs.starts = 1
        assert device.install(kits[1 - call % 2]) == 0  # the new one again, or back to the old one
        assert_settled(device, 2 - call % 2)
    assert call > 100
    assert switched == sorted(switched)  # one moment


@pytest.mark.slow
def test_a_first_installation_that_is_killed_anywhere_is_mended_by_the_next(tmp_path: Path, memory: Path) -> None:
    kits = [kit_of(tmp_path, number) for number in (1, 2)]
    for call in range(1, 1000, 2):
        device = make_device(memory / f"device-{call}")
        if not run_until(lambda device=device: device.install(kits[0]), device.root, call):  # type: ignore[misc]
            break
        assert device.install(kits[call % 2]) == 0
        assert_settled(device, call % 2 + 1)
        assert "etc/systemd/system/multi-user.target.wants/fieldfare.service" in device.tree()
    assert call > 50


@pytest.mark.slow
def test_an_uninstallation_that_is_killed_anywhere_is_finished_by_the_next(tmp_path: Path, memory: Path) -> None:
    kit = kit_of(tmp_path, 1)
    for call in range(1, 1000, 2):
        device = make_device(memory / f"device-{call}")
        before = set(device.tree())
        device.install(kit)
        (device.root / "var/lib/fieldfare").mkdir(mode=0o750)
        (device.root / "var/lib/fieldfare/events.db").write_text("events")
        ended = not run_until(device.uninstall, device.root, call)
        device.programs.has_user = True
        assert device.uninstall() == 0
        data = {path for path in device.tree() if path.startswith("var/lib/fieldfare/")}
        assert set(device.tree()) - data == before
        assert "var/lib/fieldfare/events.db" in data
        assert any(path.endswith("fieldfare.toml") for path in data)
        if ended:
            break
    assert call > 30


class Meeting(StandIns):
    """At the first program, try a second installation."""

    refused = ""

    def run(self, words: Sequence[str], limit_s: float = 0.0) -> Outcome:
        if not self.refused:
            try:
                with locked(Layout(self.root)):
                    pytest.fail("two installations at once")
            except UnavailableError as error:
                self.refused = str(error)
        return super().run(words, limit_s)


def test_two_installations_at_once_cannot_meet(device: Device, kit: Path) -> None:
    device.programs = Meeting(device.root)
    with locked(device.layout):
        device.install(kit)
    assert "another installation runs here" in device.programs.refused
    with locked(device.layout):
        pass


def test_the_lock_lasts_as_long_as_a_program_that_was_left_behind(device: Device) -> None:
    with locked(device.layout) as handle:
        left = os.dup(handle)  # as the program has it
    with pytest.raises(UnavailableError, match="was killed has left a program behind"), locked(device.layout):
        pass
    os.close(left)
    with locked(device.layout):
        pass
