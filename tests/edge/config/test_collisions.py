"""One file or folder for two purposes is a fault: each would destroy what the other keeps."""

from pathlib import Path
from threading import Event

import pytest

from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.config.loading import check_places, load_settings, parse_settings, settings_from
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
    "ending",
    ["", "-wal", "-shm", ".lock", ".orders", ".orders/x", ".outputs", ".outputs/x", ".damaged-1", ".damaged-1-wal"],
)
@pytest.mark.parametrize(
    "key",
    ["pictures.folder", "harvest.folder", "events.scores", "output.jsonl", "metrics.file", "event_lines.file"],
)
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


# What is read, and what nothing may be added to

WRITTEN = ["events.store", "events.scores", "output.jsonl", "event_lines.file", "metrics.file"]
FOLDERS = ["pictures.folder", "harvest.folder"]


def with_written(key: str, path: str) -> dict[str, dict[str, str]]:
    sections = {"events": {"store": "/data/e.db"}}
    section, _, name = key.partition(".")
    sections.setdefault(section, {})[name] = path
    return sections


@pytest.mark.parametrize("key", [*WRITTEN, *FOLDERS])
def test_nothing_is_written_into_the_bundle(key: str) -> None:
    (fault,) = faults(**with_written(key, "b/new"))
    assert fault == f"f.toml: {key} = 'b/new': must be outside of bundle, of which nothing may change"


def test_a_bundle_that_has_the_name_of_the_folder_beside_the_store_is_found() -> None:
    (fault,) = faults(events={"store": "e.db"}, camera={"source": "photos"}, pictures={"folder": "b"})
    assert fault.startswith("f.toml: pictures.folder = 'b': must be outside of bundle")
    with pytest.raises(ConfigError, match=r"pictures\.folder: must be outside of bundle, of which nothing may change"):
        parse_settings(b'bundle = "pictures"\n[events]\nstore = "e.db"', "f.toml")


@pytest.mark.parametrize("key", WRITTEN)
@pytest.mark.parametrize(
    ("section", "read", "path", "called"),
    [
        ("camera", "source", "/data/x", "camera.source"),
        ("camera", "script", "@/data/x", "camera.script"),
        ("engine", "edgetpu_library", "/data/x", "engine.edgetpu_library"),
        ("device", "camera", "the settings", "the settings file"),
    ],
)
def test_nothing_is_written_over_what_is_read(key: str, section: str, read: str, path: str, called: str) -> None:
    written = "./f.toml" if called == "the settings file" else "/data/./x"
    sections = with_written(key, written)
    sections.setdefault(section, {})[read] = path
    (fault,) = faults(**sections)
    assert fault == f"f.toml: {key} = {written!r}: must be another path than {called}, which is read"


def test_the_program_of_a_hook_is_not_written_over() -> None:
    hook = b'[hook]\ncommand = ["/opt/notify", "/data/lines"]\n[event_lines]\nfile = '
    begin = b'bundle = "b"\n[events]\nstore = "/data/e.db"\n'
    with pytest.raises(
        ConfigError, match=r"event_lines\.file = '/opt/notify': must be another path than hook\.command"
    ):
        parse_settings(begin + hook + b'"/opt/notify"', "f.toml")
    parse_settings(begin + hook + b'"/data/lines"', "f.toml")  # which the program works on


@pytest.mark.parametrize("key", FOLDERS)
def test_pictures_are_not_kept_among_those_that_are_classified(key: str) -> None:
    for folder in ("/photos", "/photos/kept"):
        sections = with_written(key, folder)
        (fault,) = faults(camera={"source": "/photos"}, **sections)
        assert fault.startswith(f"f.toml: {key} = {folder!r}: must be outside of camera.source")
    assert faults(camera={"source": "/photos"}, **with_written(key, "/photos2")) == ()
    assert faults(camera={"source": "/photos"}, output={"jsonl": "/photos/results.jsonl"}) == ()


@pytest.mark.parametrize("key", [*WRITTEN, *FOLDERS])
@pytest.mark.parametrize("name", [".m.prom.partial", ".status.json.partial", "x.PARTIAL"])
def test_nothing_has_the_name_of_an_unfinished_file(key: str, name: str) -> None:
    """The next one to replace a file beside it would remove it."""
    (fault,) = faults(**with_written(key, f"/data/{name}"))
    assert fault.startswith(f"f.toml: {key} = '/data/{name}': must be a name that does not end in .partial")


def test_files_in_memory_are_files() -> None:
    (fault,) = faults(events={"store": "/dev/shm/x"}, output={"jsonl": "/dev/shm/x"})
    assert "must be another path than events.store" in fault


# What the disk shows: links


def checked(folder: Path, config: Path | None = None, own: dict[str, Path] | None = None, **sections: object) -> str:
    """The fault that the places on the disk show; "" if none do. Relative paths are those of `folder`."""
    try:
        check_places(settings_from({"bundle": str(folder / "birds"), **sections}), config, own)
    except ConfigError as error:
        return error.faults[0] if error.faults else error.heading
    return ""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A bundle, a video, settings, and photos."""
    for name in ("birds/manifest.json", "birds/model.tflite", "clip.avi", "f.toml", "photos/owl/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("key", [*WRITTEN, *FOLDERS])
@pytest.mark.parametrize("within", ["new", "deeper/new"])
def test_nothing_is_written_into_another_bundle_than_that_of_the_settings(place: Path, key: str, within: str) -> None:
    other = place / "others"
    other.mkdir()
    for name in (MANIFEST, MANIFEST_HASH):
        (other / name).touch()
    (place / "link").symlink_to(other)
    section, _, name = key.partition(".")
    sections = {"events": {"store": str(place / "e.db")}}
    sections.setdefault(section, {})[name] = str(place / "link" / within)
    fault = checked(place, **sections)
    assert fault.startswith(f"{key} = ")
    assert fault.endswith(f"must be outside of the bundle '{other}', of which nothing may change")


def test_a_folder_of_pictures_is_no_bundle(place: Path) -> None:
    for name in (MANIFEST, MANIFEST_HASH):
        (place / "photos" / name).touch()
    events = {"store": str(place / "e.db")}
    fault = checked(place, events=events, pictures={"folder": str(place / "photos")})
    assert "must be outside of the bundle" in fault


def test_a_link_into_the_bundle_is_followed(place: Path) -> None:
    (place / "link").symlink_to(place / "birds")
    assert "must be outside of bundle" in checked(place, output={"jsonl": str(place / "link" / "new" / "r.jsonl")})
    (place / "r.jsonl").symlink_to(place / "birds" / "r.jsonl")
    assert "must be outside of bundle" in checked(place, output={"jsonl": str(place / "r.jsonl")})
    (place / "store").symlink_to(place / "birds" / "e.db")
    assert "events.store" in checked(place, events={"store": str(place / "store")})
    assert checked(place, output={"jsonl": str(place / "other.jsonl")}) == ""


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("target", ["clip.avi", "f.toml", "birds/model.tflite", "birds/manifest.json"])
def test_another_name_of_what_is_read_is_found(place: Path, kind: str, target: str) -> None:
    getattr(place / "r.jsonl", kind)(place / target)
    camera = {"source": str(place / "clip.avi")}
    fault = checked(place, place / "f.toml", output={"jsonl": str(place / "r.jsonl")}, camera=camera)
    assert fault.startswith("output.jsonl = ")
    assert (place / target).read_text() == target


def test_a_second_name_of_a_photo_is_found(place: Path) -> None:
    (place / "r.jsonl").hardlink_to(place / "photos/owl/1.jpg")
    fault = checked(place, output={"jsonl": str(place / "r.jsonl")}, camera={"source": str(place / "photos")})
    assert fault.endswith("another file than camera.source: both are names of the same one (a hard link)")


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_two_outputs_are_two_files(place: Path, kind: str) -> None:
    (place / "a.jsonl").touch()
    getattr(place / "b.jsonl", kind)(place / "a.jsonl")
    fault = checked(
        place,
        events={"store": str(place / "e.db")},
        output={"jsonl": str(place / "a.jsonl")},
        event_lines={"file": str(place / "b.jsonl")},
    )
    assert fault.startswith("event_lines.file = ")


def test_a_copy_that_only_shares_other_names_is_no_fault(place: Path) -> None:
    (place / "r.jsonl").touch()
    (place / "backup.jsonl").hardlink_to(place / "r.jsonl")
    assert checked(place, place / "f.toml", output={"jsonl": str(place / "r.jsonl")}) == ""


def test_the_service_keeps_its_own_files_out_of_the_bundle_too(place: Path) -> None:
    status = {"the status file": place / "birds" / "status.json"}
    assert checked(place, own=status).startswith("'the status file' = ")
    elsewhere = {"the status file": place / "status.json"}
    assert checked(place, own=elsewhere) == ""
    fault = checked(place, own=elsewhere, output={"jsonl": str(place / "status.json")})
    assert "must be another path than the status file" in fault


def test_a_disk_that_hangs_does_not_keep_the_service_from_starting(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Event()
    monkeypatch.setattr("edge.config.loading._DISKS_S", 0.05)
    monkeypatch.setattr("edge.config.loading.find_same_files", lambda *_: answer.wait(30) and [])
    assert checked(place, output={"jsonl": str(place / "r.jsonl")}) == ""
    answer.set()
