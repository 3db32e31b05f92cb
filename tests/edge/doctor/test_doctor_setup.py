"""What the doctor makes of settings, bundle, results and service."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from doctored import Children, Systemctl, configured, only

from edge.doctor import setup
from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.findings import Finding


def test_wrong_settings_are_a_finding(case: Case) -> None:
    finding = only(setup.settings(replace(case, settings_error="a.toml: unknown key 'suorce'")))
    assert (finding.kind, finding.seen) == ("problem", "a.toml: unknown key 'suorce'")


def test_labels_that_the_bundle_lacks_are_a_finding_beside_the_bundle_s(case: Case) -> None:
    answer = {
        "name": "b",
        "id": "0",
        "classes": 2,
        "edgetpu": False,
        "labels_error": "decision.background: 'zzz'",
        "cut_doubt": None,
    }
    children = Children(bundle=answer)
    found = setup.bundle(configured(replace(case, probe=children), decision={"background": ["zzz"]}))
    assert [(finding.id, finding.kind) for finding in found] == [("bundle", "ok"), ("labels", "problem")]
    assert found[1].seen == "decision.background: 'zzz'"
    ((_, (_, named, _)),) = children.asked
    assert named["decision.background"] == ["zzz"]


def test_settings_that_show_a_bundle_what_it_did_not_learn_are_a_warning(case: Case) -> None:
    answer = {"name": "b", "id": "0", "classes": 2, "edgetpu": False, "labels_error": None, "cut_doubt": "whole photos"}
    found = setup.bundle(configured(replace(case, probe=Children(bundle=answer))))
    assert [(finding.id, finding.kind) for finding in found] == [("bundle", "ok"), ("cut", "warning")]
    assert found[1].seen == "whole photos"


def test_wrong_answers_of_the_model(case: Case) -> None:
    wrong = Outcome("refused", why="wrong answer to a golden input")
    assert only(setup.cpu(configured(replace(case, probe=Children(golden=wrong))))).kind == "problem"


@pytest.mark.parametrize(("free", "kind"), [(10**10, "ok"), (3 * 10**8, "warning"), (10**8, "problem")])
def test_room_for_the_results(tmp_path: Path, free: int, kind: str) -> None:
    assert setup.judge_folder(tmp_path, free, 320 * 10**6).kind == kind


def results_in(case: Case, file: Path) -> Finding:
    return only(setup.results(configured(case, output={"jsonl": str(file), "max_mb": 1, "keep": 0})))


def test_a_folder_that_is_not_there_is_made_by_the_service(case: Case, tmp_path: Path) -> None:
    finding = results_in(case, tmp_path / "not" / "yet" / "results.jsonl")
    assert finding.kind == "ok"
    assert finding.seen.startswith(f"{tmp_path}, ")
    assert not (tmp_path / "not").exists()


def test_a_folder_that_cannot_be_made(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    finding = results_in(case, tmp_path / "no" / "results.jsonl")
    assert finding.kind == "problem"
    assert finding.seen == f"{tmp_path / 'no'} is missing, and {tmp_path} not writable"
    assert "sudo install -d" in (finding.mend or "")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.mkdir(), "is a folder"),
        (os.mkfifo, "is not a plain file"),
        (lambda file: file.touch(), "is not writable"),
    ],
    ids=["folder", "pipe", "read-only"],
)
def test_what_results_cannot_be_written_to(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], words: str
) -> None:
    file = tmp_path / "results.jsonl"
    make(file)
    monkeypatch.setattr(os, "access", lambda path, _: path != file)
    finding = results_in(case, file)
    assert (finding.kind, finding.seen) == ("problem", f"{file} {words}")


def test_a_file_where_the_folder_for_the_results_should_be(case: Case, tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    finding = results_in(case, tmp_path / "results" / "today" / "results.jsonl")
    assert (finding.kind, finding.seen) == ("problem", f"{tmp_path / 'results'} is not a folder")


@pytest.mark.parametrize(
    ("properties", "kind", "words"),
    [
        ("LoadState=not-found\nActiveState=inactive", "not here", "not-found"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=0", "ok", "active (running)"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=7", "warning", "7 restarts"),
        (
            "LoadState=loaded\nActiveState=active\nStatusText=asleep: by the schedule, until 06:00",
            "ok",
            "0 restarts; asleep: by the schedule, until 06:00",
        ),
        (
            "LoadState=loaded\nActiveState=active\nStatusText=degraded: events wait in memory: disk full (3 waiting)",
            "warning",
            "events wait in memory: disk full",
        ),
        ("LoadState=loaded\nActiveState=inactive\nSubState=dead", "warning", "inactive"),
        ("LoadState=loaded\nActiveState=failed\nSubState=failed\nExecMainStatus=78", "problem", "wrong settings"),
        ("LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nExecMainStatus=69", "problem", "69"),
        ("LoadState=loaded\nActiveState=active\nUnitFileState=disabled", "warning", "not started at boot"),
    ],
)
def test_what_systemd_says(case: Case, properties: str, kind: str, words: str) -> None:
    finding = only(setup.service(replace(case, call=lambda _: properties)))
    assert finding.kind == kind
    assert words in finding.seen


@pytest.mark.parametrize(
    ("units", "seen"),
    [
        ({"fieldfare": "active running"}, ["ok active (running), 0 restarts"]),
        ({}, ["not here not-found (docs/raspberry-pi.md installs it)"]),
        (
            {"fieldfare_front": "active running", "fieldfare_back": "activating auto-restart"},
            [
                "ok fieldfare@front: active (running), 0 restarts",
                "problem fieldfare@back: activating (auto-restart), 0 restarts, status 0",
            ],
        ),
        (
            {"fieldfare": "active running", "fieldfare_front": "activating start"},
            ["ok active (running), 0 restarts", "ok fieldfare@front: activating (start), 0 restarts"],
        ),
    ],
)
def test_each_instance_that_runs_is_told(case: Case, units: dict[str, str], seen: list[str]) -> None:
    findings = setup.service(replace(case, call=Systemctl(**units)))
    assert [f"{finding.kind} {finding.seen}" for finding in findings] == seen
    assert {finding.id for finding in findings} == {"service"}
    assert all("fieldfare@back" in (finding.mend or "") for finding in findings if finding.kind == "problem")


def test_only_instances_and_the_service_are_taken_from_systemd_s_list(case: Case) -> None:
    listed = (
        "fieldfare@front.service        loaded active     running      Fieldfare camera classifier front\n"
        "* fieldfare@a\\x2db.service    loaded activating auto-restart Fieldfare camera classifier a-b\n"
        "fieldfare-reboot.service       loaded activating start        Reboot\n"
        "not-fieldfare@x.service        loaded active     running      Another\n"
    )
    units = replace(case, call=lambda _: listed).units()
    assert [(unit.name, unit.sub_state) for unit in units] == [
        ("fieldfare@front", "running"),
        ("fieldfare@a\\x2db", "auto-restart"),
    ]
    assert replace(case, call=lambda _: None).units() == []
