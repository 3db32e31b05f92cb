"""`fieldfare kit show`: a kit is what it was when it was made, to the byte, or one line says what is wrong."""

import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from made_kits import Workshop

from edge.errors import DataError, MissingInputError
from edge.kit.listing import decode_listing
from edge.kit.reading import open_kit


@pytest.fixture
def kit(workshop: Workshop) -> Path:
    """A kit as a folder."""
    return workshop.built(out="kit")


def test_a_kit_is_shown_from_its_tar_its_folder_and_its_stick(workshop: Workshop) -> None:
    shown = []
    (workshop.folder / "stick").mkdir()
    for out, name in (("kit.tar", "kit.tar"), ("kit", "kit"), ("stick", "stick")):
        path = workshop.built(out=out)
        status, text, errors = workshop.kit("show", workshop.folder / name)
        assert (status, errors) == (0, "")
        shown.append(text.replace(str(path), "KIT"))
    assert len(set(shown)) == 1
    assert "3 wheels" in shown[0]
    assert "needs of the device's system: python3-picamera2" in shown[0]
    assert shown[0].endswith("every file matches its SHA-256\n")


def test_a_kit_as_json_is_its_own_list(workshop: Workshop, kit: Path) -> None:
    status, text, _ = workshop.kit("show", kit, "--json")
    said = json.loads(text)
    assert status == 0
    assert said["kit"] == json.loads((kit / "kit.json").read_bytes())
    assert said["size"] == sum(path.stat().st_size for path in kit.rglob("*") if path.is_file())


def test_what_a_desktop_leaves_on_a_stick_is_passed_over(kit: Path) -> None:
    for name in (".DS_Store", "._kit.json", "wheels/Thumbs.db"):
        (kit / name).write_bytes(b"x")
    open_kit(kit)


def _flip(kit: Path) -> None:
    path = kit / "wheels" / "alpha-1.0-py3-none-any.whl"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(kit: Path) -> None:
    path = kit / "bundle.fieldfare"
    path.write_bytes(path.read_bytes()[:-100])


def _edit_listing(kit: Path) -> None:
    path = kit / "kit.json"
    path.write_text(path.read_text().replace("trixie-arm64", "bookworm-arm64"))


def _link(kit: Path) -> None:
    (kit / "fieldfare.toml").unlink()
    (kit / "fieldfare.toml").symlink_to(kit / "install.sh")


HARMS: list[tuple[Callable[[Path], object], str]] = [
    (_flip, "alpha-1.0-py3-none-any.whl' is damaged"),
    (_cut, "'bundle.fieldfare' is damaged"),
    (_edit_listing, "'kit.json' is damaged"),
    (_link, "no plain file"),
    (lambda kit: (kit / "install.sh").unlink(), "'install.sh' is missing"),
    (lambda kit: shutil.rmtree(kit / "wheels"), "is missing"),
    (lambda kit: (kit / "kit.json").unlink(), "'kit.json' is missing|kit.json is missing"),
    (lambda kit: (kit / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
    (lambda kit: (kit / "SHA256SUMS").write_text("all is well"), "no hash and name"),
    (lambda kit: (kit / "SHA256SUMS").write_bytes(b"x" * (2 << 20)), "more than 1048576 bytes"),
    (lambda kit: (kit / "more.txt").write_text("x"), r"'more\.txt' is no part of it"),
]


@pytest.mark.parametrize(("harm", "why"), HARMS)
def test_a_kit_that_is_damaged_in_its_folder(kit: Path, harm: Callable[[Path], object], why: str) -> None:
    harm(kit)
    with pytest.raises(DataError, match=why):
        open_kit(kit)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.99])
def test_a_tar_that_was_copied_in_part(workshop: Workshop, share: float) -> None:
    path = workshop.built()
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    status, _, errors = workshop.kit("show", path)
    assert (status, errors.count("\n")) == (65, 1)


@pytest.mark.parametrize("member", ["/etc/passwd", "fieldfare-kit/../x", "other/kit.json"])
def test_a_tar_with_a_strange_member_is_refused(workshop: Workshop, member: str) -> None:
    path = workshop.built()
    with tarfile.open(path, "a") as tar:
        tar.addfile(tarfile.TarInfo(member), io.BytesIO())
    with pytest.raises(DataError, match=r"is no file of a kit|is no part of it"):
        open_kit(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_more_than_files_is_refused(workshop: Workshop, kind: bytes) -> None:
    path = workshop.built()
    entry = tarfile.TarInfo("fieldfare-kit/strange")
    entry.type, entry.linkname = kind, "fieldfare-kit/kit.json"
    with tarfile.open(path, "a") as tar:
        tar.addfile(entry)
    with pytest.raises(DataError, match="is no file of a kit"):
        open_kit(path)


def test_a_tar_of_more_files_than_any_kit_has(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "kit.tar", "w") as tar:
        for number in range(2001):
            tar.addfile(tarfile.TarInfo(f"fieldfare-kit/{number}"))
    with pytest.raises(DataError, match="more than 2000 files"):
        open_kit(tmp_path / "kit.tar")


@pytest.mark.parametrize("content", [b"", b"x" * 2000, b"\0" * 20480])
def test_a_file_that_is_no_kit(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kit.tar").write_bytes(content)
    with pytest.raises(DataError, match="no kit"):
        open_kit(tmp_path / "kit.tar")


def test_a_place_without_a_kit(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="cannot read"):
        open_kit(tmp_path / "nowhere.tar")
    with pytest.raises(DataError, match=r"kit\.json is missing"):
        open_kit(tmp_path)
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(MissingInputError, match="neither a folder nor a plain file"):
        open_kit(tmp_path / "pipe.tar")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[1]", "cannot be read"),
        (b'{"format": 1}', "cannot be read"),
        (b'{"format": 2}', "format 2, must be 1"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_a_list_that_is_none_or_of_another_format(data: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why):
        decode_listing(data)
