"""Pictures as files: whole, below their folder, and safe from a power cut once synced."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.recorder import pictures
from edge.recorder.pictures import MOST_BYTES, PictureFolder, file_name, folder_name, read_jpeg, remove_picture

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
BOOT = "0123abcd-4567-89ab-cdef-0123456789ab"


@pytest.fixture
def memory_file() -> Iterator[int]:
    file = os.memfd_create("picture")
    yield file
    os.close(file)


@pytest.fixture
def folder(tmp_path: Path) -> PictureFolder:
    return PictureFolder(tmp_path / "deep" / "pictures")


def test_a_picture_is_read_from_its_begin_wherever_its_sender_stands(memory_file: int) -> None:
    os.write(memory_file, JPEG)
    assert read_jpeg(memory_file) == JPEG
    assert os.lseek(memory_file, 0, os.SEEK_CUR) == len(JPEG)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"GIF89a", JPEG[:-2], JPEG[1:]])
def test_what_is_no_jpeg_is_refused(memory_file: int, data: bytes) -> None:
    os.write(memory_file, data)
    with pytest.raises(ValueError, match="JPEG"):
        read_jpeg(memory_file)


def test_what_is_too_large_is_not_read(memory_file: int) -> None:
    os.ftruncate(memory_file, MOST_BYTES + 1)
    with pytest.raises(ValueError, match="at most"):
        read_jpeg(memory_file)


def test_a_pipe_is_not_waited_for() -> None:
    reader, writer = os.pipe()
    with pytest.raises(ValueError, match="plain"):
        read_jpeg(reader)
    os.close(reader)
    os.close(writer)


def test_names_come_from_the_identity() -> None:
    names = [file_name(BOOT, 5000, "before", index) for index in range(3)]
    assert names == ["0123abcd/5000-before.jpg", "0123abcd/5000-before-2.jpg", "0123abcd/5000-before-3.jpg"]


@given(st.text())
def test_no_boot_leads_out_of_the_folder(boot: str) -> None:
    assert folder_name(boot).isalnum()
    assert folder_name(boot).isascii()


def test_a_picture_is_written_and_found_again(folder: PictureFolder) -> None:
    name = file_name(BOOT, 5000, "best", 0)
    stored = folder.keep(name, JPEG)
    folder.sync()
    assert (stored.name, stored.size, stored.sha256) == (name, len(JPEG), hashlib.sha256(JPEG).hexdigest())
    assert (folder.root / name).read_bytes() == JPEG
    assert [(Path(entry.path), whole) for entry, whole in folder.entries()] == [(folder.root / name, True)]
    remove_picture(folder.root / name)
    remove_picture(folder.root / name)
    assert list(folder.entries()) == []


def test_a_picture_sent_again_stays_as_it_was_stored(folder: PictureFolder) -> None:
    first, again = (folder.keep("b/1-best.jpg", data) for data in (JPEG, JPEG + JPEG))
    assert first == again
    assert (folder.root / "b/1-best.jpg").read_bytes() == JPEG


def test_nothing_but_pictures_is_removed(tmp_path: Path) -> None:
    for name in ("passwd", "x.jpg", "5000-best.png"):
        (tmp_path / name).touch()
        remove_picture(tmp_path / name)
        assert (tmp_path / name).exists()


def test_all_folders_that_are_new_are_synced(folder: PictureFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(pictures.os, "fsync", fsync)
    folder.keep("b/1-best.jpg", JPEG)
    folder.sync()
    top = folder.root.parent.parent.name
    assert sorted(synced) == sorted([".1-best.jpg.partial", "b", "pictures", "deep", top])
    folder.sync()
    assert len(synced) == 5
    # Its successor does not know whether it was killed before that.
    PictureFolder(folder.root).keep("b/2-best.jpg", JPEG)
    assert sorted(synced[5:]) == sorted([".2-best.jpg.partial", "pictures", "deep"])


@pytest.mark.parametrize("step", range(2))
def test_a_full_disk_leaves_nothing_behind(folder: PictureFolder, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pictures.os, ("write", "fsync")[step], full)
    with pytest.raises(OSError, match="No space"):
        folder.keep("b/1-best.jpg", JPEG)
    assert list((folder.root / "b").iterdir()) == []


def test_files_of_others_are_not_ours(folder: PictureFolder) -> None:
    folder.keep("b/1-best.jpg", JPEG)
    for name in ("notes.txt", "x-best.jpg", ".2-best.jpg.partial"):
        (folder.root / "b" / name).write_text("mine")
    (folder.root / "top.jpg").touch()
    found = {entry.name: whole for entry, whole in folder.entries()}
    assert found == {".2-best.jpg.partial": False, "1-best.jpg": True}


def test_how_much_is_free_is_known_before_there_is_a_folder(folder: PictureFolder) -> None:
    assert folder.free_bytes() > 0
    assert list(folder.entries()) == []
