"""What events need beside places: room, packages, a clock, folders of their own."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edge.config.loading import settings_from
from edge.doctor.case import Case
from edge.doctor.events.needs import judge_space, neighbours, packages, schedule, space


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def case_of(**sections: Any) -> Case:
    return Case(settings=settings_from({"bundle": "b", **sections}))


GB = 10**9


@pytest.mark.parametrize(
    ("disk", "kind", "words"),
    [
        (Disk(32 * GB, 8 * GB, 24 * GB), "ok", "24.0 GB of 32.0 GB free; budgets 4.0 GB, reserve 0.5 GB"),
        (Disk(4 * GB, 0, 4 * GB), "warning", "more than the disk holds"),
        (Disk(32 * GB, 32 * GB, GB // 5), "problem", "0.2 GB of 32.0 GB free"),
    ],
)
def test_budgets_and_the_disk(disk: Any, kind: str, words: str) -> None:
    found = judge_space(Path("/var/lib/fieldfare"), disk, 4 * GB, GB // 2)
    assert found.kind == kind
    assert words in found.seen
    assert (found.mend is None) == (kind == "ok")


def test_what_shares_a_disk_is_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(64 * GB, 0, 64 * GB))
    found = space(case_of(events={"store": f"{tmp_path}/new/e.db", "max_mb": 1000}, harvest={"max_mb": 3000}))
    assert [one.seen for one in found] == [f"{tmp_path}: 64.0 GB of 64.0 GB free; budgets 6.0 GB, reserve 0.5 GB"]
    assert space(case_of())[0].kind == "not here"


@pytest.mark.parametrize(("quality", "kind"), [("none", "warning"), ("rtc", "ok"), ("ntp", "ok")])
def test_a_schedule_needs_a_clock(quality: Any, kind: str) -> None:
    case = case_of(schedule={"awake": [{"from": "06:00", "to": "20:00"}]})
    assert schedule(replace(case, clock_quality=lambda: quality))[0].kind == kind
    assert schedule(case_of())[0].kind == "not here"


def test_missing_packages_are_named_with_the_command_that_installs_them() -> None:
    def find(module: str) -> object:
        if module.startswith("paho"):
            raise ModuleNotFoundError(module)
        return None if module == "gpiozero" else module

    events = {"store": "e.db"}
    case = case_of(events=events, mqtt={"host": "h"}, metrics={"port": 9000}, gpio={"pin": 17})
    assert [(one.seen, one.mend) for one in packages(case, find=find)] == [
        ("[mqtt] needs paho-mqtt 2: not installed", "pip install '.[device,outputs]' in the clone of Fieldfare"),
        ("[gpio] needs gpiozero: not installed", "sudo apt install python3-gpiozero"),
    ]
    found = packages(case, find=lambda module: module)
    assert [(one.kind, one.seen) for one in found] == [("ok", "installed: paho-mqtt 2, prometheus-client, gpiozero")]
    assert packages(case_of(events=events))[0].kind == "not here"


def test_an_instance_that_writes_to_another_s_places_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "fieldfare"
    folder.mkdir()
    (folder / "front.toml").write_text('bundle = "b"\n[events]\nstore = "/srv/one/e.db"\n')
    (folder / "back.toml").write_text('bundle = "b"\n[events]\nstore = "/srv/one/e.db"\n')

    def seen(store: str) -> list[str]:
        case = replace(case_of(events={"store": store}), etc=tmp_path, settings_from=str(folder / "back.toml"))
        return [f"{one.kind}: {one.seen}" for one in neighbours(case)]

    assert seen("/srv/one/e.db") == ["problem: store /srv/one/e.db: also store of front.toml"]
    at_home = "/var/lib/fieldfare/front/e.db"
    assert seen(at_home) == [f"problem: store {at_home}: in the folder of the instance front"]
    assert seen("/var/lib/fieldfare/back/e.db") == ["ok: no other settings write to the same places"]
