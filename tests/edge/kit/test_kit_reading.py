"""`fieldfare kit show`: a kit is what it was when it was made, to the byte, or one line says what is wrong."""

import hashlib
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
from edge.installing.origins.kit import Entry, encode_sums, kit_id
from edge.installing.origins.kit_folder import KitFolder
from edge.kit.reading import open_kit
from edge.kit.writing import FOLDER


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
    assert "4 wheels" in shown[0]
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


def _rewrite(kit: Path, **changed: object) -> None:
    """Change keys of kit.json as somebody would who knows of the hashes."""
    record = json.loads((kit / "kit.json").read_bytes())
    (kit / "kit.json").write_text(json.dumps({**record, **changed}))
    files = [path for path in kit.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    (kit / "SHA256SUMS").write_bytes(encode_sums({path.relative_to(kit).as_posix(): _entry(path) for path in files}))


def _entry(path: Path) -> Entry:
    return Entry(path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def _without(kit: Path, beginning: str) -> None:
    """Make a kit without some of its files, whole in itself."""
    for path in kit.glob(f"{beginning}*"):
        path.unlink()
    held = json.loads((kit / "kit.json").read_bytes())["files"]
    kept = {name: Entry(**entry) for name, entry in held.items() if not name.startswith(beginning)}
    _rewrite(kit, files={name: held[name] for name in kept}, id=kit_id(kept))


# What is done to a kit, and what is said of it as a folder, by installer and desktop, and as a tar.
HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped byte": (_flip, "alpha-1.0-py3-none-any.whl'?:? .*SHA-256 differs"),
    "a file in part": (_cut, "copied in part|'bundle.fieldfare' is damaged"),
    "an edited record": (_edit_listing, "kit.json'?:? .*SHA-256 differs"),
    "no script": (lambda kit: (kit / "install.sh").unlink(), "install.sh'?:? is missing"),
    "no wheels": (lambda kit: shutil.rmtree(kit / "wheels"), "is missing"),
    "no list": (lambda kit: (kit / "SHA256SUMS").unlink(), "SHA256SUMS:? is missing"),
    "a list of nothing": (lambda kit: (kit / "SHA256SUMS").write_text("all is well"), "not lines of hash and name"),
    "an empty list": (lambda kit: (kit / "SHA256SUMS").write_text(""), "not lines of hash and name|is no part of it"),
    "a file more": (lambda kit: (kit / "more.txt").write_text("x"), "more.txt.* is (no part of it|not in its list)"),
    "a hidden file more": (lambda kit: (kit / ".more").write_text("x"), "more.* is (no part of it|not in its list)"),
    "a kit in a kit": (lambda kit: shutil.copytree(kit / "wheels", kit / "wheels/wheels"), "no part of it|not in its"),
    "a newer format": (lambda kit: _rewrite(kit, format=2), "format 2, must be 1"),
    "another id": (lambda kit: _rewrite(kit, id="0" * 12), "was changed by hand"),
    "a path outside": (lambda kit: _rewrite(kit, files={"../x": {"size": 0, "sha256": "0" * 64}}), "list"),
    "an absolute path": (lambda kit: _rewrite(kit, files={"/x": {"size": 0, "sha256": "0" * 64}}), "no path of a kit"),
    "a file that is not listed": (lambda kit: _rewrite(kit, files={}), "is not in the list of files"),
    "no pip": (lambda kit: _without(kit, "wheels/pip-"), "no wheel of pip"),
    "no Fieldfare": (lambda kit: _without(kit, "wheels/fieldfare-"), "no wheel of fieldfare"),
    "no bundle": (lambda kit: _without(kit, "bundle.fieldfare"), "bundle.fieldfare is not in the list of files"),
    "needs that are no packages": (lambda kit: _rewrite(kit, needs=["-o x"]), "needs '-o x'"),
    "a name that is none": (lambda kit: _rewrite(kit, bundle={"name": 7, "id": "0"}), "bundle's name 7"),
}


@pytest.mark.parametrize("what", HARMS)
def test_what_is_wrong_with_a_kit_is_one_line_for_desktop_and_device(kit: Path, what: str) -> None:
    """A tar that `kit show` takes is one that the device takes once it is unpacked."""
    harm, why = HARMS[what]
    harm(kit)
    for open_it in (open_kit, KitFolder, lambda folder: open_kit(_packed(folder))):
        with pytest.raises(DataError, match=why) as error:
            open_it(kit)  # type: ignore[operator]
        assert "\n" not in str(error.value)


def _packed(kit: Path) -> Path:
    with tarfile.open(kit.with_name("packed.tar"), "w") as tar:
        for path in kit.rglob("*"):
            if path.is_file():
                tar.add(path, f"{FOLDER}/{path.relative_to(kit).as_posix()}")
    return kit.with_name("packed.tar")


def test_a_link_in_a_kit_is_refused(kit: Path) -> None:
    (kit / "fieldfare.toml").unlink()
    (kit / "fieldfare.toml").symlink_to(kit / "install.sh")
    with pytest.raises(DataError, match="a link, not a plain file"):
        open_kit(kit)


def test_a_list_without_an_end_is_not_read_to_it(kit: Path) -> None:
    (kit / "SHA256SUMS").write_bytes(b"x" * (2 << 20))
    with pytest.raises(MissingInputError, match="1048576"):
        open_kit(kit)
    with pytest.raises(DataError, match="more than 1048576 bytes"):
        open_kit(_packed(kit))


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
    with pytest.raises(MissingInputError, match=r"kit\.json: cannot read.*name the unpacked folder"):
        open_kit(tmp_path)
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(MissingInputError, match="neither a folder nor a plain file"):
        open_kit(tmp_path / "pipe.tar")
