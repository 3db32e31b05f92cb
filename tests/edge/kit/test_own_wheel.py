"""The wheel of Fieldfare itself, from a clone and from what pip installed."""

import csv
import hashlib
import io
import os
import subprocess
import sys
import tomllib
import zipfile
from base64 import urlsafe_b64encode
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edge.kit.own_wheel import FILE, own_wheel

ROOT = Path(__file__).resolve().parents[3]
INFO = FILE.removesuffix("-py3-none-any.whl") + ".dist-info"


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(own_wheel()))


def test_it_holds_every_module_and_what_they_read(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for package in ("edge", "trainer"):
        assert {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")} <= names
    assert {"edge/py.typed", "edge/kit/locks/trixie-arm64.txt", "edge/kit/systemd/fieldfare.service"} <= names
    assert "trainer/pages/templates/report.html" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_its_record_is_true(wheel: zipfile.ZipFile) -> None:
    rows = list(csv.reader(wheel.read(f"{INFO}/RECORD").decode().splitlines()))
    assert {row[0] for row in rows} == set(wheel.namelist())
    for name, digest, size in rows[:-1]:
        data = wheel.read(name)
        right = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={right}", str(len(data)))


def test_its_metadata_is_that_of_pyproject(wheel: zipfile.ZipFile) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = message_from_bytes(wheel.read(f"{INFO}/METADATA"))
    assert said["Requires-Python"] == project["requires-python"]
    needs = [Requirement(text) for text in said.get_all("Requires-Dist", [])]
    here = {"platform_machine": "aarch64", "python_version": "3.13", "extra": "device"}
    plain = {str(need) for need in needs if need.marker is None}
    assert plain == {str(Requirement(text)) for text in project["dependencies"]}
    device = {
        need.name for need in needs if need.marker is not None and need.marker.evaluate({**here, "extra": "device"})
    }
    assert "ai-edge-litert" in device
    assert "tflite-runtime" not in device
    scripts = wheel.read(f"{INFO}/entry_points.txt").decode()
    assert "[console_scripts]\nfieldfare = edge.cli:main\n" in scripts
    assert "train = trainer.cli.train:train" in scripts


def test_nothing_of_the_machine_is_in_it(wheel: zipfile.ZipFile) -> None:
    """Not compressed: zlib's bytes differ between systems. No time, and no owner."""
    entries = wheel.infolist()
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {(entry.create_system, entry.external_attr >> 16) for entry in entries} == {(3, 0o100644)}
    names = [entry.filename for entry in entries]
    assert names[:-1] == sorted(names[:-1])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the wheel of this clone."""
    place = tmp_path_factory.mktemp("installed")
    (place / FILE).write_bytes(own_wheel())
    words = ["install", "--quiet", "--no-index", "--no-deps", "--target", place / "site", place / FILE]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    return place / "site"


def from_installed(site: Path, code: str) -> "subprocess.CompletedProcess[bytes]":
    """Run code with the Fieldfare that is installed there, and none of the clone."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, "-P", "-c", code], cwd=site.parent, env=environment, capture_output=True)


WRITE = "import sys; from edge.kit.own_wheel import own_wheel; sys.stdout.buffer.write(own_wheel())"


@pytest.mark.process
def test_an_installed_fieldfare_gives_the_wheel_that_it_came_from(installed: Path) -> None:
    """After it has run, too, which leaves compiled modules beside the sources."""
    from_installed(installed, "import edge.kit.own_wheel")
    done = from_installed(installed, WRITE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == own_wheel()


@pytest.mark.process
def test_an_installed_fieldfare_has_units_and_settings(installed: Path) -> None:
    code = "from edge.kit.delivered import *; print(len(unit_files()), settings_path().is_file(), clone())"
    count = len(list((ROOT / "systemd").iterdir())) - 1
    assert from_installed(installed, code).stdout.decode().split() == [str(count), "True", "None"]


@pytest.mark.process
def test_what_was_changed_since_it_was_installed_is_refused(installed: Path) -> None:
    changed = installed / "edge" / "clock.py"
    before = changed.read_bytes()
    changed.write_bytes(before + b"# mine\n")
    try:
        done = from_installed(installed, WRITE)
    finally:
        changed.write_bytes(before)
    assert done.returncode != 0
    assert b"edge/clock.py was changed since pip installed it" in done.stderr
