"""Folders of photos without classes: what is in them, and new ones of links or copies, whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from heard import Heard
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MissingInputError, OutputExistsError, StorageError
from trainer.dataset.photo_folders import FreeNames, photos_in, unreadable_in_words, write_photos


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Path]:
    """Three files on a card, and their names below the new folder."""
    card = tmp_path / "card"
    card.mkdir()
    for number in range(3):
        (card / f"{number}.jpg").write_bytes(bytes([number]) * 1000)
        os.utime(card / f"{number}.jpg", ns=(10**18 + number,) * 2)
    return {f"group/{number}.jpg": card / f"{number}.jpg" for number in range(3)}


def write(out: Path, photos: dict[str, Path], *, copy: bool = False) -> Heard:
    progress = Heard()
    write_photos(out, photos, {"list.csv": b"file\n"}, copy=copy, progress=progress, copy_option="--photos copies")
    return progress


@pytest.mark.parametrize("copy", [False, True])
def test_links_and_copies_hold_the_photos_beside_the_tables(
    tmp_path: Path, photos: dict[str, Path], copy: bool
) -> None:
    assert write(tmp_path / "out", photos, copy=copy).done == 3
    assert (tmp_path / "out" / "list.csv").read_bytes() == b"file\n"
    for name, photo in photos.items():
        there = tmp_path / "out" / name
        assert there.is_symlink() != copy
        assert there.read_bytes() == photo.read_bytes()
        assert there.stat().st_mtime_ns == photo.stat().st_mtime_ns


def test_a_link_leads_to_the_photo_and_not_to_another_link(tmp_path: Path, photos: dict[str, Path]) -> None:
    write(tmp_path / "groups", photos)
    write(tmp_path / "picked", {"1.jpg": tmp_path / "groups" / "group" / "1.jpg"})
    assert (tmp_path / "picked" / "1.jpg").readlink() == photos["group/1.jpg"].resolve()


@pytest.mark.parametrize("copy", [False, True])
def test_a_photo_that_is_gone_leaves_nothing_behind(tmp_path: Path, photos: dict[str, Path], copy: bool) -> None:
    photos["group/2.jpg"].unlink()
    with pytest.raises(MissingInputError, match=r"2\.jpg: was there and is gone \(No such file.*still plugged in"):
        write(tmp_path / "out", photos, copy=copy)
    assert [path.name for path in tmp_path.iterdir()] == ["card"]


def test_a_card_that_is_pulled_out_during_a_copy_is_no_fault_of_the_disk(
    tmp_path: Path, photos: dict[str, Path]
) -> None:
    # Reading this file fails with the error of a card that went: EIO.
    photos["group/3.jpg"] = Path("/proc/self/mem")
    with pytest.raises(MissingInputError, match=r"mem: was there and is gone \(Input/output error"):
        write(tmp_path / "out", photos, copy=True)
    assert [path.name for path in tmp_path.iterdir()] == ["card"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_links_is_named_with_the_way_out(
    tmp_path: Path, photos: dict[str, Path], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(StorageError, match=r"/out: no links can be made there: add --photos copies"):
        write(tmp_path / "out", photos)
    assert [path.name for path in tmp_path.iterdir()] == ["card"]


def test_a_full_disk_stays_a_full_disk(
    tmp_path: Path, photos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(StorageError, match="No space left"):
        write(tmp_path / "out", photos)


def test_what_is_there_is_never_replaced(tmp_path: Path, photos: dict[str, Path]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(OutputExistsError, match="choose another name"):
        write(tmp_path / "out", photos)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_names_that_differ_by_case_alone_become_different() -> None:
    names = FreeNames()
    given = ["a/IMG_1.JPG", "a/img_1.jpg", "b/IMG_1.JPG", "a/IMG_1.JPG", "a/IMG_1-2.JPG"]
    assert [names.free(name) for name in given] == [
        "a/IMG_1.JPG",
        "a/img_1-2.jpg",
        "b/IMG_1.JPG",
        "a/IMG_1-3.JPG",
        "a/IMG_1-2-2.JPG",
    ]


@given(st.lists(st.text("aB-2.", min_size=1, max_size=4).filter(lambda name: name.strip(".") != ""), max_size=30))
def test_any_names_become_different(wanted: list[str]) -> None:
    names = FreeNames()
    found = [names.free(name).casefold() for name in wanted]
    assert len(set(found)) == len(wanted)


def test_thousands_of_one_name_take_no_time_that_grows_with_their_square() -> None:
    names = FreeNames()
    assert [names.free("IMG_0001.JPG") for _ in range(20_000)][-1] == "IMG_0001-20000.JPG"


def test_what_cannot_be_read_is_one_line_with_the_first_names() -> None:
    assert unreadable_in_words(["a.jpg: torn"]) == "1 photo that cannot be read left out: a.jpg: torn"
    problems = [f"{number}.jpg: torn" for number in range(1203)]
    assert unreadable_in_words(problems) == (
        "1,203 photos that cannot be read left out: 0.jpg: torn; 1.jpg: torn; 2.jpg: torn; and 1,200 more"
    )


def test_a_folder_without_photos_and_no_folder_are_inputs_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(MissingInputError, match=r"no photos there \(JPEG"):
        photos_in(tmp_path)
    with pytest.raises(MissingInputError, match="no such folder"):
        photos_in(tmp_path / "absent")
