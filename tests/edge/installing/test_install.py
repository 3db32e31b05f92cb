"""What an installation makes of a device: the first one, the same again, a newer one, an older one."""

import shutil
from pathlib import Path

import pytest
from made_kits import Device, files_of, make_kit

from edge.errors import ConfigError, DataError, UnavailableError
from edge.installing.origins.kit_folder import Installed
from edge.installing.present import find, kit_of

SETTINGS, BUNDLE = "etc/fieldfare/fieldfare.toml", "etc/fieldfare/bundle.fieldfare"
SERVICE, INSTANCE = "etc/systemd/system/fieldfare.service", "etc/systemd/system/fieldfare@.service"
CHANGED = b'bundle = "/etc/fieldfare/bundle.fieldfare"\ncamera.fps = 5\n'


def test_a_kit_becomes_a_service_that_starts_at_boot(device: Device, kit: Path) -> None:
    assert device.install(kit) == 0
    tree = device.tree()
    name = find(device.layout).current
    assert tree["opt/fieldfare/current"] == f"-> versions/{name}"
    assert tree["opt/fieldfare/bin"] == "-> current/venv/bin"
    assert tree["opt/fieldfare/pyvenv.cfg"] == "-> current/venv/pyvenv.cfg"
    assert tree[SETTINGS] == files_of("1.0")["fieldfare.toml"].decode()
    assert tree[BUNDLE] == "bundle of 1.0"
    assert "# 1.0" in tree[SERVICE]
    assert "# 1.0" in tree[INSTANCE]
    assert tree["etc/udev/rules.d/60-fieldfare-coral.rules"] == "# rules\n"
    assert tree["etc/sysusers.d/fieldfare.conf"].startswith("u fieldfare")
    assert "etc/systemd/system/multi-user.target.wants/fieldfare.service" in tree
    assert device.programs.has_user
    assert device.said[-1] == "fieldfare.service: first result: robin 0.93"


def test_what_a_kit_brings_and_nobody_asked_for_stays_in_its_folder(device: Device, kit: Path) -> None:
    device.install(kit)
    places = [path for path in device.tree() if path.endswith("network-camera.conf")]
    assert places == [f"opt/fieldfare/versions/{find(device.layout).current}/systemd/network-camera.conf"]


def test_the_same_again_changes_nothing(device: Device, kit: Path) -> None:
    device.install(kit)
    before, starts = device.tree(), device.programs.starts
    assert device.install(kit) == 0
    assert device.tree() == before
    assert device.programs.starts == starts
    assert "nothing was changed" in device.said[0]
    assert device.said[-1] == "fieldfare.service: first result: robin 0.93"


def test_a_service_that_was_switched_off_stays_off(device: Device, kit: Path, newer: Path) -> None:
    device.install(kit)
    device.programs.run(["systemctl", "disable", "fieldfare.service"])
    device.install(kit)
    device.install(newer)
    assert "etc/systemd/system/multi-user.target.wants/fieldfare.service" not in device.tree()
    assert "no service starts at boot" in device.said[-1]


def test_a_newer_version_replaces_all_that_nobody_changed(device: Device, kit: Path, tmp_path: Path) -> None:
    device.install(kit)
    files = {**files_of("2.0"), "fieldfare.toml": CHANGED}
    assert device.install(make_kit(tmp_path / "newer", "2.0", files)) == 0
    assert device.text(SETTINGS) == CHANGED.decode()
    assert device.text(BUNDLE) == "bundle of 2.0"
    assert device.text(f"{BUNDLE}.old") == "bundle of 1.0"
    assert "# 2.0" in device.text(SERVICE)
    assert not [path for path, text in device.tree().items() if path.startswith("etc/fieldfare") and "->" in text]
    assert device.programs.starts == 2


def test_settings_that_were_changed_on_the_device_stay(device: Device, kit: Path, tmp_path: Path) -> None:
    device.install(kit)
    (device.root / SETTINGS).write_text("# mine\n")
    files = {**files_of("2.0"), "fieldfare.toml": CHANGED}
    assert device.install(make_kit(tmp_path / "newer", "2.0", files)) == 0
    assert device.text(SETTINGS) == "# mine\n"
    assert device.text(f"{SETTINGS}.new") == CHANGED.decode()
    assert any("was changed on this device and stays" in line for line in device.said)


def test_settings_that_were_there_before_the_first_installation_stay(device: Device, kit: Path) -> None:
    (device.root / "etc/fieldfare").mkdir(mode=0o755)
    (device.root / SETTINGS).write_text("# mine\n")
    device.install(kit)
    assert device.text(SETTINGS) == "# mine\n"
    assert device.text(f"{SETTINGS}.new").startswith("bundle =")


def test_settings_that_are_a_link_stay_one(device: Device, kit: Path, newer: Path) -> None:
    device.install(kit)
    elsewhere = device.root / "boot.toml"
    shutil.move(device.root / SETTINGS, elsewhere)
    (device.root / SETTINGS).symlink_to(elsewhere)
    device.install(newer)
    assert (device.root / SETTINGS).is_symlink()


def test_a_unit_that_was_changed_by_hand_is_kept_beside(device: Device, kit: Path, newer: Path) -> None:
    device.install(kit)
    (device.root / SERVICE).write_text("# mine\n")
    device.install(newer)
    assert "# 2.0" in device.text(SERVICE)
    assert device.text(f"{SERVICE}.old") == "# mine\n"
    assert any("was changed by hand" in line for line in device.said)


def test_a_unit_that_the_new_version_lacks_goes(device: Device, tmp_path: Path, newer: Path) -> None:
    files = {**files_of("1.0"), "systemd/fieldfare-old.timer": b"[Timer]\n"}
    device.install(make_kit(tmp_path / "old", "1.0", files))
    assert "etc/systemd/system/fieldfare-old.timer" in device.tree()
    device.install(newer)
    assert "etc/systemd/system/fieldfare-old.timer" not in device.tree()


def test_a_unit_that_somebody_removed_comes_back(device: Device, kit: Path) -> None:
    device.install(kit)
    (device.root / INSTANCE).unlink()
    device.install(kit)
    assert "# 1.0" in device.text(INSTANCE)


def test_one_older_version_is_kept_to_go_back_to(device: Device, kit: Path, newer: Path, tmp_path: Path) -> None:
    device.install(kit)
    device.install(newer)
    device.install(make_kit(tmp_path / "third", "3.0"))
    present = find(device.layout)
    assert sorted(name.split("-")[0] for name in present.complete) == ["2.0", "3.0"]
    assert present.previous
    device.install(Installed(kit_of(device.layout, present.previous)))
    assert "# 2.0" in device.text(SERVICE)
    assert device.text(BUNDLE) == "bundle of 2.0"


def test_going_back_brings_the_bundle_that_was_put_there_by_hand(device: Device, kit: Path, newer: Path) -> None:
    device.install(kit)
    (device.root / BUNDLE).write_text("by hand")
    device.install(newer)
    assert device.text(f"{BUNDLE}.old") == "by hand"
    previous = find(device.layout).previous
    assert previous
    device.install(Installed(kit_of(device.layout, previous)))
    assert device.text(BUNDLE) == "by hand"


def test_an_older_kit_is_installed_as_any_other(device: Device, kit: Path, newer: Path) -> None:
    device.install(newer)
    assert device.install(kit) == 0
    assert "# 1.0" in device.text(SERVICE)


def test_a_version_that_cannot_read_what_is_there_is_refused_before_the_switch(
    device: Device, kit: Path, newer: Path
) -> None:
    device.install(newer)
    before = device.tree()
    complaint = "fieldfare: 2 settings are wrong:\n  camera.zoom: unknown key\n  light: unknown key\n"
    device.programs.refusals["device check"] = (78, complaint)
    with pytest.raises(ConfigError, match=r"2 settings are wrong: camera.zoom: unknown key; light: unknown key$"):
        device.install(kit)
    assert device.tree() == before
    device.programs.refusals["device check"] = (65, "fieldfare: the store has version 9\n")
    with pytest.raises(DataError, match="was not installed: the store has version 9"):
        device.install(kit)
    assert device.tree() == before


def test_it_is_asked_about_the_settings_of_each_camera_that_starts_at_boot(
    device: Device, kit: Path, newer: Path
) -> None:
    device.install(kit)
    device.programs.run(["systemctl", "enable", "fieldfare@front.service"])
    (device.root / "etc/fieldfare/front.toml").write_text("# front\n")
    (device.root / SETTINGS).write_text("# mine\n")
    device.programs.ran.clear()
    device.install(newer)
    checks = [line for line in device.programs.ran if "device check" in line]
    assert [line.split()[3] for line in checks] == ["/etc/fieldfare/fieldfare.toml", "/etc/fieldfare/front.toml"]
    assert all("--instead /etc/fieldfare/bundle.fieldfare" in line for line in checks)


@pytest.mark.parametrize("failing", ["-m venv", "/pip ", "--version", "systemd-sysusers", "daemon-reload", "enable"])
def test_a_step_that_fails_is_one_line_and_the_next_installation_mends_it(
    device: Device, kit: Path, failing: str
) -> None:
    device.programs.refusals[failing] = (1, "first\nNo space left on device\n")
    with pytest.raises(UnavailableError, match="No space left on device"):
        device.install(kit)
    device.programs.refusals.clear()
    assert device.install(kit) == 0
    assert "# 1.0" in device.text(SERVICE)


def test_without_udev_everything_but_its_rules_works(device: Device, kit: Path) -> None:
    device.programs.refusals["udevadm"] = (1, "Failed to send reload request: No such file or directory\n")
    assert device.install(kit) == 0
    assert any("udev has not: udevadm control: Failed to send" in line for line in device.said)


def test_a_failed_build_leaves_the_old_version_and_nothing_else(device: Device, kit: Path, newer: Path) -> None:
    device.install(kit)
    before = device.tree()
    device.programs.refusals["/pip "] = (1, "No space left on device\n")
    with pytest.raises(UnavailableError, match="No space left on device"):
        device.install(newer)
    assert device.tree() == before


def test_dry_run_lists_everything_and_does_nothing(device: Device, kit: Path, newer: Path) -> None:
    device.install(kit)
    before = device.tree()
    device.programs.ran.clear()
    assert device.install(newer, dry_run=True) == 0
    assert device.tree() == before
    assert not [line for line in device.programs.ran if not line.startswith(("dpkg-query", "systemctl show"))]
    told = "\n".join(device.said)
    for words in ("would make", "would check", "would switch", "/etc/systemd/system/fieldfare.service", "would start"):
        assert words in told


def test_missing_packages_of_the_system_are_reported(device: Device, tmp_path: Path) -> None:
    kit = make_kit(tmp_path / "kit", needs=["python3-picamera2", "libedgetpu1-std"])
    device.programs.packages["libedgetpu1-std"] = "16.0"
    device.install(kit)
    assert "missing packages of the system: with a network, sudo apt install python3-picamera2" in device.said
