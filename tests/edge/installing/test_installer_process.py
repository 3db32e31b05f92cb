"""The installer as a device runs it: from the wheel, with nothing but Python, through venv and pip."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_devices import Device, StandIns, files_of, make_kit, wheel

import edge
from edge.installing.present import find
from edge.installing.system.machine import look_at
from edge.installing.system.programs import Outcome, SystemPrograms

ROOT = Path(edge.__file__).parents[1]
RECORDED = ("systemctl", "udevadm", "systemd-sysusers", "getent", "userdel", "dpkg")
PROGRAM = """
import sys
def main():
    if sys.argv[1:] == ["--version"]:
        print("fieldfare, version 1.0")
"""
METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: trial\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def installer_modules() -> dict[str, bytes]:
    """Return what the installer is made of."""
    folders = ["edge/installing", "edge/portable", "edge/processes"]
    files = [ROOT / "edge" / name for name in ("__init__.py", "errors.py", "printable.py", "storage.py")]
    files += [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in files}


def packed(name: str, version: str, members: dict[str, bytes], points: str = "") -> bytes:
    """Return a wheel that pip installs."""
    info = f"{name}-{version}.dist-info"
    files = {**members, f"{info}/METADATA": METADATA.format(name, version).encode(), f"{info}/WHEEL": WHEEL.encode()}
    if points:
        files[f"{info}/entry_points.txt"] = points.encode()
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    return wheel({**files, f"{info}/RECORD": record.encode()})


def pip_wheel() -> bytes:
    """Return this environment's pip as a wheel."""
    import pip

    package = Path(pip.__file__).parent
    members = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return wheel({str(path.relative_to(package.parent)): path.read_bytes() for path in members})


@pytest.fixture(scope="module")
def real_kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    points = "[console_scripts]\nfieldfare = stand_in_fieldfare:main\n"
    members = {**installer_modules(), "stand_in_fieldfare.py": PROGRAM.encode(), "other/tests/test_it.py": b"x = 1\n"}
    wheels = {
        "wheels/fieldfare-1.0-py3-none-any.whl": packed("fieldfare", "1.0", members, points),
        "wheels/pip-1-py3-none-any.whl": pip_wheel(),
    }
    digest = hashlib.sha256(wheels["wheels/fieldfare-1.0-py3-none-any.whl"]).hexdigest()
    wanted = f"fieldfare==1.0 --hash=sha256:{digest}\n"
    here = look_at(Device(Path("/"), StandIns(Path("/"))).layout)
    return make_kit(
        tmp_path_factory.mktemp("made") / "kit",
        held={**files_of("1.0"), **wheels, "requirements.txt": wanted.encode()},
        os_ids=[here.os_id],
        os_release=here.os_release,
    )


@dataclass
class HalfReal(StandIns):
    """venv, pip and what they install are real, the system's programs are not."""

    def run(self, words: list[str], limit_s: float = 600.0) -> Outcome:  # type: ignore[override]
        """Run one."""
        if words[0].startswith(RECORDED):
            return super().run(words, limit_s)
        return SystemPrograms().run(words, limit_s)


@pytest.mark.process
def test_venv_and_pip_make_a_version_without_a_network(device: Device, real_kit: Path) -> None:
    device.programs = HalfReal(device.root)
    device.machine = look_at(Device(Path("/"), device.programs).layout)
    assert device.install(real_kit) == 0
    name = find(device.layout).current
    assert name
    for script in (device.root / "opt/fieldfare/bin/fieldfare", device.layout.venv(name) / "bin/fieldfare"):
        assert subprocess.run([script, "--version"], capture_output=True, check=True, text=True).stdout.endswith(
            "1.0\n"
        )
    # Units start modules by the path without the version, too.
    python = device.root / "opt/fieldfare/bin/python3"
    where = "import stand_in_fieldfare as it; print(it.__file__)"
    done = subprocess.run([python, "-I", "-c", where], capture_output=True, check=True, text=True)
    assert done.stdout.startswith(f"{device.root}/opt/fieldfare/")
    # To the units the folder is read-only, so what they import must be compiled; the tests of packages need not be.
    modules = {path.name.partition(".")[0] for path in device.layout.venv(name).rglob("*.pyc")}
    assert {"stand_in_fieldfare", "printable", "install"} <= modules
    assert "test_it" not in modules


@pytest.mark.process
def test_a_wheel_that_changes_after_the_check_is_not_installed(device: Device, real_kit: Path, tmp_path: Path) -> None:
    from edge.errors import UnavailableError
    from edge.installing.origins.kit_folder import KitFolder

    kit = tmp_path / "kit"
    subprocess.run(["cp", "-r", real_kit, kit], check=True)
    checked = KitFolder(kit)
    (kit / "wheels/fieldfare-1.0-py3-none-any.whl").write_bytes(packed("fieldfare", "1.0", {"evil.py": b""}))
    device.programs = HalfReal(device.root)
    device.machine = look_at(Device(Path("/"), device.programs).layout)
    with pytest.raises(
        UnavailableError,
        match=r"^pip cannot install the wheels of the kit: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES",
    ):
        device.install(checked)
    assert not list((device.root / "opt/fieldfare/versions").iterdir())


def test_the_installer_runs_from_the_wheel_with_the_standard_library_only(real_kit: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import edge.installing.from_kit, edge.installing.command\n"
        "paths = {getattr(module, '__file__', None) or '' for module in list(sys.modules.values())}\n"
        "print([path for path in paths if 'site-packages' in path or 'dist-packages' in path])\n"
        "print(edge.installing.command.__file__)"
    )
    wheel_file = real_kit / "wheels/fieldfare-1.0-py3-none-any.whl"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, wheel_file], capture_output=True, text=True, check=True
    )
    foreign, file = done.stdout.splitlines()
    assert foreign == "[]"
    assert file.startswith(str(wheel_file))


@pytest.fixture
def as_root(tmp_path: Path) -> dict[str, str]:
    """Variables with which `id` reports root, for a script that only looks."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 0\n")
    (tmp_path / "id").chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "LC_ALL": "C"}


def script(kit: Path, *words: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run install.sh of a kit, from another folder."""
    return subprocess.run(
        ["sh", kit / "install.sh", *words], env=variables, cwd="/", capture_output=True, text=True, check=False
    )


SYSTEM_PYTHON = Path("/usr/bin/python3")
needs_system_python = pytest.mark.skipif(
    not SYSTEM_PYTHON.exists()
    or subprocess.run(
        [SYSTEM_PYTHON, "-c", "import sys; sys.exit(sys.version_info[:2] != %r)" % (sys.version_info[:2],)],  # noqa: UP031
        check=False,
    ).returncode
    != 0,
    reason="/usr/bin/python3 is another version than this Python",
)


@needs_system_python
@pytest.mark.process
def test_the_script_hands_over_to_the_wheel(real_kit: Path, as_root: dict[str, str]) -> None:
    done = script(real_kit, "--dry-run", variables=as_root)
    assert done.returncode == 0, done.stderr
    assert "would make /opt/fieldfare/versions/1.0-" in done.stdout


@needs_system_python
@pytest.mark.process
def test_a_module_in_the_present_folder_does_not_run(real_kit: Path, as_root: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('taken over')")
    done = subprocess.run(
        ["sh", real_kit / "install.sh", "--help"],
        env={**as_root, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "taken over" not in done.stdout + done.stderr


@needs_system_python
@pytest.mark.process
@pytest.mark.parametrize("path", ["wheels/fieldfare-1.0-py3-none-any.whl", "kit.json", "bundle.fieldfare"])
def test_the_script_runs_nothing_of_a_damaged_kit(
    real_kit: Path, as_root: dict[str, str], tmp_path: Path, path: str
) -> None:
    kit = tmp_path / "kit"
    subprocess.run(["cp", "-r", real_kit, kit], check=True)
    data = bytearray((kit / path).read_bytes())
    data[-1] ^= 1
    (kit / path).write_bytes(data)
    done = script(kit, "--dry-run", variables=as_root)
    assert done.returncode == 65
    assert done.stderr.splitlines()[-1].startswith("install.sh: the kit is damaged: copy it again")
    assert not done.stdout.startswith("would")


def test_the_script_in_part_does_nothing(real_kit: Path, as_root: dict[str, str], tmp_path: Path) -> None:
    text = (real_kit / "install.sh").read_bytes()
    for share in range(1, 10):
        (tmp_path / "install.sh").write_bytes(text[: len(text) * share // 10])
        done = script(tmp_path, variables=as_root)
        assert done.stdout == ""
        assert "no kit" not in done.stderr  # it never came so far


def test_the_script_is_for_root_and_beside_its_kit(real_kit: Path, as_root: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/install.sh").write_bytes((real_kit / "install.sh").read_bytes())
    alone = script(tmp_path / "alone", variables=as_root)
    assert (alone.returncode, alone.stderr.count("\n")) == (66, 1)
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    user = script(real_kit, variables=as_root)
    assert (user.returncode, user.stderr.count("\n")) == (74, 1)
    assert "sudo sh" in user.stderr
