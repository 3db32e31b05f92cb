"""What a unit lets its service see and write, read from the unit's text."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board import Board
from edge.doctor.case import Case
from edge.doctor.sandbox import DELIVERED, Sandbox, parse_sandbox, parse_unit, sandbox

UNITS = Path(__file__).resolve().parents[3] / "systemd"


def box(*lines: str, unit: str = "fieldfare.service") -> Sandbox:
    return parse_sandbox("\n".join(["[Service]", *lines]), unit)


def view(found: Sandbox, path: str) -> str:
    rule = found.rule(path)
    return "write" if rule is None else rule.view


def test_what_is_known_without_a_unit_is_the_delivered_unit() -> None:
    text = (UNITS / "fieldfare.service").read_text()
    assert parse_sandbox(DELIVERED, "fieldfare.service") == parse_sandbox(text, "fieldfare.service")


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/etc/fieldfare/bundle.fieldfare", "write"),  # its mount; the folder is root's
        ("/var/lib/fieldfare/results.jsonl", "write"),
        ("/run/fieldfare/status.json", "write"),
        ("/dev/video0", "write"),
        ("/usr/lib/libedgetpu.so.1", "read"),
        ("/media/stick/birds", "read"),
        ("/mnt", "read"),
        ("/var/lib/fieldfares", "read"),
        ("/var/lib", "read"),
        ("/home/pi/birds", "hidden"),
        ("/root", "hidden"),
        ("/run/user/1000/x", "hidden"),
        ("/homes", "read"),
        ("/tmp/x", "own"),
        ("/var/tmp/x", "own"),
    ],
)
def test_the_delivered_unit(path: str, seen: str) -> None:
    found = parse_sandbox((UNITS / "fieldfare.service").read_text(), "fieldfare.service")
    assert view(found, path) == seen
    assert (found.user, found.groups, found.network) == ("fieldfare", ("fieldfare", "video", "plugdev"), False)
    assert found.settings == "/etc/fieldfare/fieldfare.toml"


def test_an_instance_has_a_folder_of_its_own() -> None:
    found = parse_sandbox((UNITS / "fieldfare@.service").read_text(), "fieldfare@front.service")
    seen = [view(found, f"/var/lib/fieldfare/{name}") for name in ("front/results.jsonl", "back/x", "results.jsonl")]
    assert seen == ["write", "read", "read"]
    assert (found.state, found.settings) == ("/var/lib/fieldfare/front", "/etc/fieldfare/front.toml")


def test_the_drop_in_for_network_cameras_opens_the_network() -> None:
    texts = [(UNITS / name).read_text() for name in ("fieldfare.service", "network-camera.conf")]
    assert parse_sandbox("\n".join(texts), "fieldfare.service").network


@pytest.mark.parametrize(
    ("lines", "path", "seen"),
    [
        ("ProtectSystem=strict\nReadWritePaths=-/media/stick", "/media/stick/a/b", "write"),
        ("ProtectSystem=strict\nReadWritePaths=/media/stick /srv", "/srv", "write"),
        ('ProtectSystem=strict\nReadWritePaths="/media/my stick"', "/media/my stick/x", "write"),
        ("ProtectSystem=strict\nReadWritePaths=/media/my\\x20stick", "/media/other", "read"),
        ("ProtectSystem=strict\nReadWritePaths=/srv\nReadWritePaths=", "/srv/x", "read"),
        ("ReadWritePaths=/a \\\n# in between\n  /b\nProtectSystem=strict", "/b/c", "write"),
        ("ProtectHome=yes\nReadWritePaths=/home/pi", "/home/pi/x", "hidden"),
        ("ProtectHome=yes\nProtectHome=no", "/home/pi/x", "write"),
        ("ProtectHome=read-only", "/home/pi/x", "read"),
        ("ProtectHome=read-only\nReadWritePaths=/home/pi", "/home/pi/x", "write"),
        ("ProtectHome=tmpfs\nBindReadOnlyPaths=/home/pi/birds", "/home/pi/birds/x", "read"),
        ("ProtectHome=tmpfs\nBindReadOnlyPaths=/home/pi/birds", "/home/pi/x", "own"),
        ("ProtectHome=true\nBindPaths=/home/pi/birds", "/home/pi/birds", "hidden"),
        ("PrivateTmp=on\nBindPaths=/srv/x:/tmp/x:rbind", "/tmp/x/y", "write"),
        ("PrivateTmp=on\nReadWritePaths=/tmp/x", "/tmp/x/y", "own"),
        ("InaccessiblePaths=-/srv", "/srv/x", "hidden"),
        ("ReadOnlyPaths=/srv\nReadWritePaths=/srv/x", "/srv/x/y", "write"),
        ("TemporaryFileSystem=/srv:ro", "/srv/x", "own"),
        ("ProtectSystem=full", "/etc/x", "read"),
        ("ProtectSystem=yes", "/etc/x", "write"),
        ("ProtectSystem=1", "/usr/x", "read"),
        ("LogsDirectory=a b\nProtectSystem=strict", "/var/log/b/x", "write"),
        ("StateDirectory=a:b\nProtectSystem=strict", "/var/lib/a/x", "write"),
        ("ReadWritePaths=%S/more\nProtectSystem=strict", "/var/lib/more", "write"),
    ],
)
def test_settings_of_units(lines: str, path: str, seen: str) -> None:
    assert view(box(lines), path) == seen


@pytest.mark.parametrize(
    ("lines", "devices"),
    [
        ("", None),
        ("DevicePolicy=auto", None),
        ("DevicePolicy=closed", ()),
        ("DevicePolicy=strict\nDeviceAllow=/dev/null rw", ("/dev/null",)),
        ("DeviceAllow=/dev/ttyUSB0", ("/dev/ttyUSB0",)),  # auto, with a list: closed
        ("DeviceAllow=char-drm r\nDeviceAllow=char-media rwm\nDeviceAllow=block-* w", ("char-media",)),
        ("DeviceAllow=char-drm rw\nDeviceAllow=\nDevicePolicy=closed", ()),
        ("DeviceAllow=char-drm rw\nPrivateDevices=yes", ()),
        ("PrivateDevices=yes\nPrivateDevices=no", None),
    ],
)
def test_devices_of_units(lines: str, devices: tuple[str, ...] | None) -> None:
    assert box(lines).devices == devices


@pytest.mark.parametrize(
    ("lines", "opened"),
    [
        ("", True),
        ("DevicePolicy=closed", False),
        ("DeviceAllow=char-video4linux rw", True),
        ("DeviceAllow=char-* rw", True),
    ],
)
def test_kinds_of_devices(lines: str, opened: bool) -> None:
    assert box(lines).opens("char-video4linux") is opened


def test_other_sections_and_comments_do_not_count() -> None:
    text = "# /etc/x\n[Unit]\nProtectHome=yes\n[Service]\n;ProtectHome=yes\nProtectSystem = strict\n[Install]\nUser=x\n"
    assert parse_unit(text) == {"ProtectSystem": ["strict"]}


@given(
    st.text(max_size=400) | st.lists(st.sampled_from([*"=\\\n\"'%#;: /", "[Service]\n", "BindPaths", "a"])).map("".join)
)
def test_no_text_stumbles(text: str) -> None:
    found = parse_sandbox(f"[Service]\n{text}", "fieldfare@a.service")
    assert view(found, "/home/pi") in ("hidden", "own", "read", "write")


class TestWhichUnit:
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        (tmp_path / "systemd/system").mkdir(parents=True)
        return Case(etc=tmp_path, board=Board(), call=lambda _: None)

    def test_without_one_it_is_the_delivered_one(self, case: Case) -> None:
        found = sandbox(case)
        assert (found.installed, found.unit) == (False, "fieldfare.service")

    def test_an_instance_by_its_settings_with_its_drop_ins(self, case: Case) -> None:
        folder = case.etc / "systemd/system"
        (folder / "fieldfare@.service").write_text((UNITS / "fieldfare@.service").read_text())
        for name, path in (("fieldfare@.service.d", "/srv/all"), ("fieldfare@front.service.d", "/srv/front")):
            (folder / name).mkdir()
            (folder / name / f"{path[5:]}.conf").write_text(f"[Service]\nReadWritePaths={path}\n")
        found = sandbox(replace(case, settings_from=str(case.etc / "fieldfare/front.toml")))
        assert (found.installed, found.unit, found.settings) == (
            True,
            "fieldfare@front.service",
            "/etc/fieldfare/front.toml",
        )
        assert [view(found, path) for path in ("/srv/all", "/srv/front", "/srv")] == ["write", "write", "read"]

    def test_systemd_is_asked_first(self, case: Case) -> None:
        seen: list[list[str]] = []

        def call(words: list[str]) -> str:
            seen.append(words)
            return "[Service]\nUser=owl\n"

        assert sandbox(replace(case, call=call)).user == "owl"
        assert seen == [["systemctl", "cat", "--no-pager", "fieldfare.service"]]
