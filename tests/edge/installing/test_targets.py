"""Places that are not as the installer left them: links, other owners, hand-made installations, no room."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from made_kits import Device, make_kit

from edge.errors import OutputExistsError, StorageError
from edge.installing.present import find

FOLDERS = ["opt/fieldfare", "opt/fieldfare/versions", "etc/fieldfare"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_link_in_place_of_a_folder_is_not_followed(device: Device, kit: Path, tmp_path: Path, folder: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (device.root / folder).parent.mkdir(exist_ok=True)
    (device.root / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputExistsError, match="is no folder, but a link"):
        device.install(kit)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_others_may_write_to_is_refused(device: Device, kit: Path, folder: str) -> None:
    (device.root / folder).mkdir(parents=True)
    (device.root / folder).chmod(0o777)
    with pytest.raises(OutputExistsError, match=r"mode 777: only root may be able to write there: sudo chown root:"):
        device.install(kit)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_refused(device: Device, kit: Path) -> None:
    (device.root / "etc/fieldfare").mkdir(mode=0o755)
    os.chown(device.root / "etc/fieldfare", 1000, 1000)
    with pytest.raises(OutputExistsError, match="belongs to user 1000"):
        device.install(kit)


@pytest.mark.parametrize(
    "target",
    ["etc/fieldfare/bundle.fieldfare", "etc/systemd/system/fieldfare.service", "etc/sysusers.d/fieldfare.conf"],
)
def test_a_link_in_place_of_a_file_is_replaced_and_what_it_leads_to_stays(
    device: Device, kit: Path, tmp_path: Path, target: str
) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("secret")
    (device.root / target).parent.mkdir(mode=0o755, exist_ok=True)
    (device.root / target).symlink_to(secret)
    device.install(kit)
    assert secret.read_text() == "secret"
    assert not (device.root / target).is_symlink()


@pytest.mark.parametrize("name", [".bundle.fieldfare.partial", ".fieldfare.toml.link"])
def test_a_link_under_the_name_of_a_partial_file_leads_nowhere(
    device: Device, kit: Path, tmp_path: Path, name: str
) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("secret")
    (device.root / "etc/fieldfare").mkdir(mode=0o755)
    (device.root / "etc/fieldfare" / name).symlink_to(secret)
    device.install(kit)
    assert secret.read_text() == "secret"


def test_a_virtual_environment_that_was_made_by_hand_is_refused_with_the_remedy(device: Device, kit: Path) -> None:
    (device.root / "opt/fieldfare/bin").mkdir(parents=True, mode=0o755)
    before = device.tree()
    with pytest.raises(OutputExistsError, match=r"made by hand .* sudo rm -r .*/opt/fieldfare$"):
        device.install(kit)
    assert device.tree() == before


def test_a_current_version_that_is_none_is_refused(device: Device, kit: Path) -> None:
    (device.root / "opt/fieldfare").mkdir(mode=0o755)
    (device.root / "opt/fieldfare/current").symlink_to("/tmp")
    with pytest.raises(OutputExistsError, match="leads to /tmp, which is no version"):
        device.install(kit)


class Room(NamedTuple):
    """What statvfs reports."""

    f_bavail: int
    f_frsize: int = 1
    f_flag: int = 0
    f_files: int = 0
    f_favail: int = 0


def test_without_room_nothing_is_begun(device: Device, kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = device.tree()
    monkeypatch.setattr(os, "statvfs", lambda _: Room(1_000_000))
    with pytest.raises(StorageError, match=r"1 MB are free, and the installation takes 1 MB and leaves 67 MB free"):
        device.install(kit)
    monkeypatch.setattr(os, "statvfs", lambda _: Room(1 << 40, f_files=9, f_favail=3))
    with pytest.raises(StorageError, match="room for 3 more files"):
        device.install(kit)
    monkeypatch.setattr(os, "statvfs", lambda _: Room(1 << 40, f_flag=os.ST_RDONLY))
    with pytest.raises(StorageError, match="read-only disk"):
        device.install(kit)
    assert device.tree() == before


def test_the_version_before_makes_room_if_that_is_enough(
    device: Device, kit: Path, newer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.install(kit)
    device.install(newer)
    old = find(device.layout).previous
    assert old
    (device.layout.venv(old) / "large").write_bytes(b"\0" * (2 << 20))
    monkeypatch.setattr(os, "statvfs", lambda _: Room(68_000_000))
    assert device.install(make_kit(tmp_path / "third", "3.0")) == 0
    assert any("an older version, to make room" in line for line in device.said)
    assert old not in find(device.layout).complete


def test_an_overlay_in_memory_is_pointed_out(device: Device, kit: Path) -> None:
    (device.root / "proc/self/mounts").write_text("overlay / overlay rw 0 0\n")
    device.install(kit)
    assert any("gone at the next boot" in line for line in device.said)
