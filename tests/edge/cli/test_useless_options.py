"""Options that would do nothing are refused with the reason, and before anything is done."""

from pathlib import Path

import pytest
from fieldfare_here import Fieldfare

from tools.make_store import made_events, make_store


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    return Fieldfare(capsys)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is only read."""
    path = tmp_path_factory.mktemp("store") / "events.db"
    make_store(path, made_events(4))
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--label", "fox", "mark", "1", "right"], "--label: does nothing for `fieldfare events mark`"),
        (["--json", "mark", "1", "right"], "--json: does nothing for `fieldfare events mark`"),
        (["--since", "2h", "show", "1"], "--since: does nothing for `fieldfare events show`"),
        (["--unchecked", "show", "1"], "--unchecked: does nothing for `fieldfare events show`"),
        (["--oldest-first", "tail"], "--oldest-first: does nothing for `fieldfare events tail`"),
        (["-n", "5", "count"], "-n: does nothing for `fieldfare events count`"),
        (["--since", "today", "--until", "2020"], "must be"),
        (["--since", "2026-02", "--until", "2026-01"], "--since is not before --until"),
        (["count", "--since", "now", "--until", "2h"], "--since is not before --until"),
        (["tail", "--min-score", "0.9", "--max-score", "0.5"], "--min-score 0.9 is over --max-score 0.5"),
        (["mark", "1", "--undo", "--by", "me"], "--by and --undo exclude each other"),
        (["mark", "1", "--undo", "--as", "fox"], "--as and --undo exclude each other"),
        (["mark", "1", "right", "--undo"], "'right' beside --undo: give numbers only"),
        (["mark", "1", "wrong", "--as", "fox"], "'wrong' beside --as: give numbers only"),
        (["mark", "1", "right", "--by", "a\x1b[31m"], "--by 'a\\x1b[31m': must be printable text of 1 to 200 bytes"),
        (["mark", "1", "right", "--by", "x" * 201], "must be printable text of 1 to 200 bytes"),
        (["mark", "1", "right", "--by", " "], "the word after --by is empty"),
        (["mark", "1", "right", "--by", "a\udcff"], "must be printable text"),
    ],
)
def test_events(fieldfare: Fieldfare, store: Path, words: list[str], said: str) -> None:
    done = fieldfare("events", "--store", store, *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert fieldfare("events", "--store", store, "--checked").out == "no events\n"


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "folders", "megadetector"])
@pytest.mark.parametrize("option", ["--position", "--project", "--title", "--contributor"])
def test_what_only_camtrap_dp_has_a_use_for(
    fieldfare: Fieldfare, store: Path, tmp_path: Path, form: str, option: str
) -> None:
    done = fieldfare("export", "--store", store, "--format", form, "--out", tmp_path / "out", option, "52,23")
    assert (done.status, done.out) == (2, "")
    assert f"Error: {option}: only camtrap-dp has a use for it, not {form}: leave it out" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["csv", "--resume", "--overwrite"], "--resume and --overwrite exclude each other"),
        (["folders", "--taxonomy", "t.csv"], "--taxonomy: folders have the names of the labels: leave it out"),
        (["folders", "--no-media"], "--no-media: folders consists of pictures"),
        (["megadetector", "--no-media"], "--no-media: megadetector consists of pictures"),
        (["csv", "--since", "2026-02", "--until", "2026-01"], "--since is not before --until"),
        (["camtrap-dp", "--title", "a\nb"], r"--title 'a\nb': must be a text of 1 to 1000 characters on one line"),
        (["camtrap-dp", "--title", ""], "the word after --title is empty"),
        (["camtrap-dp", "--title", "\udcff"], r"--title '\udcff': must be a text"),
        (["camtrap-dp", "--contributor", "x" * 1001], "must be a text of 1 to 1000 characters on one line"),
    ],
)
def test_export(fieldfare: Fieldfare, store: Path, tmp_path: Path, words: list[str], said: str) -> None:
    done = fieldfare("export", "--store", store, "--out", tmp_path / "out", "--format", *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "words", "said"),
    [
        ("/dev/video9", ["--flat-out"], "--flat-out: /dev/video9 has a rate of its own"),
        ("picamera2", ["--loop"], "--loop: picamera2 has no end"),
        ("synthetic", ["--loop"], "--loop: synthetic has no end"),
        ("clip.avi", ["--size", "640x480"], "--size: clip.avi has a size of its own"),
        ("rtsp://me:hush42@cam/1", ["--size", "640x480"], "--size: rtsp://***@cam/1 has a size of its own"),
        ("clip.avi", ["--flat-out", "--fps", "5"], "--fps: --flat-out goes as fast as possible: leave one out"),
        ("clip.avi", ["--quiet", "--json"], "--quiet and --json exclude each other"),
    ],
)
def test_run(fieldfare: Fieldfare, source: str, words: list[str], said: str) -> None:
    done = fieldfare("run", "--bundle", "birds", "--source", source, *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_outputs(fieldfare: Fieldfare, tmp_path: Path) -> None:
    words = ["--config", tmp_path / "fieldfare.toml", "--remove-discovery", "--status-file", tmp_path / "status.json"]
    done = fieldfare("outputs", *words)
    assert (done.status, done.out) == (2, "")
    assert "--status-file: --remove-discovery reads no status: leave it out" in done.err
