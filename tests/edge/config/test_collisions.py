"""One file or folder for two purposes is a fault: each would destroy what the other keeps."""

from pathlib import Path

import pytest

from edge.config.loading import load_settings, parse_settings
from edge.errors import ConfigError

DELIVERED = Path(__file__).parents[3] / "systemd" / "fieldfare.toml"


def faults(**sections: dict[str, str]) -> tuple[str, ...]:
    lines = ['bundle = "b"']
    for name, keys in sections.items():
        lines += [f"[{name}]", *(f'{key} = "{value}"' for key, value in keys.items())]
    try:
        parse_settings("\n".join(lines).encode(), "f.toml")
    except ConfigError as error:
        return error.faults or (error.heading,)
    return ()


@pytest.mark.parametrize(
    "harvest", ["/data/shots", "/data/./shots/", "/data/shots/more", "/data", "/data/other/../shots"]
)
def test_the_harvest_needs_a_folder_of_its_own(harvest: str) -> None:
    store, pictures = {"store": "/data/e.db"}, {"folder": "/data/shots"}
    (fault,) = faults(events=store, pictures=pictures, harvest={"folder": harvest})
    key = f"f.toml: harvest.folder = {harvest!r}: must be "
    assert fault == f"{key}neither pictures.folder ('/data/shots') nor inside or around it"


def test_the_folders_that_are_not_named_count_too() -> None:
    (fault,) = faults(events={"store": "/data/e.db"}, harvest={"folder": "/data/pictures/h"})
    assert "neither pictures.folder ('/data/pictures') nor" in fault
    (fault,) = faults(events={"store": "/data/e.db"}, pictures={"folder": "/data/harvest"})
    assert fault.startswith("f.toml: pictures.folder = '/data/harvest': must be neither harvest.folder")


@pytest.mark.parametrize(
    "ending", ["", "-wal", "-shm", ".lock", ".orders", ".orders/x", ".damaged-1", ".damaged-1-wal"]
)
@pytest.mark.parametrize("key", ["pictures.folder", "harvest.folder", "events.scores", "output.jsonl", "metrics.file"])
def test_the_files_of_the_store_are_its_own(key: str, ending: str) -> None:
    section, _, name = key.partition(".")
    sections = {"events": {"store": "data/e.db"}}
    sections.setdefault(section, {})[name] = f"./data/e.db{ending}"
    (fault,) = faults(**sections)
    assert fault.startswith(f"f.toml: {key} = ")
    assert "must be another path than events.store, which is " in fault
    assert fault.endswith("/data/e.db' with the files beside it")


@pytest.mark.parametrize("other", ["output.jsonl", "metrics.file", "event_lines.file", "device.taxonomy"])
@pytest.mark.parametrize("path", ["/data/scores", "/data/scores.1"])
def test_the_score_log_is_no_other_file(other: str, path: str) -> None:
    section, _, name = other.partition(".")
    sections = {"events": {"store": "/data/e.db", "scores": "/data/scores"}, section: {name: path}}
    (fault,) = faults(**sections)
    assert fault == f"f.toml: {other} = {path!r}: must be another path than events.scores, which is '/data/scores'"


def test_what_the_service_only_reads_may_be_one_file() -> None:
    assert faults(events={"store": "e.db"}, mqtt={"host": "h", "certificate": "both.pem", "key": "both.pem"}) == ()


def test_neighbours_are_no_fault() -> None:
    events = {"store": "/data/e.db", "scores": "/data/e.db.scores"}
    folders = {"pictures": {"folder": "/data/shots"}, "harvest": {"folder": "/data/shots2"}}
    assert faults(events=events, output={"jsonl": "/data/e"}, metrics={"file": "/data/e.db2"}, **folders) == ()
    assert faults(events={"store": "e.db"}, output={"jsonl": "/dev/null"}, event_lines={"file": "/dev/null"}) == ()
    assert load_settings(DELIVERED)


def test_without_a_store_no_folder_is_used() -> None:
    assert faults(pictures={"folder": "/data/x"}, harvest={"folder": "/data/x"}) == ()


def test_a_password_file_is_not_shown() -> None:
    (fault,) = faults(events={"store": "/secret.db"}, mqtt={"host": "h", "password_file": "/secret.db"})
    assert fault.startswith("f.toml: mqtt.password_file = ***: must be another path than events.store")
