"""A kit that is not whole, not the right one or not meant for this machine is one line, before anything runs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_devices import HERE, Device, files_of, make_kit

from edge.errors import DataError, FieldfareError, MissingInputError
from edge.installing.origins.checking import check_folder
from edge.installing.origins.kit import parse_kit
from edge.installing.system.machine import Machine, check_fits, check_python, check_rights

WHEEL = "wheels/fieldfare-1.0-py3-none-any.whl"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped byte of a wheel": (lambda kit: flip(kit / WHEEL), "SHA-256 differs"),
    "a flipped byte of the script": (lambda kit: flip(kit / "install.sh"), "SHA-256 differs"),
    "a flipped byte of the list": (lambda kit: flip(kit / "SHA256SUMS"), "differ in|not lines"),
    "a flipped byte of the bundle": (lambda kit: flip(kit / "bundle.fieldfare"), "SHA-256 differs"),
    "a wheel in part": (lambda kit: cut(kit / WHEEL), "copied in part"),
    "no wheel": (lambda kit: (kit / WHEEL).unlink(), "is missing: copied in part"),
    "no list": (lambda kit: (kit / "SHA256SUMS").unlink(), "SHA256SUMS: is missing"),
    "no record": (lambda kit: (kit / "kit.json").unlink(), "kit.json: cannot read"),
    "a record in part": (lambda kit: cut(kit / "kit.json"), "copy the kit again"),
    "a list in part": (lambda kit: cut(kit / "SHA256SUMS"), "differ in|not lines|SHA-256"),
    "one file more": (lambda kit: (kit / "wheels/evil.whl").write_bytes(b""), "wheels/evil.whl is not in its list"),
    "one folder more": (lambda kit: (kit / "more").mkdir(), "more is not in its list"),
    "a link for a file": (
        lambda kit: ((kit / WHEEL).unlink(), (kit / WHEEL).symlink_to("/etc/passwd")),
        "a link, not a plain file",
    ),
    "a folder for a file": (lambda kit: ((kit / WHEEL).unlink(), (kit / WHEEL).mkdir()), "is not in its list"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_kit_is_refused_and_nothing_is_changed(device: Device, kit: Path, what: str) -> None:
    damage, words = DAMAGE[what]
    damage(kit)
    before = device.tree()
    with pytest.raises((DataError, MissingInputError), match=words) as error:
        device.install(kit)
    assert "\n" not in str(error.value)
    assert device.tree() == before
    assert not device.programs.ran


def test_what_desktops_leave_on_a_stick_does_not_matter(kit: Path) -> None:
    for name in (".DS_Store", "._install.sh", "wheels/._fieldfare-1.0-py3-none-any.whl", "Thumbs.db"):
        (kit / name).write_bytes(b"\0")
    assert check_folder(kit).version == "1.0"


def test_a_kit_unpacked_over_another_is_to_be_removed_first(tmp_path: Path) -> None:
    kit = make_kit(tmp_path / "kit", "1.0", {**files_of("1.0"), "debs/one.deb": b"1"})
    make_kit(kit, "2.0")
    with pytest.raises(DataError) as error:
        check_folder(kit)
    # The folder debs, the package in it, and the older wheel.
    assert str(error.value).endswith(
        "/kit: debs is not in its list, and 2 more are not: two versions lie in this folder: remove the folder "
        "fieldfare-kit and copy the kit again"
    )


def test_only_files_are_left_by_desktops(kit: Path) -> None:
    (kit / "._more").mkdir()
    (kit / "._more/x").touch()
    with pytest.raises(DataError, match=r"\._more is not in its list, and 1 more is not"):
        check_folder(kit)


@pytest.mark.parametrize("name", ["fieldfare", "pip"])
def test_a_kit_has_one_wheel_of_what_installs_it(tmp_path: Path, name: str) -> None:
    files = {**files_of("1.0"), f"wheels/{name}-2.0-py3-none-any.whl": b""}
    with pytest.raises(DataError, match=f"it has 2 wheels of {name}, must be 1: build it again"):
        check_folder(make_kit(tmp_path / "kit", held=files))


def test_a_packed_kit_must_be_unpacked_first(device: Device, tmp_path: Path) -> None:
    (tmp_path / "kit.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"unpack it first: tar -xf"):
        device.install(tmp_path / "kit.tar")


@pytest.mark.parametrize("lacking", ["wheels/pip-1-py3-none-any.whl", WHEEL, "bundle.fieldfare", "requirements.txt"])
def test_a_kit_without_what_is_needed_is_refused(device: Device, tmp_path: Path, lacking: str) -> None:
    files = {name: data for name, data in files_of("1.0").items() if name != lacking}
    with pytest.raises(DataError, match="build it again"):
        device.install(make_kit(tmp_path / "kit", held=files))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"format": 2}, "format 2, must be 1"),
        ({"version": "../../etc"}, "version"),
        ({"id": "x"}, "version and id"),
        ({"needs": ["-o evil"]}, "needs"),
        ({"files": {"a/../../evil": {"size": 0, "sha256": "0" * 64}}}, "must not be in the list"),
        ({"files": {"/etc/passwd": {"size": 0, "sha256": "0" * 64}}}, "no path of a kit"),
        ({"files": {"a\nb": {"size": 0, "sha256": "0" * 64}}}, "no path of a kit"),
        ({"files": {"a": {"size": -1, "sha256": "0" * 64}}}, "not a number of bytes"),
        ({"files": {"a": {"size": True, "sha256": "0" * 64}}}, "not a number of bytes"),
        ({"files": []}, "copy the kit again"),
        ({"machine": None}, "machine None"),
    ],
)
def test_a_record_that_is_none_is_one_line(tmp_path: Path, changed: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        check_folder(make_kit(tmp_path / "kit", **changed))
    assert "\n" not in str(error.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["format", "files", "version", "bundle"]) | st.text(), inner)
        ),
    )
)
def test_any_json_is_a_kit_or_one_line(value: object) -> None:
    with pytest.raises(FieldfareError) as error:
        parse_kit(json.dumps(value).encode(), "kit.json")
    assert "\n" not in str(error.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_kit_or_one_line(data: bytes) -> None:
    with pytest.raises(DataError) as error:
        parse_kit(data, "kit.json")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(HERE, machine="riscv64"), "and this machine is riscv64"),
        (replace(HERE, os_id="ubuntu"), "this system is ubuntu 13"),
        (replace(HERE, os_release="12"), "this system is debian 12"),
        (replace(HERE, python="3.9"), "this is Python 3.9"),
    ],
)
def test_a_kit_for_another_machine_names_both_and_the_remedy(kit: Path, machine: Machine, words: str) -> None:
    with pytest.raises(DataError, match=rf"{words}.*fieldfare kit build --target"):
        check_fits(machine, check_folder(kit))


def test_a_kit_for_another_machine_changes_nothing(device: Device, tmp_path: Path) -> None:
    before = device.tree()
    with pytest.raises(DataError, match="riscv64"):
        device.install(make_kit(tmp_path / "kit", machine="riscv64"))
    assert device.tree() == before


def test_only_root_may_install_and_only_where_systemd_runs() -> None:
    with pytest.raises(FieldfareError, match=r"only root .* user 1000: put sudo before it: sudo sh install.sh"):
        check_rights(replace(HERE, uid=1000), "sudo sh install.sh")
    with pytest.raises(FieldfareError, match="systemd does not run this machine"):
        check_rights(replace(HERE, systemd=False), "")
    check_rights(HERE, "")


@pytest.mark.parametrize(("python", "fits"), [("3.10", False), ("3.11", True), ("3.13", True), ("3.14", False)])
def test_which_python_will_do(python: str, fits: bool) -> None:
    machine = replace(HERE, python=python)
    if fits:
        check_python(machine)
    else:
        with pytest.raises(FieldfareError, match=r"must be 3.11, 3.12 or 3.13"):
            check_python(machine)
