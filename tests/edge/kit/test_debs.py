"""Debian packages that go along: only those of the target, and nothing that only claims to be one."""

import gzip
import io
import lzma
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_kits import TARGET, ar, make_deb

from edge.errors import DataError, FieldfareError, MissingInputError
from edge.kit import debs
from edge.kit.debs import read_debs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder after --debs."""
    return tmp_path


def control(text: bytes = b"Package: a\nVersion: 1\nArchitecture: arm64\n", name: str = "./control") -> bytes:
    """Return a control.tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()


def deb(control: dict[str, bytes]) -> bytes:
    """Return a package with that control.tar."""
    return ar({"debian-binary": b"2.0\n", **control, "data.tar.xz": b"files"})


def test_packages_are_named_as_debian_names_them(folder: Path) -> None:
    make_deb(folder / "download(1).deb", "libedgetpu1-std", "16.0tf2.17.1-1", "arm64")
    make_deb(folder / "b.deb", "fonts-dejavu", "1:2.37-8", "all")
    assert [deb.file for deb in read_debs(folder, TARGET)] == [
        "fonts-dejavu_2.37-8_all.deb",
        "libedgetpu1-std_16.0tf2.17.1-1_arm64.deb",
    ]


def test_every_packing_of_debians_own_is_read(folder: Path) -> None:
    make_deb(folder / "a.deb", "a1", ending=".xz")
    make_deb(folder / "b.deb", "b1", ending="")
    fields = control(b"Package: c1\nVersion: 1\nArchitecture: all\n")
    (folder / "c.deb").write_bytes(deb({"control.tar.gz": gzip.compress(fields)}))
    assert [deb.package for deb in read_debs(folder, TARGET)] == ["a1", "b1", "c1"]


def test_what_desktops_leave_in_folders_is_passed_over(folder: Path) -> None:
    make_deb(folder / "a.deb")
    for name in (".DS_Store", "._a.deb", "Thumbs.db"):
        (folder / name).write_bytes(b"")
    assert len(read_debs(folder, TARGET)) == 1


@pytest.mark.parametrize("architecture", ["armhf", "amd64", "ARM64"])
def test_another_architecture_is_refused(folder: Path, architecture: str) -> None:
    make_deb(folder / "a.deb", architecture=architecture)
    with pytest.raises(DataError, match=f"libthing for {architecture}, must be for arm64"):
        read_debs(folder, TARGET)


def test_a_package_that_is_there_twice_is_refused(folder: Path) -> None:
    make_deb(folder / "a.deb", version="1")
    make_deb(folder / "b.deb", version="2")
    with pytest.raises(DataError, match=r"libthing is in a\.deb, too"):
        read_debs(folder, TARGET)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no ar archive"),
        (b"PK\x03\x04" + bytes(100), "no ar archive"),
        (ar({}), "copied in part"),
        (ar({"debian-binary": b"2.0\n"}), "no control.tar in it"),
        (ar({"debian-binary": b"2.0\n", "control.tar": control()}), "no data.tar in it"),
        (ar({"control.tar": control(), "data.tar.xz": b""}), "no debian-binary in it"),
        (deb({"control.tar": control(), **{f"_{number}": b"" for number in range(20)}}), "members in it"),
        (deb({"control.tar": control()}) + b"more", "there is no member of a package"),
        (deb({"control.tar.zst": b"x"}), "packed in a way"),
        (deb({"control.tar.xz": b"no xz"}), "is damaged"),
        (deb({"control.tar.gz": gzip.compress(control())[:40]}), "damaged|no control file"),
        (deb({"control.tar": b"\0" * 1024}), "no control file"),
        (deb({"control.tar": control(name="./postinst")}), "no control file"),
        (deb({"control.tar": control(b"Package: a\n")}), "names no package and version"),
        (deb({"control.tar": control(b"Package: ../a\nVersion: 1\nArchitecture: arm64\n")}), "names no package"),
        (deb({"control.tar": control(b"Package: a1\nVersion: 1/2\nArchitecture: arm64\n")}), "names no package"),
        (deb({"control.tar": control(b"Package: a1\nVersion: 1\n")}), "for no architecture"),
        (deb({"control.tar.gz": gzip.compress(bytes(17 << 20))}), "unpacks to more than 16 MiB"),
        (
            b"!<arch>\n" + f"{'control.tar':<48}{10**9:<10}`\n".encode(),
            "control.tar needs 1000000000 bytes more: copy it again",
        ),
        (deb({"control.tar": bytes(2 << 20)}), "control.tar has 2097152 bytes, at most 1048576"),
    ],
)
def test_what_is_no_package_is_one_line(folder: Path, content: bytes, why: str) -> None:
    (folder / "a.deb").write_bytes(content)
    with pytest.raises(DataError, match=why) as caught:
        read_debs(folder, TARGET)
    assert str(folder / "a.deb") in str(caught.value)


@pytest.mark.parametrize("ending", [".xz", ""])
def test_a_package_that_was_copied_in_part_is_refused_wherever_it_ends(folder: Path, ending: str) -> None:
    fields = control(b"Package: a1\nVersion: 1\nArchitecture: arm64\n")
    fields = lzma.compress(fields) if ending else fields
    whole = deb({f"control.tar{ending}": fields})
    last = len(whole) - 1  # a byte to make the size even, which holds nothing
    for size in [*range(0, last, 97), last - 20, last - 1]:
        (folder / "a.deb").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"copied in part|no ar archive") as caught:
            read_debs(folder, TARGET)
        assert "\n" not in str(caught.value)
    (folder / "a.deb").write_bytes(whole[:last])
    assert len(read_debs(folder, TARGET)) == 1


def test_files_that_are_no_packages_are_refused(folder: Path) -> None:
    make_deb(folder / "a.deb")
    (folder / "README").write_text("packages")
    with pytest.raises(DataError, match=r"README: no \.deb file: remove it"):
        read_debs(folder, TARGET)


def test_a_folder_named_as_a_package_is_refused(folder: Path) -> None:
    (folder / "a.deb").mkdir()
    with pytest.raises(DataError, match=r"no \.deb file"):
        read_debs(folder, TARGET)


def test_a_folder_that_is_empty_or_none(folder: Path) -> None:
    with pytest.raises(DataError, match="empty folder"):
        read_debs(folder, TARGET)
    for missing in (folder / "nowhere", make_deb(folder / "file.deb")):
        with pytest.raises(MissingInputError, match="cannot read"):
            read_debs(missing, TARGET)


def test_bounds_hold_before_anything_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_deb(folder / "a.deb", "a1")
    make_deb(folder / "b.deb", "b1")
    monkeypatch.setattr(debs, "_MOST_PACKAGES", 1)
    with pytest.raises(DataError, match="2 files, at most 1"):
        read_debs(folder, TARGET)
    monkeypatch.undo()
    monkeypatch.setattr(debs, "MOST_BYTES", 10)
    with pytest.raises(DataError, match="at most"):
        read_debs(folder, TARGET)


@given(position=st.integers(0, 400), value=st.integers(0, 255))
def test_any_byte_may_be_wrong(tmp_path_factory: pytest.TempPathFactory, position: int, value: int) -> None:
    """A package that is damaged is read, or it is one of our errors."""
    folder = tmp_path_factory.mktemp("debs")
    data = bytearray(make_deb(folder / "a.deb").read_bytes())
    data[position % len(data)] = value
    (folder / "a.deb").write_bytes(data)
    try:
        read_debs(folder, TARGET)
    except FieldfareError as error:
        assert "\n" not in str(error)
