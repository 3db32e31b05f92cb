"""`fieldfare kit build`: what goes in comes out whole, the same each time, or one line says why not."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from made_kits import FITTING, SCRIPT, TARGET, Workshop, make_deb, make_wheel

from edge import __version__
from edge.bundle.store import open_bundle, pack_bytes
from edge.kit import build, lock
from edge.kit.lock import format_lock
from edge.kit.own_wheel import FILE, own_wheel

UNITS = Path(__file__).resolve().parents[3] / "systemd"
# FAT allows none of these in a name, and no capitals beside small letters.
NOT_ON_FAT = set('\\:*?"<>|')


def unpacked(kit: Path) -> dict[str, bytes]:
    """Return the files of a tar by their names."""
    with tarfile.open(kit) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def in_folder(kit: Path) -> dict[str, bytes]:
    return {path.relative_to(kit).as_posix(): path.read_bytes() for path in kit.rglob("*") if path.is_file()}


def test_a_kit_holds_all_that_a_device_needs(workshop: Workshop) -> None:
    files = unpacked(workshop.built())
    assert all(name.startswith("fieldfare-kit/") for name in files)
    files = {name.removeprefix("fieldfare-kit/"): data for name, data in files.items()}
    assert files["install.sh"] == SCRIPT
    assert files["bundle.fieldfare"] == pack_bytes(open_bundle(workshop.bundle))
    assert files["fieldfare.toml"] == (UNITS / "fieldfare.toml").read_bytes()
    delivered = {path.name for path in UNITS.iterdir() if path.is_file()} - {"fieldfare.toml"}
    assert {name.removeprefix("systemd/") for name in files if name.startswith("systemd/")} == delivered
    wheels = {name.removeprefix("wheels/") for name in files if name.startswith("wheels/")}
    assert wheels == {FILE, *(wheel.file for wheel in workshop.wheels)}


def test_what_a_kit_says_of_itself(workshop: Workshop) -> None:
    """The form that the installer on the device reads."""
    kit = workshop.built(out="kit")
    said, files = json.loads((kit / "kit.json").read_bytes()), in_folder(kit)
    assert said | {"files": {}, "id": ""} == {
        "format": 1,
        "version": __version__,
        "id": "",
        "target": "trixie-arm64",
        "machine": "aarch64",
        "os_ids": ["debian", "raspbian"],
        "os_release": "13",
        "python": "3.13",
        "bundle": {"name": "colours", "id": open_bundle(workshop.bundle).bundle_id},
        "needs": ["python3-picamera2"],
        "files": {},
    }
    listed = {name: files[name] for name in files if name not in ("kit.json", "SHA256SUMS", "install.sh")}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in listed.items()}
    assert said["files"] == {name: {"size": len(listed[name]), "sha256": digests[name]} for name in listed}
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    assert said["id"] == hashlib.sha256(lines.encode()).hexdigest()[:12]


def test_sha256sum_finds_every_file_right(workshop: Workshop) -> None:
    kit = workshop.built(out="kit")
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(command, cwd=kit, check=True)
    checked = {line[66:] for line in (kit / "SHA256SUMS").read_text().splitlines()}
    assert checked == set(in_folder(kit)) - {"SHA256SUMS"}


def test_requirements_pin_every_wheel_by_its_hash(workshop: Workshop) -> None:
    kit = workshop.built(out="kit")
    own = hashlib.sha256((kit / "wheels" / FILE).read_bytes()).hexdigest()
    assert (kit / "requirements.txt").read_text().splitlines() == [
        f"alpha==1.0 --hash=sha256:{workshop.wheels[0].sha256}",
        f"beta==2.0 --hash=sha256:{workshop.wheels[1].sha256}",
        f"fieldfare=={__version__} --hash=sha256:{own}",
        f"pip==1.0 --hash=sha256:{workshop.wheels[2].sha256}",
    ]


def test_two_kits_of_the_same_are_the_same_to_the_byte(workshop: Workshop) -> None:
    first = workshop.built(out="one.tar")
    for path in workshop.folder.rglob("*"):  # what a copy changes, and a kit must not show
        path.touch()
    assert workshop.built(out="two.tar").read_bytes() == first.read_bytes()


@pytest.mark.parametrize("out", ["kit.tar", "kit"])
def test_of_two_that_are_made_at_once_the_second_is_refused(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    place, first = workshop.folder / out, workshop.settings("camera.fps = 5\n")

    real = build.write_kit

    def after_another(*words: Any, **options: Any) -> None:
        monkeypatch.setattr(build, "write_kit", real)
        workshop.built("--config", first, out=out)
        real(*words, **options)

    monkeypatch.setattr(build, "write_kit", after_another)
    status, _, errors = workshop.build("--out", place)
    assert (status, errors.count("\n")) == (73, 1)
    assert f"{place} exists" in errors
    settings = (
        unpacked(place)["fieldfare-kit/fieldfare.toml"] if place.is_file() else in_folder(place)["fieldfare.toml"]
    )
    assert b"fps = 5" in settings


def test_a_tar_and_a_folder_hold_the_same(workshop: Workshop) -> None:
    tar = unpacked(workshop.built(out="kit.tar"))
    assert {f"fieldfare-kit/{name}": data for name, data in in_folder(workshop.built(out="kit")).items()} == tar


def test_a_tar_shows_no_owner_and_no_time(workshop: Workshop) -> None:
    with tarfile.open(workshop.built()) as tar:
        seen = {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime, entry.mode) for entry in tar}
        names = tar.getnames()
    assert seen == {(0, 0, "", "", 0, 0o644)}
    assert names == sorted(names)


def test_names_are_such_that_a_fat_stick_holds_them(workshop: Workshop) -> None:
    debs = workshop.folder / "debs"
    debs.mkdir()
    make_deb(debs / "x.deb", version="2:1.0~beta+1-3")
    names = in_folder(workshop.built("--debs", debs, out="kit"))
    assert not NOT_ON_FAT & set("".join(names))
    assert len({name.lower() for name in names}) == len(names)
    assert "debs/libthing_1.0~beta+1-3_arm64.deb" in names


def test_a_stick_gets_a_folder_of_its_own_and_a_kit_replaces_a_kit(workshop: Workshop) -> None:
    stick = workshop.folder / "stick"
    (stick / "photos").mkdir(parents=True)
    workshop.built(out="stick")
    assert (stick / "fieldfare-kit" / "kit.json").is_file()
    assert (stick / "photos").is_dir()
    status, _, errors = workshop.build("--out", stick)
    assert (status, errors.count("\n")) == (73, 1)
    workshop.built("--overwrite", out="stick")
    workshop.built("--overwrite", out="stick/fieldfare-kit")
    assert sorted(path.name for path in stick.iterdir()) == ["fieldfare-kit", "photos"]


@pytest.mark.parametrize("name", ["notes.tar", "notes"])
def test_overwrite_leaves_alone_what_is_no_kit(workshop: Workshop, name: str) -> None:
    """A folder that is none gets a kit beside what it holds; a file is refused."""
    (workshop.folder / name).write_text("my notes")
    status, _, errors = workshop.build("--out", workshop.folder / name, "--overwrite")
    assert (status, errors.count("\n")) == (73, 1)
    assert (workshop.folder / name).read_text() == "my notes"


def test_wheels_that_are_kept_are_not_fetched_again(workshop: Workshop) -> None:
    kept, one, two = (workshop.folder / name for name in ("kept", "one.tar", "two.tar"))
    assert workshop.fetch("--wheels", kept, "--out", one)[0] == 0
    assert {path.name for path in kept.iterdir()} == {wheel.file for wheel in workshop.wheels}
    for path in workshop.index.iterdir():
        path.unlink()
    assert workshop.fetch("--wheels", kept, "--out", two)[0] == 0
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("inside", ["", "wheels"])
def test_wheels_are_not_kept_among_the_files_of_the_bundle(workshop: Workshop, inside: str) -> None:
    """Which would not verify any more."""
    status, _, errors = workshop.fetch("--wheels", workshop.bundle / inside, "--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (73, 1)
    assert "a bundle: choose a folder outside" in errors
    assert not list(workshop.bundle.rglob("*.whl"))


def test_a_kept_wheel_with_another_hash_is_refused(workshop: Workshop) -> None:
    damaged = workshop.index / workshop.wheels[0].file
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    status, _, errors = workshop.build("--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (65, 1)
    assert str(damaged) in errors
    assert not (workshop.folder / "kit.tar").exists()


def test_a_wheel_that_the_index_has_with_another_hash_is_refused(workshop: Workshop) -> None:
    wheel = workshop.index / workshop.wheels[1].file
    wheel.write_bytes(wheel.read_bytes() + b"x")
    status, _, errors = workshop.fetch("--wheels", workshop.folder / "kept", "--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (65, 1)
    assert "beta==2.0" in errors
    assert "SHA-256" in errors
    assert not (workshop.folder / "kit.tar").exists()


def test_a_wheel_that_the_index_lacks_is_one_line(workshop: Workshop) -> None:
    (workshop.index / workshop.wheels[1].file).unlink()
    status, _, errors = workshop.fetch("--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (65, 1)
    assert "beta==2.0" in errors


def test_without_a_network_the_line_says_what_to_do(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that nobody serves: a port of this machine that refuses."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")
    monkeypatch.setattr("edge.kit.fetching._RETRIES", 1)
    status, _, errors = workshop.fetch("--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (69, 1)
    assert "--wheels FOLDER" in errors


def test_only_wheels_of_the_targets_own_kind_are_taken(workshop: Workshop) -> None:
    """A lock that names another platform's wheel gets none: pip looks for the target's tags."""
    other = make_wheel(workshop.index, "gamma", tag=FITTING.replace("aarch64", "x86_64"))
    (lock.LOCKS / f"{TARGET.name}.txt").write_text(format_lock(TARGET, (*workshop.wheels, other)))
    status, _, errors = workshop.fetch("--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (65, 1)
    assert "gamma==1.0" in errors


@pytest.mark.parametrize("target", ["trixie-riscv64", "bookworm-armhf", "TRIXIE-ARM64", "\x1b[2J"])
def test_a_target_that_there_is_no_kit_for(workshop: Workshop, target: str) -> None:
    status, _, errors = workshop.fetch("--out", workshop.folder / "kit.tar", target=target)
    last = errors.splitlines()[-1]
    assert status == 2
    assert "\x1b" not in errors
    assert ("NumPy 1.24" in last) if target == "bookworm-armhf" else ("trixie-amd64" in last)


def test_a_damaged_bundle_is_found_before_anything_is_fetched(workshop: Workshop) -> None:
    model = workshop.bundle / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    for path in workshop.index.iterdir():
        path.unlink()
    status, _, errors = workshop.fetch("--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (65, 1)
    assert "model.tflite is damaged" in errors


def test_a_kit_must_not_lie_in_what_it_is_made_of(workshop: Workshop) -> None:
    status, _, errors = workshop.build("--out", workshop.bundle / "kit.tar")
    assert (status, errors.count("\n")) == (73, 1)


@pytest.mark.parametrize("name", ["kit.tgz", "kit.tar.gz", "KIT.ZIP", "kit.tar.xz", "kit.7z", "birds.fieldfare", "-"])
def test_a_name_that_promises_another_archive_is_refused(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(workshop.folder)
    before = sorted(workshop.folder.iterdir())
    status, _, errors = workshop.build("--out", name)
    assert (status, sorted(workshop.folder.iterdir())) == (2, before)
    assert f"--out {name}: a kit" in errors.splitlines()[-1]
    assert "give a name that ends in .tar, or a folder" in errors.splitlines()[-1]


def test_a_folder_that_is_there_may_have_any_name(workshop: Workshop) -> None:
    (workshop.folder / "old.zip").mkdir()
    assert (workshop.built(out="old.zip") / "fieldfare-kit/kit.json").is_file()
    assert tarfile.is_tarfile(workshop.built(out="KIT.TAR"))


def test_a_place_that_cannot_be_written_is_found_first(workshop: Workshop) -> None:
    (workshop.folder / "file").write_text("no folder")
    status, _, errors = workshop.build("--out", workshop.folder / "file" / "kit.tar")
    assert (status, errors.count("\n")) == (74, 1)


def test_a_disk_that_fills_up_leaves_nothing(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tar: tarfile.TarFile, entry: tarfile.TarInfo, data: object) -> None:
        if "wheels" in entry.name:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    before = sorted(workshop.folder.iterdir())
    status, _, errors = workshop.build("--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (74, 1)
    assert sorted(workshop.folder.iterdir()) == before


def test_a_lock_that_was_edited_is_refused(workshop: Workshop) -> None:
    path = lock.LOCKS / f"{TARGET.name}.txt"
    path.write_text(path.read_text().replace("beta==2.0", "beta>=2.0"))
    status, _, errors = workshop.build("--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (65, 1)


def test_the_report_names_size_needs_and_the_command(workshop: Workshop) -> None:
    status, out, _ = workshop.build("--out", workshop.folder / "kit.tar")
    assert status == 0
    assert "MB, 4 wheels, 0 Debian packages" in out
    assert "python3-picamera2" in out
    assert out.endswith("on the device: tar -xf kit.tar && sudo sh fieldfare-kit/install.sh\n")


def test_a_package_that_goes_along_is_not_missed(workshop: Workshop) -> None:
    debs = workshop.folder / "debs"
    debs.mkdir()
    make_deb(debs / "camera.deb", "python3-picamera2", architecture="all")
    _, out, _ = workshop.build("--debs", debs, "--out", workshop.folder / "kit.tar")
    assert "1 Debian package," in out
    assert "does not bring" not in out


def test_the_wheel_of_fieldfare_is_that_of_this_clone(workshop: Workshop) -> None:
    assert (workshop.built(out="kit") / "wheels" / FILE).read_bytes() == own_wheel()
