"""The places that the settings name, against the units as delivered, and mounts and permissions of the test's own."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board import Board
from edge.config.loading import settings_from
from edge.doctor.case import Case
from edge.doctor.findings import Finding
from edge.doctor.places import places, read_mounts
from edge.processes.process import Account

UNITS = Path(__file__).resolve().parents[3] / "systemd"
MOUNTS = """\
20 1 8:2 / / rw,relatime shared:1 - ext4 /dev/root rw
31 20 8:17 / /media/my\\040stick ro,nosuid shared:7 - vfat /dev/sda1 rw,uid=1000
32 20 8:18 / /srv/run rw,noexec - ext4 /dev/sdb1 rw
33 20 8:19 / /srv/worn rw - ext4 /dev/sdc1 ro,errors=remount-ro
34 20 0:40 / /srv/quick rw - tmpfs tmpfs rw
"""


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A machine with both units installed, whose settings are the service's own."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(MOUNTS)
    system = tmp_path / "etc/systemd/system"
    system.mkdir(parents=True)
    for name in ("fieldfare.service", "fieldfare@.service"):
        text = (UNITS / name).read_text().replace("/etc/fieldfare/", f"{tmp_path}/etc/fieldfare/")
        # pytest's own folders are in /tmp.
        (system / name).write_text(text.replace("PrivateTmp=yes", "PrivateTmp=no"))
    return Case(etc=tmp_path / "etc", proc=tmp_path / "proc", board=Board(), call=lambda _: None)


def look(case: Case, bundle: str = "/etc/fieldfare/b", *, name: str = "fieldfare", **sections: Any) -> list[Finding]:
    chosen = replace(
        case,
        settings=settings_from({"bundle": bundle, **sections}),
        settings_from=str(case.etc / f"fieldfare/{name}.toml"),
        bundle=bundle,
    )
    return places(chosen)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_as_installed_all_is_well(case: Case) -> None:
    jsonl = {"jsonl": "/var/lib/fieldfare/results.jsonl"}
    finding = only(look(case, output=jsonl))
    assert (finding.kind, finding.seen) == ("ok", "3 files and folders, all open to fieldfare.service")


HIDDEN = ["/home/pi", "/root", "/run/user/1000", "/home"]


@pytest.mark.parametrize("folder", HIDDEN)
@pytest.mark.parametrize(
    ("sections", "what", "mend"),
    [
        ({"bundle": "{}/b.fieldfare"}, "bundle", 'bundle = "/etc/fieldfare/b.fieldfare"'),
        ({"camera": {"source": "{}/photos"}}, "source", 'camera.source = "/var/lib/fieldfare/photos"'),
        (
            {"camera": {"source": "synthetic", "script": "@{}/s"}},
            "script",
            'camera.script = "/var/lib/fieldfare/s"',
        ),
        ({"output": {"jsonl": "{}/r.jsonl"}}, "results", 'jsonl = "/var/lib/fieldfare/r.jsonl"'),
        ({"engine": {"edgetpu_library": "{}/lib.so"}}, "library", 'edgetpu_library = "/usr/local/lib/lib.so"'),
    ],
)
def test_nothing_in_a_home_is_there_for_the_service(
    case: Case, folder: str, sections: dict[str, Any], what: str, mend: str
) -> None:
    def put(value: Any) -> Any:
        return {key: put(one) for key, one in value.items()} if isinstance(value, dict) else value.format(folder)

    finding = only(look(case, **put(sections)))
    assert finding.kind == "problem"
    assert finding.seen.startswith(f"{what} {folder}/")
    assert "fieldfare.service does not see /" in finding.seen
    assert "(ProtectHome=yes)" in finding.seen
    assert finding.mend is not None
    assert mend in finding.mend


def test_the_service_has_a_tmp_of_its_own(case: Case) -> None:
    unit = case.etc / "systemd/system/fieldfare.service"
    unit.write_text((UNITS / "fieldfare.service").read_text())
    trial = replace(case, settings=settings_from({"bundle": "/tmp/b"}), bundle="/tmp/b")
    finding = only(places(trial))
    assert finding.kind == "warning"  # these are not the service's settings
    assert "bundle /tmp/b: fieldfare.service has its own /tmp (PrivateTmp=yes)" in finding.seen


@pytest.mark.parametrize(
    ("folder", "opened"),
    [
        ("/media/stick", "/media"),  # and a stick that comes later is seen, too
        ("/run/media/pi/stick", "/run/media"),
        ("/mnt", "/mnt"),
        ("/srv", "/srv"),
        ("/var/lib/fieldfare-old", "/var/lib/fieldfare-old"),
        ("/opt", "/opt"),
    ],
)
def test_results_elsewhere_need_a_drop_in(case: Case, folder: str, opened: str) -> None:
    finding = only(look(case, output={"jsonl": f"{folder}/r.jsonl"}))
    assert finding.kind == "problem"
    assert "may only read there (ProtectSystem=strict)" in finding.seen
    assert (finding.mend or "").endswith(f"ReadWritePaths=-{opened}")
    drop_in = case.etc / "systemd/system/fieldfare.service.d/stick.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Service]\nReadWritePaths=-{opened}\n")
    assert only(look(case, output={"jsonl": f"{folder}/r.jsonl"})).kind == "ok"


def test_an_instance_keeps_results_in_its_own_folder_only(case: Case) -> None:
    jsonl = "/var/lib/fieldfare/results.jsonl"
    finding = only(look(case, name="front", output={"jsonl": jsonl}))
    assert "fieldfare@front.service may only read there" in finding.seen
    assert 'jsonl = "/var/lib/fieldfare/front/results.jsonl"' in (finding.mend or "")
    assert only(look(case, name="front", output={"jsonl": "/var/lib/fieldfare/front/r"})).kind == "ok"


def test_a_link_counts_where_it_leads(case: Case, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/home/pi/birds")
    finding = only(look(case, str(tmp_path / "link")))
    assert f"bundle {tmp_path}/link (a link to /home/pi/birds): fieldfare.service does not see /home" in finding.seen


def test_relative_paths_are_taken_from_the_root(case: Case) -> None:
    finding = only(look(case, "birds"))
    assert (finding.kind, finding.seen) == ("problem", "bundle 'birds': the service takes that for /birds")


def test_a_bundle_on_a_stick_may_be_missing(case: Case) -> None:
    finding = only(look(case, "/media/stick/birds"))
    assert finding.kind == "warning"
    assert "may be missing when the service starts" in finding.seen


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"output": {"jsonl": "/media/my stick/r.jsonl"}}, "/media/my stick is mounted read-only"),
        ({"output": {"jsonl": "/srv/worn/r.jsonl"}}, "/srv/worn is mounted read-only"),
        ({"engine": {"edgetpu_library": "/srv/run/lib.so"}}, "/srv/run is mounted noexec"),
        ({"events": {"store": "/srv/quick/e.db"}}, "/srv/quick is in memory (tmpfs), and this must last"),
    ],
)
def test_mounts(case: Case, sections: dict[str, Any], words: str) -> None:
    drop_in = case.etc / "systemd/system/fieldfare.service.d/all.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nReadWritePaths=/media /srv\n")
    assert words in only(look(case, **sections)).seen


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"camera": {"source": "/dev/sda"}}, "source /dev/sda: no camera that fieldfare.service opens"),
        ({"camera": {"source": "/dev/ttyUSB0"}}, "DeviceAllow"),
        ({"camera": {"source": "/proc/1/mem"}}, "/proc holds the kernel's own files"),
        ({"power": {"file": "/dev/ttyUSB0"}}, "/dev holds devices"),
        ({"events": {"store": "/dev/sda"}}, "/dev holds devices"),
        ({"events": {"store": "/run/fieldfare/e.db"}}, "/run is empty after each start"),
        ({"events": {"store": "/var/lib/fieldfare"}}, "it is a folder"),
    ],
)
def test_devices_the_kernel_s_files_and_what_does_not_last(case: Case, sections: dict[str, Any], words: str) -> None:
    finding = only(look(case, **sections))
    assert finding.kind == "problem"
    assert words in finding.seen


def test_a_drop_in_may_open_a_camera_of_another_name(case: Case) -> None:
    camera = {"source": "/dev/birdcam"}
    found = only(look(case, camera=camera))
    assert found.seen == "source /dev/birdcam: no camera that fieldfare.service opens (DevicePolicy, DeviceAllow)"
    assert found.mend == "name a camera: /dev/video0, or the like, or a link to one in /dev/v4l/by-id"
    drop_in = case.etc / "systemd/system/fieldfare.service.d/camera.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nDeviceAllow=/dev/birdcam rw\n")
    assert only(look(case, camera=camera)).kind == "ok"
    drop_in.write_text("[Service]\nDeviceAllow=\n")
    found = only(look(case, camera={"source": "/dev/video0"}))
    assert "does not open it" in found.seen
    assert "DeviceAllow=char-video4linux rw" in (found.mend or "")


@pytest.mark.parametrize("sections", [{"camera": {"source": "/proc/1/mem"}}, {"device": {"taxonomy": "/dev/sda"}}])
def test_nobody_is_to_copy_a_disk_or_a_memory(case: Case, sections: dict[str, Any]) -> None:
    found = only(look(case, events={"store": "/var/lib/fieldfare/e.db"}, **sections))
    assert (found.mend or "").startswith("correct ")


def test_a_network_camera_needs_the_drop_in(case: Case) -> None:
    camera = {"source": "rtsp://user:secret@10.0.0.2/x"}
    finding = only(look(case, camera=camera))
    assert finding.kind == "problem"
    assert "has no network" in finding.seen
    assert "secret" not in finding.seen
    assert "network-camera.conf" in (finding.mend or "")
    drop_in = case.etc / "systemd/system/fieldfare.service.d/network-camera.conf"
    drop_in.parent.mkdir()
    drop_in.write_text((UNITS / "network-camera.conf").read_text())
    assert only(look(case, camera=camera)).kind == "ok"


class TestPermissions:
    """A user whom nobody has given anything, or this one."""

    STRANGER = Account("fieldfare", 0x7FFF0000, 0x7FFF0000)

    def test_a_closed_folder_on_the_way(self, case: Case, tmp_path: Path) -> None:
        (tmp_path / "shut").mkdir(mode=0o700)
        (tmp_path / "shut/birds").touch()
        finding = only(look(replace(case, account=self.STRANGER), f"{tmp_path}/shut/birds")[1:])  # the settings, too
        assert finding.kind == "problem"
        assert "is closed to fieldfare" in finding.seen
        assert "sudo chmod o+rx /" in (finding.mend or "")
        assert 'bundle = "/etc/fieldfare/birds"' in (finding.mend or "")

    def test_what_systemd_gives_to_the_user_is_not_judged(self, case: Case) -> None:
        jsonl = {"jsonl": "/var/lib/fieldfare/results.jsonl"}
        found = look(replace(case, account=self.STRANGER), output=jsonl)
        assert not [finding for finding in found if finding.seen.startswith("results")]

    def test_a_bundle_that_the_service_could_replace(self, case: Case, tmp_path: Path) -> None:
        (tmp_path / "state").mkdir()
        (tmp_path / "state/birds").touch()
        mine = Account("me", os.geteuid(), os.getegid())
        found = [
            one for one in look(replace(case, account=mine), f"{tmp_path}/state/birds") if one.seen[:6] == "bundle"
        ]
        assert {one.kind for one in found} == {"warning"}
        assert "the service could replace it, as me may write to" in only(found).seen
        assert f"sudo install -m 644 {tmp_path}/state/birds /etc/fieldfare/birds" in (only(found).mend or "")


def test_a_program_in_a_home_is_not_there(case: Case, tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/fieldfare").touch()
    (tmp_path / "venv/python3").symlink_to("/root/.local/python3")
    unit = case.etc / "systemd/system/fieldfare.service"
    unit.write_text(unit.read_text().replace("/opt/fieldfare/bin", f"{tmp_path}/venv") + "\nInaccessiblePaths=/root\n")
    found = look(case)
    assert only(found).kind == "ok"  # its Python is not there for this test either
    unit.write_text(unit.read_text().replace("ProtectHome=yes", f"InaccessiblePaths={tmp_path}/venv"))
    assert f"program {tmp_path}/venv/fieldfare: fieldfare.service does not see" in look(case)[0].seen


def test_without_anything_named_there_is_nothing_to_look_at(case: Case) -> None:
    assert only(places(case)).kind == "not here"


def test_without_a_unit_it_is_a_warning_of_the_delivered_one(tmp_path: Path) -> None:
    bare = Case(etc=tmp_path, proc=tmp_path, board=Board(), call=lambda _: None, bundle="/home/pi/birds")
    finding = only(places(bare))
    assert finding.kind == "warning"
    assert "fieldfare.service (not installed: as delivered) does not see /home" in finding.seen


@given(st.text(max_size=300))
def test_no_list_of_mounts_stumbles(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("proc") / "mountinfo"
    file.write_text(text, errors="replace")
    read_mounts(file)
