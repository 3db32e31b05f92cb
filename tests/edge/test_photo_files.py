"""Photos are found by their names, or their first bytes if the name promises nothing; nobody's files are not."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.images import SUFFIXES, read_image
from edge.photo_files import ending_of, find_images, is_image_name, is_nobodys, is_out_of_bounds, is_photo, look_through

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(900)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (200, 30, 40)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("ending", sorted(SUFFIXES | {ending.upper() for ending in SUFFIXES}))
def test_every_ending_of_a_format_that_is_read_is_a_photo(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"1{ending}").write_bytes(encoded("JPEG"))
    assert find_images(tmp_path) == [tmp_path / f"1{ending}"]
    assert is_image_name(Path(f"owl/1{ending}"))
    assert read_image(tmp_path / f"1{ending}").shape == (10, 20, 3)


def test_common_endings_are_among_them() -> None:
    assert {".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".png", ".bmp", ".webp", ".tif", ".tiff"} <= SUFFIXES


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
@pytest.mark.parametrize("name", ["IMG_0001", "2024.05.01", "owl.jpg_large", "owl.jpg?w=640", "visit 12.5"])
def test_a_name_that_promises_nothing_is_judged_by_the_first_bytes(tmp_path: Path, kind: str, name: str) -> None:
    photo, other = tmp_path / name, tmp_path / f"other {name}"
    photo.write_bytes(encoded(kind))
    other.write_bytes(HEIC)
    assert ending_of(name) == ""
    assert find_images(tmp_path) == [photo]
    assert read_image(photo).shape == (10, 20, 3)


@pytest.mark.parametrize("name", ["1.heic", "1.nef", "1.thm", "1.part", "1.jpg~", "1~", ".hidden", "._1", "Thumbs.db"])
def test_a_name_that_promises_something_else_is_no_photo_whatever_is_in_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(encoded("JPEG"))
    assert find_images(tmp_path) == []


def test_a_tiff_without_an_ending_is_no_photo_because_raw_files_begin_the_same(tmp_path: Path) -> None:
    (tmp_path / "DSC_1").write_bytes(encoded("TIFF"))
    assert find_images(tmp_path) == []


@pytest.mark.parametrize("name", ["pipe", "pipe.jpg"])
def test_a_pipe_is_never_opened(tmp_path: Path, name: str) -> None:
    """That would wait for ever."""
    os.mkfifo(tmp_path / name)
    assert find_images(tmp_path) == []


def test_an_empty_file_without_an_ending_is_no_photo(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert find_images(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        *(
            "$RECYCLE.BIN",
            "$Recycle.Bin",
            "System Volume Information",
            "RECYCLER",
            "RECYCLED",
            "FOUND.007",
            "found.123",
        ),
        *("@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", ".@__thumb", "@__thumb", "@tmp"),
        *("__MACOSX", ".Trashes", ".Spotlight-V100", ".AppleDouble", ".TemporaryItems", "Temporary Items"),
        *("lost+found", "LOST.DIR", ".Trash-1000", ".thumbnails", "Thumbnails", "~snapshot", ".snapshot"),
    ],
)
def test_folders_of_systems_are_not_looked_into_at_any_depth(tmp_path: Path, name: str) -> None:
    (tmp_path / "deep" / name / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / name / "1.jpg").touch()
    (tmp_path / "deep" / name / "deeper" / "1.jpg").touch()
    (tmp_path / "deep" / "1.jpg").touch()
    assert is_out_of_bounds(name)
    assert find_images(tmp_path) == [tmp_path / "deep" / "1.jpg"]
    assert look_through(tmp_path).closed == (tmp_path / "deep" / name,)
    assert find_images(tmp_path / "deep" / name) != []  # whoever names the folder means it


@pytest.mark.parametrize("name", ["._IMG_1.jpg", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini", "ehthumbs.db"])
def test_files_of_systems_are_nobodys(name: str) -> None:
    assert is_nobodys(name)


def test_files_of_people_are_somebodys() -> None:
    assert not any(map(is_nobodys, ("owl.jpg", "notes.txt", "thumb.db", "IMG_1.HEIC", "1")))


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=40).filter(
        lambda name: name not in (".", "..")
    ),
    st.binary(max_size=40),
)
def test_any_name_and_any_content_is_a_photo_or_not(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / name).write_bytes(content)
    found = find_images(folder)
    assert found == ([folder / name] if is_photo(folder / name) else [])
    assert look_through(folder).files == (folder / name,)
    if is_image_name(Path(name)):
        assert found
