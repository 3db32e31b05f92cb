"""A clone as what is installed: its packages come from the index, all else as from a kit."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from made_devices import Device

from edge.bundle.files import PACK_COMMENT_SIZE, PACK_MARK
from edge.bundle.place import MANIFEST, MANIFEST_HASH
from edge.config.loading import MAX_BYTES
from edge.errors import BundleError, ConfigError, DataError, MissingInputError, UnavailableError
from edge.installing.command import main
from edge.installing.origins.clone import Clone
from edge.installing.origins.given import MAX_SETTINGS
from edge.installing.present import find


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    files = {
        "edge/__init__.py": '__version__ = "1.5"\n',
        "edge/run.py": "",
        "trainer/__init__.py": "",
        "pyproject.toml": "[project]\n",
        "systemd/fieldfare.service": "[Service]\n",
        "systemd/fieldfare.toml": 'bundle = "/etc/fieldfare/bundle.fieldfare"\n',
        "systemd/fieldfare.sysusers": "u fieldfare -\n",
    }
    for name, text in files.items():
        (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clone" / name).write_text(text)
    return tmp_path / "clone"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return packed(tmp_path / "birds.fieldfare")


def packed(path: Path, manifest: bytes = b"{}", of: bytes | None = None) -> Path:
    """Write a packed bundle, as far as it is looked at without its libraries. of: the manifest that its hash is of."""
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(MANIFEST, manifest)
        archive.writestr(MANIFEST_HASH, f"{hashlib.sha256(of or manifest).hexdigest()}  {MANIFEST}\n")
        archive.comment = PACK_MARK + b"0" * 64
    body = data.getvalue()[:-PACK_COMMENT_SIZE]
    path.write_bytes(body + PACK_MARK + hashlib.sha256(body).hexdigest().encode())
    return path


def of(device: Device, clone: Path, bundle: Path, settings: Path | None = None) -> Clone:
    return Clone(clone, bundle, settings, device.machine)


def test_a_clone_becomes_a_version(device: Device, clone: Path, bundle: Path) -> None:
    assert device.install(of(device, clone, bundle)) == 0
    assert (find(device.layout).current or "").startswith("1.5-")
    assert (device.root / "etc/fieldfare/bundle.fieldfare").read_bytes() == bundle.read_bytes()
    pip = next(line for line in device.programs.ran if "-m pip install" in line)
    assert pip.endswith("/source[device,outputs,pages]")
    assert str(clone) not in pip  # a copy, so that no file of root's is left in the clone
    assert not [name for place, _, names in os.walk(device.root) for name in names if "source" in place and name]


def test_the_same_clone_again_changes_nothing_and_another_state_is_another_version(
    device: Device, clone: Path, bundle: Path
) -> None:
    device.install(of(device, clone, bundle))
    first = find(device.layout).current
    device.install(of(device, clone, bundle))
    assert "nothing was changed" in device.said[0]
    (clone / "edge/run.py").write_text("print()\n")
    device.install(of(device, clone, bundle))
    assert find(device.layout).current != first
    assert find(device.layout).previous == first


def test_release_12_keeps_to_the_numpy_of_its_picamera2(device: Device, clone: Path, bundle: Path) -> None:
    device.machine = replace(device.machine, os_release="12")
    device.install(of(device, clone, bundle))
    assert next(line for line in device.programs.ran if "-m pip install" in line).endswith(" numpy<2")


def test_without_a_network_the_reason_is_given_and_nothing_is_left(device: Device, clone: Path, bundle: Path) -> None:
    device.programs.refusals["-m pip install"] = (1, "WARNING: Retrying\nERROR: No matching distribution found\n")
    with pytest.raises(UnavailableError, match=r"pip cannot install the clone: ERROR: No matching .* A kit needs none"):
        device.install(of(device, clone, bundle))
    assert not find(device.layout).complete
    assert not find(device.layout).leftovers


def test_settings_of_one_s_own(device: Device, clone: Path, bundle: Path, tmp_path: Path) -> None:
    mine = 'bundle = "/etc/fieldfare/bundle.fieldfare" # mine\n'
    (tmp_path / "mine.toml").write_text(mine)
    device.install(of(device, clone, bundle, tmp_path / "mine.toml"))
    assert device.text("etc/fieldfare/fieldfare.toml") == mine


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_text("# Fieldfare\n"), "not a packed bundle, or cut short"),
        (lambda path: path.write_bytes(b""), "not a packed bundle"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "not a packed bundle, or cut short"),
        (flip, "damaged"),
        (as_folder, "a folder: pack it"),
        (lambda path: packed(path, of=b"{ }"), "manifest.json is missing or damaged"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_bundle_that_is_none_is_refused_before_anything_is_made(
    clone: Path, bundle: Path, change: Callable[[Path], object], words: str, dry_run: bool, device: Device
) -> None:
    change(bundle)
    with pytest.raises(BundleError, match=f"^bundle .*birds.fieldfare: .*{words}") as error:
        device.install(of(device, clone, bundle), dry_run=dry_run)
    assert "\n" not in str(error.value)
    assert not device.programs.ran


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"# Fieldfare\n\nPhotos become a model.\n", "not valid TOML: .*line 3"),
        (b"fps = 5\n", 'bundle is missing: must be "/etc/fieldfare/bundle.fieldfare"'),
        (b'bundle = "birds.fieldfare"\n', "bundle is 'birds.fieldfare'"),
        (b"bundle = 5\n", "bundle is 5"),
        (b"\xff\xfe", "must be UTF-8, as byte 1 is not"),
        (b"a = " + b"[" * 5000, "not valid TOML"),
        (b"#" * ((1 << 16) + 1), "65537 bytes: must be at most 65536"),
    ],
)
def test_settings_that_are_none_are_refused_before_anything_is_made(
    device: Device, clone: Path, bundle: Path, tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "mine.toml").write_bytes(data)
    with pytest.raises(ConfigError, match=f"^settings .*mine.toml: {words}") as error:
        of(device, clone, bundle, tmp_path / "mine.toml")
    assert "\n" not in str(error.value)


def test_the_command_refuses_them_in_a_dry_run_too(
    clone: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = clone / "README.md"
    readme.write_text("# Fieldfare\n\nPhotos.\n")
    words = ["install", "--clone", str(clone), "--dry-run"]
    assert main([*words, "--bundle", str(readme)]) == 65
    assert main([*words, "--bundle", str(bundle), "--config", str(readme)]) == 78
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 2


def test_the_bound_of_settings_is_the_one_of_the_version() -> None:
    assert MAX_SETTINGS == MAX_BYTES


def test_what_is_no_clone_or_not_there_is_one_line(device: Device, clone: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no clone of Fieldfare"):
        of(device, tmp_path, bundle)
    with pytest.raises(MissingInputError, match=r"nothing.fieldfare: cannot read: No such file"):
        of(device, clone, tmp_path / "nothing.fieldfare")
    (clone / "pyproject.toml").unlink()
    with pytest.raises(DataError, match="not a whole clone"):
        of(device, clone, bundle)
