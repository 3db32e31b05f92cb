"""The locks that the project keeps give each device what pyproject.toml requires, in wheels that fit it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from edge.errors import DataError
from edge.kit import lock
from edge.kit.lock import Wheel, format_lock, read_lock
from edge.kit.targets import NO_KIT, TARGETS, Target

ROOT = Path(__file__).resolve().parents[3]


def load_tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("lock_targets", ROOT / "tools" / "lock_targets.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["lock_targets"] = module  # its records look there for their annotations
    specification.loader.exec_module(module)
    return module


tool = load_tool()
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=str)


@each_target
def test_a_lock_has_all_that_pyproject_requires_of_a_device(target: Target) -> None:
    """Whoever changes a requirement must run tools/lock_targets.py."""
    versions = {wheel.name: wheel.version for wheel in read_lock(target)}
    for need in tool.wanted(target):
        name = canonicalize_name(need.name)
        assert name in versions, f"{need}: run tools/lock_targets.py"
        assert need.specifier.contains(versions[name], prereleases=True), f"{need}: run tools/lock_targets.py"


@each_target
def test_every_wheel_fits_the_target(target: Target) -> None:
    fitting = tool.tags(target)
    for wheel in read_lock(target):
        name, version, _, tags = parse_wheel_filename(wheel.file)
        assert (name, str(version)) == (wheel.name, wheel.version)
        assert not fitting.isdisjoint(tags), wheel.file


@each_target
def test_a_lock_is_as_the_tool_writes_it_and_names_no_place(target: Target) -> None:
    text = (lock.LOCKS / f"{target.name}.txt").read_text()
    assert text == format_lock(target, read_lock(target))
    assert "//" not in text


def test_every_lock_belongs_to_a_target() -> None:
    assert {path.stem for path in lock.LOCKS.glob("*.txt")} == set(TARGETS)
    assert not set(TARGETS) & set(NO_KIT)


def test_bookworm_gets_the_numpy_that_its_picamera2_was_built_for() -> None:
    (numpy,) = (wheel for wheel in read_lock(TARGETS["bookworm-arm64"]) if wheel.name == "numpy")
    assert numpy.version.startswith("1.")


def test_pip_goes_along() -> None:
    assert all("pip" in {wheel.name for wheel in read_lock(target)} for target in TARGETS.values())


def test_platforms_of_a_target_are_as_the_system_itself_counts_them() -> None:
    """The newest C library first; the last is for wheels that were built on the device."""
    platforms = TARGETS["bookworm-arm64"].platforms
    assert platforms[0] == "manylinux_2_36_aarch64"
    assert platforms[-3:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64")
    assert {"manylinux1_x86_64", "manylinux2010_x86_64"} < set(TARGETS["trixie-amd64"].platforms)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "numpy==2.0\n",
        "# a-1.whl\na==1 --hash=sha256:00\n",
        "# Wheels for trixie-arm64, by tools/lock_targets.py: run it again to change them.\n",
        "\xff",
    ],
)
def test_a_lock_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(lock, "LOCKS", tmp_path)
    with pytest.raises(DataError, match="install Fieldfare again"):
        read_lock(TARGETS["trixie-arm64"])
    (tmp_path / "trixie-arm64.txt").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="install Fieldfare again"):
        read_lock(TARGETS["trixie-arm64"])


def found(name: str, *requires: str, version: str = "1.0") -> tuple[str, object]:
    wheel = Wheel(name, version, "0" * 64, f"{name.replace('-', '_')}-{version}-py3-none-any.whl")
    return name, tool.Found(wheel, [Requirement(text) for text in requires])


def resolved(monkeypatch: pytest.MonkeyPatch, index: dict[str, object], asked: list[list[str]]) -> list[str]:
    """Resolve with a pip that judges markers by another Python: it finds what is asked for, and `only-here`."""

    def run(target: Target, requirements: list[str]) -> dict[str, object]:
        asked.append(requirements)
        names = {Requirement(text).name for text in requirements}
        return {name: index[name] for name in index if name in names or name in ("only-here", "b")}

    monkeypatch.setattr(tool, "_run_pip", run)
    monkeypatch.setattr(tool, "wanted", lambda target: [Requirement("a")])
    return [wheel.name for wheel in tool.resolve(TARGETS["trixie-arm64"])]


def test_markers_are_judged_for_the_target_and_not_for_the_machine_that_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = (
        "b",
        'only-there; python_version >= "3.13"',
        'only-here; platform_machine == "x86_64"',
        'never; extra == "x"',
    )
    index = dict([found("a", *needs), found("b"), found("only-there"), found("only-here")])
    asked: list[list[str]] = []
    assert resolved(monkeypatch, index, asked) == ["a", "b", "only-there"]
    assert [len(requirements) for requirements in asked] == [1, 2]


def test_a_version_that_does_not_suit_the_target_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    index = dict([found("a", 'b>=2; python_version >= "3.13"'), found("b")])
    with pytest.raises(SystemExit, match=r"b 1\.0: must be >=2"):
        resolved(monkeypatch, index, [])
