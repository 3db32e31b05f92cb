"""An export as one tar: as whole as one in a folder, and the store notes nothing of it."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from edge.errors import DataError
from edge.exports.archive import export_archive
from edge.exports.export import Progress, Request, export
from edge.exports.taxa import no_taxa
from edge.store.reading import StoreReader
from edge.store.records import Filter
from tools.make_store import made_events, make_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_store(tmp_path / "state/events.db", made_events(20, side=16))
    return tmp_path / "state/events.db"


def request(store: Path, **changed: object) -> Request:
    given = {"form": "csv", "out": Path("-"), "wanted": Filter(), "taxon_of": no_taxa, **changed}
    return Request(store=store, **given)  # type: ignore[arg-type]


def ignored(_progress: Progress) -> None:
    pass


def files(stream: io.BytesIO) -> dict[str, bytes]:
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def test_it_holds_what_a_folder_would(store: Path, tmp_path: Path) -> None:
    export(request(store, out=tmp_path / "folder"), ignored)
    stream = io.BytesIO()
    outcome = export_archive(request(store), stream, ignored)
    found = {name.removeprefix("fieldfare-csv/"): data for name, data in files(stream).items()}
    expected = {str(path.relative_to(tmp_path / "folder")): path for path in (tmp_path / "folder").rglob("*")}
    expected = {name: path for name, path in expected.items() if path.is_file() and name != "fieldfare-export.json"}
    assert sorted(found) == sorted(expected)
    assert all(found[name] == path.read_bytes() for name, path in expected.items() if name.endswith((".jpg", ".csv")))
    assert outcome.pictures == sum(name.endswith(".jpg") for name in found)


def test_the_store_notes_nothing_of_it(store: Path) -> None:
    export_archive(request(store), io.BytesIO(), ignored)
    with StoreReader(store) as reader:
        assert not [stored for stored in reader.events(Filter()) if stored.exported]


def test_pictures_that_are_damaged_or_gone_are_left_out(store: Path) -> None:
    first, second, *_ = sorted((store.parent / "pictures").rglob("*.jpg"))
    first.write_bytes(b"x" * first.stat().st_size)
    second.unlink()
    stream = io.BytesIO()
    outcome = export_archive(request(store), stream, ignored)
    assert (outcome.damaged, outcome.missing) == (1, 1)
    found = files(stream)
    for line in found["fieldfare-csv/manifest-sha256.txt"].decode().splitlines():
        digest, name = line.split("  ", 1)
        assert hashlib.sha256(found[f"fieldfare-csv/{name}"]).hexdigest() == digest


def test_nothing_to_export_writes_nothing(store: Path) -> None:
    stream = io.BytesIO()
    with pytest.raises(DataError, match="no event matches"):
        export_archive(request(store, wanted=Filter(labels=("no such animal",))), stream, ignored)
    assert not stream.getvalue()
