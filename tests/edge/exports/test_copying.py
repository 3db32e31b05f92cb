"""A target that is full, gone, damaged or somebody else's; an export that was interrupted goes on."""

import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import OutputExistsError, StorageError
from edge.exports.copying import disk, output_file, pictures
from edge.exports.copying.pictures import Copy, copy_pictures
from edge.exports.copying.record import MANIFEST, RECORD
from edge.exports.copying.target import Target


@pytest.fixture
def copies(tmp_path: Path) -> list[Copy]:
    """Three pictures of 3 MB in all, to go into two folders."""
    made = []
    for number in range(3):
        data = bytes([number]) * 1_000_000
        source = tmp_path / f"{number}.jpg"
        source.write_bytes(data)
        made.append(Copy(source, f"media/{number % 2}/{number}.jpg", hashlib.sha256(data).hexdigest()))
    return made


def opened(folder: Path, *, overwrite: bool = False, resume: bool = False, store: str = "s") -> Target:
    return Target(folder, "csv", store, overwrite=overwrite, resume=resume)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_there_at_the_end_is_whole_and_listed(tmp_path: Path, copies: list[Copy]) -> None:
    with opened(tmp_path / "out") as target:
        assert copy_pictures(target, copies) == ["there"] * 3
        with target.file("events.csv") as table:
            table.write(b"a,b\n")
        target.finish()
    assert files_in(tmp_path / "out") == {*(one.name for one in copies), "events.csv", MANIFEST, RECORD}
    checked = subprocess.run(["sha256sum", "-c", "--strict", MANIFEST], cwd=tmp_path / "out", capture_output=True)
    assert checked.returncode == 0
    assert checked.stdout.count(b"OK") == 4


def test_pictures_that_are_gone_or_damaged_are_left_out(tmp_path: Path, copies: list[Copy]) -> None:
    copies[0].source.unlink()
    copies[1].source.write_bytes(b"flipped")
    with opened(tmp_path / "out") as target:
        assert copy_pictures(target, copies) == ["missing", "damaged", "there"]
        target.finish()
    assert files_in(tmp_path / "out") == {copies[2].name, MANIFEST, RECORD}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_plain_files_are_pictures(tmp_path: Path, copies: list[Copy], kind: str) -> None:
    copies[0].source.unlink()
    make: dict[str, Callable[[], object]] = {
        "link": lambda: copies[0].source.symlink_to(copies[1].source),
        "pipe": lambda: os.mkfifo(copies[0].source),
        "folder": copies[0].source.mkdir,
    }
    make[kind]()
    with opened(tmp_path / "out") as target:
        assert copy_pictures(target, copies)[0] == "missing"


def test_an_interrupted_export_goes_on_and_copies_only_what_is_missing(
    tmp_path: Path, copies: list[Copy], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "out") as target:
        copy_pictures(target, copies[:2])
        (tmp_path / "out/media/0/9.jpg.partial").write_bytes(b"half")  # as after a kill
    with pytest.raises(OutputExistsError, match="go on with --resume"):
        opened(tmp_path / "out")
    with pytest.raises(OutputExistsError, match="of another store"):
        opened(tmp_path / "out", resume=True, store="t")
    begun: list[Path] = []
    monkeypatch.setattr(pictures, "create", lambda path: begun.append(path) or disk.create(path))
    with opened(tmp_path / "out", resume=True) as target:
        assert copy_pictures(target, copies) == ["there"] * 3
        target.finish()
    assert [path.name for path in begun] == ["2.jpg.partial"]
    assert files_in(tmp_path / "out") == {*(one.name for one in copies), MANIFEST, RECORD}


def test_a_picture_that_was_damaged_on_the_target_is_copied_again(tmp_path: Path, copies: list[Copy]) -> None:
    with opened(tmp_path / "out") as target:
        copy_pictures(target, copies)
    (tmp_path / "out" / copies[0].name).write_bytes(b"flipped")
    with opened(tmp_path / "out", resume=True) as target:
        copy_pictures(target, copies)
        target.finish()
    assert (tmp_path / "out" / copies[0].name).read_bytes() == copies[0].source.read_bytes()


def test_a_whole_export_is_replaced_only_if_that_was_meant_and_nothing_else_is_touched(
    tmp_path: Path, copies: list[Copy]
) -> None:
    out = tmp_path / "out"
    with opened(out) as target:
        copy_pictures(target, copies)
        target.finish()
    (out / "notes.txt").write_text("mine")
    (out / "media/0/notes.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(OutputExistsError, match="add --overwrite"):
            opened(out, resume=resume)
    with opened(out, overwrite=True) as target:
        copy_pictures(target, copies[:1])
        target.finish()
    assert files_in(out) == {copies[0].name, "notes.txt", "media/0/notes.txt", MANIFEST, RECORD}
    assert not (out / "media/1").exists()


def test_a_folder_that_is_no_export_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="give a folder of its own"):
            opened(tmp_path, overwrite=overwrite)
    assert files_in(tmp_path) == {"photo.jpg"}


def test_no_folder_is_made_above_the_one_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is the stick mounted"):
        opened(tmp_path / "stick" / "out")
    assert not (tmp_path / "stick").exists()


def test_a_file_in_its_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="a folder is needed there"):
        opened(tmp_path / "out")


def test_two_exports_to_one_folder_exclude_each_other(tmp_path: Path) -> None:
    with opened(tmp_path / "out"), pytest.raises(StorageError, match="another export is writing there"):
        opened(tmp_path / "out", resume=True)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free some space"), (errno.EIO, "still plugged in"), (errno.EROFS, "can be written to")],
)
def test_a_target_that_fails_in_mid_copy_leaves_whole_files_only(
    tmp_path: Path, copies: list[Copy], monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def fail(handle: int, data: bytes) -> None:
        os.write(handle, data[: len(data) // 2])
        raise OSError(number, os.strerror(number))

    with opened(tmp_path / "out") as target:
        copy_pictures(target, copies[:1])
        monkeypatch.setattr(pictures, "write_all", fail)
        with pytest.raises(StorageError, match=advice):
            copy_pictures(target, copies[1:])
    assert files_in(tmp_path / "out") == {copies[0].name, RECORD}


def test_a_target_that_returns_other_bytes_is_found_out(
    tmp_path: Path, copies: list[Copy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "hash_from_disk", lambda path: "0" * 64)
    with opened(tmp_path / "out") as target, pytest.raises(StorageError, match="the target is damaged"):
        copy_pictures(target, copies)
    assert files_in(tmp_path / "out") == {RECORD}


def test_a_table_that_is_read_back_otherwise_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "out") as target:
        monkeypatch.setattr(output_file, "hash_from_disk", lambda path: "0" * 64)
        with pytest.raises(StorageError, match="the target is damaged"), target.file("events.csv") as table:
            table.write(b"a,b\n")
    assert files_in(tmp_path / "out") == {RECORD}


def test_a_stick_that_was_unmounted_does_not_fill_the_disk_below_it(tmp_path: Path, copies: list[Copy]) -> None:
    out = tmp_path / "out"
    with opened(out) as target:
        copy_pictures(target, copies[:1])
        out.rename(tmp_path / "unplugged")
        out.mkdir()
        with pytest.raises(StorageError, match="the target was removed"):
            copy_pictures(target, copies[1:])
        with pytest.raises(StorageError, match="the target was removed"), target.file("events.csv") as table:
            table.write(b"a")
    assert files_in(out) == set()


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path, copies: list[Copy]) -> None:
    with opened(tmp_path / "out") as target:
        shutil.rmtree(tmp_path / "out")
        with pytest.raises(StorageError, match="No such file"):
            copy_pictures(target, copies)


def test_a_link_in_the_target_leads_nothing_out_of_it(tmp_path: Path, copies: list[Copy]) -> None:
    (tmp_path / "elsewhere").mkdir()
    with opened(tmp_path / "out") as target:
        (tmp_path / "out/media").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageError, match="a link, not a folder"):
            copy_pictures(target, copies)
    assert files_in(tmp_path / "elsewhere") == set()


def test_an_error_in_a_table_leaves_none(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as target, pytest.raises(ZeroDivisionError), target.file("events.csv") as table:
        table.write(b"a" * 1_000_000)
        raise ZeroDivisionError
    assert files_in(tmp_path / "out") == {RECORD}
