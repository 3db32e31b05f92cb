"""The places of events and outputs, against the units as delivered."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.config.loading import settings_from
from edge.doctor.case import Case
from edge.doctor.findings import Finding
from edge.doctor.places import places
from edge.doctor.sandbox import DELIVERED_UNITS, OUTPUTS, PAGES, parse_sandbox
from edge.processes.process import Account

UNITS = Path(__file__).resolve().parents[4] / "systemd"
STORE = "/var/lib/fieldfare/events.db"
NOBODY = Account("fieldfare", 64123, 64123, ())


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A machine with the units, whose settings are the service's own."""
    system = tmp_path / "etc/systemd/system"
    system.mkdir(parents=True)
    for name in ("fieldfare.service", "fieldfare-outputs.service", "fieldfare-pages.service"):
        text = (UNITS / name).read_text().replace("/etc/fieldfare/", f"{tmp_path}/etc/fieldfare/")
        # pytest's own folders are in /tmp.
        (system / name).write_text(text.replace("PrivateTmp=yes", "PrivateTmp=no"))
    return Case(etc=tmp_path / "etc", proc=tmp_path / "proc", call=lambda _: None)


def look(case: Case, store: str = STORE, events: dict[str, Any] | None = None, **sections: Any) -> list[Finding]:
    settings = settings_from({"bundle": "/etc/fieldfare/b", "events": {"store": store, **(events or {})}, **sections})
    return places(replace(case, settings=settings, settings_from=str(case.etc / "fieldfare/fieldfare.toml")))


def lines(findings: list[Finding]) -> list[str]:
    return [f"{one.kind}: {one.seen} => {one.mend}" for one in findings]


@pytest.mark.parametrize("service", [OUTPUTS, PAGES])
def test_what_is_known_without_a_unit_is_the_delivered_unit(service: str) -> None:
    name = f"{service}.service"
    delivered, found = (parse_sandbox(text, name) for text in (DELIVERED_UNITS[service], (UNITS / name).read_text()))
    assert delivered == found


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"mqtt": {"host": "h", "username": "u", "password_file": "pass"}}, "password_file 'pass': the service takes"),
        ({"mqtt": {"host": "h", "ca": "ca.pem"}}, "ca 'ca.pem': the service takes that for /ca.pem"),
        ({"camera": {"source": "rtsp://me@cam/", "password_file": "a/b"}}, "password_file 'a/b': the service takes"),
    ],
)
def test_a_path_that_is_not_whole_is_a_finding(case: Case, sections: dict[str, Any], words: str) -> None:
    assert [one.mend for one in look(case, **sections) if one.seen.startswith(words)] == ["write the whole path"]


@pytest.mark.parametrize("name", ["mqtt-password", "credential:mqtt-password"])
def test_what_the_unit_hands_over_is_no_place(case: Case, name: str) -> None:
    found = look(case, mqtt={"host": "h", "username": "u", "password_file": name})
    assert not [one for one in found if "password_file" in one.seen]


def test_a_store_that_service_and_outputs_need_is_one_finding(case: Case) -> None:
    found = look(case, "/run/fieldfare/e.db", hook={"command": ["/bin/sh"]})
    assert [one.seen for one in found] == [
        "store /run/fieldfare/e.db: /run is empty after each start of the board, and this must last"
    ]


def test_as_delivered_all_is_well_in_one_line(case: Case) -> None:
    found = look(case, event_lines={"file": "/var/lib/fieldfare/events.jsonl"}, hook={"command": ["/bin/sh"]})
    assert lines(found) == ["ok: 4 files and folders, all open to fieldfare.service and its outputs => None"]


@pytest.mark.parametrize(
    ("sections", "what", "mend"),
    [
        ({"store": "/home/pi/e.db"}, "store /home/pi/e.db", 'events.store = "/var/lib/fieldfare/e.db"'),
        ({"pictures": {"folder": "/home/pi/p"}}, "pictures /home/pi/p", 'pictures.folder = "/var/lib/fieldfare/p"'),
        ({"harvest": {"folder": "/srv/h", "max_mb": 9}}, "harvest /srv/h", "ReadWritePaths=-/srv"),
        ({"events": {"scores": "/srv/s"}}, "scores /srv/s", 'events.scores = "/var/lib/fieldfare/s"'),
        ({"device": {"taxonomy": "/home/pi/t.csv"}}, "taxonomy /home/pi/t.csv", "device.taxonomy = "),
        ({"event_lines": {"file": "/srv/e.jsonl"}}, "event lines /srv/e.jsonl", "event_lines.file = "),
        ({"metrics": {"file": "/home/pi/m.prom"}}, "metrics /home/pi/m.prom", "metrics.file = "),
        ({"hook": {"command": ["/home/pi/hook"]}}, "hook /home/pi/hook", "hook.command"),
        ({"mqtt": {"host": "h", "ca": "/home/pi/ca.pem"}}, "ca /home/pi/ca.pem", "mqtt.ca = "),
        (
            {"pages": {"certificate": "/home/pi/c.pem", "key": "/etc/ssl/k.pem"}},
            "certificate /home/pi/c.pem",
            "pages.certificate = ",
        ),
    ],
)
def test_what_the_sandbox_closes_is_one_line_with_the_fix(
    case: Case, sections: dict[str, Any], what: str, mend: str
) -> None:
    found = next(one for one in look(case, **sections) if one.seen.startswith(what))
    assert found.kind == "problem"
    assert mend in (found.mend or "")


def test_a_program_that_is_not_there_or_may_not_be_run_is_found(case: Case, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    assert "it is not there" in look(case, hook={"command": [str(hook)]})[0].seen
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o644)
    assert lines(look(case, hook={"command": [str(hook)]})) == [
        f"problem: hook {hook}: it may not be run => sudo chmod a+rx {hook}"
    ]
    hook.chmod(0o755)
    assert look(case, hook={"command": [str(hook)]})[0].kind == "ok"


def let_enter(folder: Path) -> None:
    """Let every user into a folder of the test, as into /etc."""
    for above in (folder, *folder.parents):
        if above != Path("/"):
            above.chmod(above.stat().st_mode | 0o111)


@pytest.mark.skipif(os.geteuid() != 0, reason="files of root's need root")
def test_a_password_is_for_the_service_alone(case: Case, tmp_path: Path) -> None:
    password, case = tmp_path / "password", replace(case, account=NOBODY)
    password.write_text("secret")
    let_enter(tmp_path)

    def seen(mode: int) -> str:
        password.chmod(mode)
        found = look(case, mqtt={"host": "h", "password_file": str(password)})
        return next((line for line in lines(found) if "password_file" in line), "")

    mend = f"sudo chown root:fieldfare {password} && sudo chmod 640 {password}"
    assert seen(0o644) == f"problem: password_file {password}: every user may read it => {mend}"
    assert seen(0o600).startswith(f"problem: password_file {password}: {password} is closed to fieldfare => {mend}")
    os.chown(password, 0, NOBODY.gid)
    assert seen(0o640) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="files of root's need root")
def test_the_key_of_the_pages_is_for_their_unit_alone(case: Case, tmp_path: Path) -> None:
    files = {"certificate": tmp_path / "site.pem", "key": tmp_path / "site.key"}
    let_enter(tmp_path)
    for file in files.values():
        file.write_text("PEM")
        file.chmod(0o644)
    pages = {key: str(file) for key, file in files.items()}
    found = lines(look(replace(case, account=NOBODY), pages=pages))
    assert found[0].startswith(f"problem: key {files['key']}: every user may read it => ")
    os.chown(files["key"], 0, NOBODY.gid)
    files["key"].chmod(0o640)
    found = lines(look(replace(case, account=NOBODY), pages=pages))
    assert found == ["ok: 4 files and folders, all open to fieldfare.service and its pages => None"]


def test_outputs_without_their_unit_or_its_network_are_found(case: Case) -> None:
    found = look(case, mqtt={"host": "broker"})
    assert [one.seen for one in found] == ["outputs: fieldfare-outputs.service has no network"]
    assert "fieldfare-outputs.service.d/outputs-network.conf" in (found[0].mend or "")
    (case.etc / "systemd/system/fieldfare-outputs.service").unlink()
    assert "fieldfare-outputs.service is not installed" in look(case, mqtt={"host": "broker"})[0].seen
