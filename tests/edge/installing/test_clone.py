"""A clone as what is installed: its packages come from the index, all else as from a kit."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from made_devices import Device

from edge.errors import DataError, MissingInputError, UnavailableError
from edge.installing.origins.clone import Clone
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
    (tmp_path / "birds.fieldfare").write_text("birds")
    return tmp_path / "birds.fieldfare"


def of(device: Device, clone: Path, bundle: Path, settings: Path | None = None) -> Clone:
    return Clone(clone, bundle, settings, device.machine)


def test_a_clone_becomes_a_version(device: Device, clone: Path, bundle: Path) -> None:
    assert device.install(of(device, clone, bundle)) == 0
    assert (find(device.layout).current or "").startswith("1.5-")
    assert device.text("etc/fieldfare/bundle.fieldfare") == "birds"
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
    (tmp_path / "mine.toml").write_text("# mine\n")
    device.install(of(device, clone, bundle, tmp_path / "mine.toml"))
    assert device.text("etc/fieldfare/fieldfare.toml") == "# mine\n"


def test_what_is_no_clone_or_not_there_is_one_line(device: Device, clone: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no clone of Fieldfare"):
        of(device, tmp_path, bundle)
    with pytest.raises(MissingInputError, match=r"nothing.fieldfare: cannot read: No such file"):
        of(device, clone, tmp_path / "nothing.fieldfare")
    (clone / "pyproject.toml").unlink()
    with pytest.raises(DataError, match="not a whole clone"):
        of(device, clone, bundle)
