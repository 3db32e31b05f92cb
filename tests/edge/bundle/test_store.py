"""Opening a bundle checks every byte, in both its forms."""

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.bundle.labels import parse_labels
from edge.bundle.store import Bundle, open_bundle, pack_bytes
from edge.errors import BundleError, MissingInputError


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 0x01
    path.write_bytes(data)


def reseal(folder: Path) -> None:
    """Make the manifest's own hash right again, as an attacker would."""
    data = (folder / "manifest.json").read_bytes()
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  manifest.json\n")


def test_a_good_bundle_opens(sealed: Bundle) -> None:
    opened = open_bundle(sealed.path)
    assert opened.bundle_id == sealed.bundle_id
    assert len(opened.labels) == opened.manifest.output.classes == 1001
    assert opened.model.startswith(opened.contents["model.tflite"][:100])


def test_sha256sum_can_check_the_manifest(sealed: Bundle) -> None:
    digest = hashlib.sha256((sealed.path / "manifest.json").read_bytes()).hexdigest()
    assert (sealed.path / "manifest.sha256").read_text() == f"{digest}  manifest.json\n"


def test_a_flipped_byte_in_any_file_is_found(bundle_copy: Path) -> None:
    for file in sorted(bundle_copy.iterdir()):
        original = file.read_bytes()
        for position in (0, len(original) // 2, len(original) - 1):
            flip(file, position)
            with pytest.raises(BundleError):
                open_bundle(bundle_copy)
            file.write_bytes(original)
    open_bundle(bundle_copy)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(min_value=0))
def test_a_flipped_byte_anywhere_in_a_packed_bundle_is_found(sealed: Bundle, tmp_path: Path, position: int) -> None:
    packed = tmp_path / "birds.fieldfare"
    packed.write_bytes(pack_bytes(sealed))
    flip(packed, position)
    with pytest.raises(BundleError):
        open_bundle(packed)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(min_value=0, max_value=0.9999))
def test_a_packed_bundle_cut_short_is_found(sealed: Bundle, tmp_path: Path, share: float) -> None:
    data = pack_bytes(sealed)
    packed = tmp_path / "birds.fieldfare"
    packed.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BundleError, match="packed bundle"):
        open_bundle(packed)


def test_both_forms_hold_the_same(sealed: Bundle, tmp_path: Path) -> None:
    packed = tmp_path / "birds.fieldfare"
    packed.write_bytes(pack_bytes(sealed))
    assert open_bundle(packed).contents == open_bundle(sealed.path).contents
    assert pack_bytes(open_bundle(packed)) == packed.read_bytes()


def test_any_unzip_program_opens_the_packed_form(sealed: Bundle, tmp_path: Path) -> None:
    packed = tmp_path / "birds.fieldfare"
    packed.write_bytes(pack_bytes(sealed))
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == set(sealed.contents)


def test_a_missing_file_is_named(bundle_copy: Path) -> None:
    (bundle_copy / "labels.txt").unlink()
    with pytest.raises(BundleError, match=r"missing file 'labels\.txt'"):
        open_bundle(bundle_copy)


def test_an_extra_file_is_named(bundle_copy: Path) -> None:
    (bundle_copy / "notes.txt").write_text("hello")
    with pytest.raises(BundleError, match=r"extra file 'notes\.txt'"):
        open_bundle(bundle_copy)


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_only_plain_files_are_read(bundle_copy: Path, kind: str) -> None:
    thing = bundle_copy / "thing"
    if kind == "folder":
        thing.mkdir()
    elif kind == "link":
        thing.symlink_to("/etc/passwd")
    else:
        os.mkfifo(thing)
    with pytest.raises(BundleError, match="'thing' is not a plain file"):
        open_bundle(bundle_copy)


def test_a_name_that_leaves_the_bundle_is_refused(bundle_copy: Path) -> None:
    text = (bundle_copy / "manifest.json").read_text().replace('"labels.txt"', '"../labels.txt"')
    (bundle_copy / "manifest.json").write_text(text)
    reseal(bundle_copy)
    with pytest.raises(BundleError, match="regex"):
        open_bundle(bundle_copy)


def test_an_unknown_schema_says_what_to_do(bundle_copy: Path) -> None:
    record = json.loads((bundle_copy / "manifest.json").read_text())
    (bundle_copy / "manifest.json").write_text(json.dumps({**record, "schema": 99}))
    reseal(bundle_copy)
    with pytest.raises(BundleError, match="schema 99 is unknown; this version reads schema 1: update Fieldfare"):
        open_bundle(bundle_copy)


def test_labels_must_match_the_outputs(bundle_copy: Path) -> None:
    labels = b"just one\n"
    (bundle_copy / "labels.txt").write_bytes(labels)
    record = json.loads((bundle_copy / "manifest.json").read_text())
    for entry in record["files"]:
        if entry["name"] == "labels.txt":
            entry.update(size=len(labels), sha256=hashlib.sha256(labels).hexdigest())
    (bundle_copy / "manifest.json").write_text(json.dumps(record))
    reseal(bundle_copy)
    with pytest.raises(BundleError, match="1 labels, the model 1001 outputs"):
        open_bundle(bundle_copy)


def test_nothing_there_is_told_apart_from_damage(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no bundle there"):
        open_bundle(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="an empty folder"):
        open_bundle(tmp_path / "empty")
    (tmp_path / "empty" / "labels.txt").write_text("owl\n")
    with pytest.raises(BundleError, match=r"manifest\.json is missing"):
        open_bundle(tmp_path / "empty")


def test_a_re_zipped_bundle_is_not_taken_for_a_packed_one(sealed: Bundle, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "birds"), "zip", sealed.path)
    with pytest.raises(BundleError, match="bundle pack"):
        open_bundle(archive)


def test_labels_are_utf8_lines() -> None:
    assert parse_labels("\ufeffAmsel\nGrünfink\n".encode()) == ("Amsel", "Grünfink")
    with pytest.raises(BundleError, match="line 2 is empty"):
        parse_labels(b"a\n\nb\n")
    with pytest.raises(BundleError, match="UTF-8"):
        parse_labels(b"\xff\xfe\x00")
