"""Uninstalling leaves nothing but the data, with the settings among it."""

from pathlib import Path

from made_devices import Device, files_of, make_kit


def with_data(device: Device) -> None:
    (device.root / "var/lib/fieldfare/front").mkdir(parents=True, mode=0o750)
    (device.root / "var/lib/fieldfare/events.db").write_text("events")


def test_nothing_but_the_data_is_left(device: Device, kit: Path, newer: Path) -> None:
    before = device.tree()
    device.install(kit)
    device.install(newer)
    with_data(device)
    assert device.uninstall() == 0
    after = device.tree()
    assert {path: text for path, text in after.items() if not path.startswith("var/lib/fieldfare/")} == before
    assert after["var/lib/fieldfare/events.db"] == "events"
    assert not device.programs.has_user
    assert not (device.root / "opt/fieldfare").exists()
    assert not (device.root / "etc/fieldfare").exists()


def test_what_people_wrote_is_kept_with_the_data_for_root_only(device: Device, kit: Path) -> None:
    device.install(kit)
    with_data(device)
    (device.root / "etc/fieldfare/fieldfare.toml").write_text("# mine\n")
    (device.root / "etc/fieldfare/mqtt-password").write_text("secret")
    dropin = device.root / "etc/systemd/system/fieldfare.service.d"
    dropin.mkdir()
    (dropin / "override.conf").write_text("[Service]\nReadWritePaths=/media/stick\n")
    (device.root / "etc/systemd/system/fieldfare@.service").write_text("# mine, too\n")
    device.uninstall()
    kept = device.root / "var/lib/fieldfare/settings"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "fieldfare.toml").read_text() == "# mine\n"
    assert (kept / "mqtt-password").read_text() == "secret"
    assert (kept / "fieldfare.service.d/override.conf").is_file()
    assert (kept / "fieldfare@.service").read_text() == "# mine, too\n"
    assert "sudo rm -r" in device.said[-1]


def test_a_link_that_the_service_left_in_its_folder_leads_nowhere(device: Device, kit: Path, tmp_path: Path) -> None:
    device.install(kit)
    with_data(device)
    (tmp_path / "elsewhere").mkdir()
    (device.root / "var/lib/fieldfare/settings").symlink_to(tmp_path / "elsewhere")
    device.uninstall()
    assert not list((tmp_path / "elsewhere").iterdir())
    assert (device.root / "var/lib/fieldfare/settings-2/fieldfare.toml").is_file()


def test_packages_that_came_with_the_kit_go_and_those_that_were_there_stay(device: Device, tmp_path: Path) -> None:
    files = {**files_of("1.0"), "debs/libedgetpu.deb": b"new", "debs/python3-picamera2.deb": b"old"}
    kit = make_kit(tmp_path / "kit", held=files)
    names = {"libedgetpu": "libedgetpu1-std 16.0", "python3-picamera2": "python3-picamera2 0.3"}
    device.programs.packages["python3-picamera2"] = "0.2"
    device.programs.refusals.update({f"debs/{deb}.deb": (0, text) for deb, text in names.items()})
    device.install(kit)
    installing = next(line for line in device.programs.ran if line.startswith("dpkg --install"))
    assert "libedgetpu.deb" in installing
    assert "python3-picamera2.deb" in installing  # newer than the one that is there
    device.programs.packages["libedgetpu1-std"] = "16.0"
    device.uninstall()
    assert "dpkg --remove libedgetpu1-std" in device.programs.ran


def test_a_user_that_cannot_be_removed_is_reported_and_the_rest_goes(device: Device, kit: Path) -> None:
    device.install(kit)
    device.programs.refusals["userdel"] = (127, "userdel: No such file or directory\n")
    assert device.uninstall() == 0
    assert any("the user fieldfare stays: userdel: No such file" in line for line in device.said)
    assert not (device.root / "opt/fieldfare").exists()


def test_uninstalling_twice_reports_that_nothing_is_there(device: Device, kit: Path) -> None:
    device.install(kit)
    device.uninstall()
    before = device.tree()
    assert device.uninstall() == 0
    assert device.said == ["nothing of Fieldfare is installed here"]
    assert device.tree() == before


def test_dry_run_removes_nothing(device: Device, kit: Path) -> None:
    device.install(kit)
    before = device.tree()
    assert device.uninstall(dry_run=True) == 0
    assert device.tree() == before
    assert any("would remove the user fieldfare" in line for line in device.said)


def test_an_installation_after_it_is_a_first_one(device: Device, kit: Path) -> None:
    device.install(kit)
    with_data(device)
    device.uninstall()
    assert device.install(kit) == 0
    assert "etc/systemd/system/multi-user.target.wants/fieldfare.service" in device.tree()
    assert device.text("var/lib/fieldfare/events.db") == "events"


def test_nothing_waits_any_more_for_a_request_to_reboot_or_to_switch_off(device: Device, kit: Path) -> None:
    device.install(kit)
    device.uninstall()
    stopped = next(line for line in device.programs.ran if line.startswith("systemctl stop"))
    assert {"fieldfare-reboot*.path", "fieldfare-poweroff*.path"} <= set(stopped.split())
