"""What the trainer's commands write: never over what they read, and never into a bundle."""

from pathlib import Path

import pytest

from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.cli import cli, status_of


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos, photos of something else, a folder with the marks of a bundle, a model and a table."""
    for name in (
        "photos/owl/1.jpg",
        "photos/wren/1.jpg",
        "others/1.jpg",
        f"birds/{MANIFEST}",
        f"birds/{MANIFEST_HASH}",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ("m.tflite", "w.h5", "visits.html", "birds/m.tflite"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("train photos --out photos/birds", 73, "--out photos/birds lies among the photos"),
        ("train photos --out link/birds", 73, "--out link/birds lies among the photos"),
        ("train link --out photos/birds", 73, "--out photos/birds lies among the photos"),
        ("train photos --out birds/new", 73, "--out birds/new lies in the bundle"),
        ("train photos --out others/new --outside others", 73, "--out others/new lies in others, which is read"),
        ("train photos --out others --outside others", 73, "exists"),
        ("train photos --out v --group-by csv:v-report.html:c --overwrite", 73, "v-report.html, which is read"),
        ("train photos --out w --weights w-report.json --overwrite", 73, "w-report.json, which is read"),
        ("dataset check photos --report photos/owl/page.html", 73, "lies in photos, which is read"),
        ("dataset check photos --report link/page.html", 73, "lies in photos, which is read"),
        ("dataset check photos --report birds/page.html", 73, "lies in the bundle"),
        ("dataset check photos --group-by csv:visits.html:c --report visits.html --overwrite", 73, "which is read"),
        ("dataset group photos --out photos/new", 73, "lies in photos, which is read"),
        ("dataset group photos --out link/new", 73, "lies in photos, which is read"),
        ("dataset group photos --out birds/new", 73, "lies in the bundle"),
        ("dataset group photos --out others", 73, "exists: choose another name"),
        ("compare birds birds photos --report photos/owl/1.jpg --overwrite", 73, "lies in photos, which is read"),
        (f"compare birds birds photos --report birds/{MANIFEST} --overwrite", 73, "lies in the bundle"),
        ("compile m.tflite --out m.tflite --overwrite", 73, "--out m.tflite is m.tflite, which is read"),
        ("compile m.tflite --out x.log", 2, "the compiler's log is written there"),
        ("compile birds/m.tflite", 73, "lies in the bundle"),
    ],
)
def test_it_is_refused_before_any_work(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    words: str,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.cli.apart.run_forked", lambda work: work())
    before = {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}

    def invoke() -> None:
        with cli.make_context("fieldfare", words.split()) as context:
            cli.invoke(context)

    assert status_of(invoke) == status
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()} == before
