"""Tables beside the photos: bounded in bytes, rows and the length of a line; pipes and devices end in one line."""

import csv
import os
import tracemalloc
from pathlib import Path

import pytest

from edge.errors import DatasetError, FieldfareError, MissingInputError
from trainer.dataset.groups import parse_group_by, visit_groups
from trainer.dataset.layouts import tables
from trainer.dataset.layouts.tables import MOST_BYTES, read_table
from trainer.dataset.listing import Listing, Photo
from trainer.dataset.machine_labels import MACHINE_LABELS, read_machine_labels


def grouped(table: Path) -> None:
    visit_groups(Listing(table.parent, ("owl", "wren"), ()), parse_group_by(f"csv:{table}:visit"))


def test_any_delimiter_and_mark_is_read() -> None:
    for delimiter in ",;\t":
        rows = read_table(f'\ufefffile{delimiter}visit\r\n"a\nb"{delimiter}1\r\n'.encode())
        assert list(rows) == [{"file": "a\nb", "visit": "1"}]


def test_a_pipe_that_nobody_writes_into_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.storage._PIPE_S", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with open(os.open(tmp_path / "pipe", os.O_RDWR)), pytest.raises(MissingInputError, match="a pipe that was not"):  # noqa: PTH123
        grouped(tmp_path / "pipe")
    (tmp_path / MACHINE_LABELS).symlink_to("pipe")
    with pytest.raises(MissingInputError, match="not a plain file"):
        read_machine_labels(tmp_path)


def test_a_pipe_is_read_once_for_all_uses_of_the_rule(tmp_path: Path) -> None:
    """Commands look into the table before and after they read the photos: the second time a pipe is empty."""
    listing = Listing(tmp_path, ("owl", "wren"), tuple(Photo(tmp_path / "owl" / f"{n}.jpg", 0, None) for n in range(4)))
    outlet, inlet = os.pipe()
    os.write(inlet, b"file,visit\nowl/0.jpg,a\nowl/1.jpg,a\nowl/2.jpg,b\n")
    os.close(inlet)
    with open(outlet, "rb"):  # noqa: PTH123
        rule = parse_group_by(f"csv:/dev/fd/{outlet}:visit")
        assert [(found.count, found.unmatched) for found in (visit_groups(listing, rule) for _ in range(2))] == [
            (2, 1)
        ] * 2


def test_a_device_without_end_is_one_line() -> None:
    with pytest.raises(MissingInputError, match="/dev/zero: cannot read: not a plain file"):
        grouped(Path("/dev/zero"))


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    for name in ("visits.csv", MACHINE_LABELS):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 20 * MOST_BYTES)
    for read, at in ((grouped, tmp_path / "visits.csv"), (read_machine_labels, tmp_path)):
        with pytest.raises(MissingInputError, match=f"larger than {MOST_BYTES} bytes"):
            read(at)


def test_a_line_without_end_is_refused_and_takes_no_more_than_a_few_times_its_bytes(tmp_path: Path) -> None:
    data = b"file,label,sure\n" + "\U0001f989".encode() + b"x" * (8 << 20)
    for name in ("visits.csv", MACHINE_LABELS):
        (tmp_path / name).write_bytes(data.replace(b"label", b"visit") if name == "visits.csv" else data)
    for read, at in ((grouped, tmp_path / "visits.csv"), (read_machine_labels, tmp_path)):
        with pytest.raises(DatasetError, match=r"line 2 has 1048576 characters or more"):
            read(at)
    tracemalloc.start()
    try:
        with pytest.raises(csv.Error, match=r"line 2 has"):
            list(read_table(data))
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)  # all of it as text: 4 bytes a character, twice
    finally:
        tracemalloc.stop()


def test_more_rows_than_any_folder_has_photos_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_MOST_ROWS", 100)
    assert len(list(read_table(b"file,visit\n" + b"a,b\n" * 99))) == 99
    with pytest.raises(csv.Error, match="over 100 lines"):
        list(read_table(b"file,visit\n" + b"a,b\n" * 100))


@pytest.mark.parametrize("data", [b"", b"\n", b"\0", b"\xff\xfe", b'"', b'file,visit\n"a', b"file,visit\nx\0,1"])
def test_no_table_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "visits.csv").write_bytes(data)
    try:
        grouped(tmp_path / "visits.csv")
    except FieldfareError as error:
        assert "\n" not in str(error)
