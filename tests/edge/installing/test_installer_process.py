"""The installer as a device runs it: from the wheel, with nothing but Python, through venv and pip."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
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
OWN_WHEEL = "wheels/fieldfare-1.0-py3-none-any.whl"
WHEEL = "Wheel-Version: 1.0\nGenerator: trial\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def installer_modules() -> dict[str, bytes]:
    """Return what the installer is made of."""
    folders = ["edge/installing", "edge/portable", "edge/processes"]
    files = [ROOT / "edge" / name for name in ("__init__.py", "errors.py", "printable.py", "storage.py")]
    files += [ROOT / "edge/bundle" / name for name in ("__init__.py", "files.py", "place.py")]
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


def with_programs(folder: Path) -> bytes:
    """Return the script so that it looks into `folder` for programs first: the PATH of a caller does not count."""
    text = (ROOT / "edge/installing/install.sh").read_bytes()
    changed = text.replace(b"PATH=/usr/sbin:", f"PATH={folder}:/usr/sbin:".encode())
    assert changed != text
    return changed


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
    made = tmp_path_factory.mktemp("made")
    return make_kit(
        made / "kit",
        script=with_programs(made / "programs"),
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


def answer_to_id(kit: Path, uid: int) -> None:
    """Let `id` report a user to the script of a kit."""
    programs = kit.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (programs / "id").chmod(0o755)


@pytest.fixture
def as_root(real_kit: Path) -> dict[str, str]:
    """Variables for the script, to which `id` reports root: it only looks."""
    answer_to_id(real_kit, 0)
    return {**os.environ}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A kit to be damaged, whose script finds that it is root's. Its wheel is a trap."""
    kit = make_kit(
        tmp_path / "fieldfare-kit",
        held={**files_of("1.0"), OWN_WHEEL: trap()},
        script=with_programs(tmp_path / "programs"),
    )
    answer_to_id(kit, 0)
    return kit


def trap() -> bytes:
    """Return a wheel that shows when it is run, though with --dry-run."""
    modules = ("edge/__init__.py", "edge/installing/__init__.py", "edge/installing/from_kit.py")
    return packed("fieldfare", "1.0", dict.fromkeys(modules, b"raise SystemExit(print('trapped', flush=True))\n"))


def script(kit: Path, *words: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
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


def assert_refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    """Check that a kit is refused in one line, and that nothing of it ran."""
    assert re.search(words, done.stderr), done.stderr
    assert "remove the folder fieldfare-kit and copy the kit again" in done.stderr
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (65, "", 1)
    assert done.stderr[:-1].isprintable()


@needs_system_python
@pytest.mark.process
@pytest.mark.parametrize("path", [OWN_WHEEL, "kit.json", "bundle.fieldfare"])
def test_the_script_runs_nothing_of_a_damaged_kit(small: Path, path: str) -> None:
    data = bytearray((small / path).read_bytes())
    data[-1] ^= 1
    (small / path).write_bytes(data)
    assert_refused(script(small, "--dry-run"), f"^install.sh: {path} is damaged")


def relist(kit: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of SHA256SUMS."""
    lines = (kit / "SHA256SUMS").read_text().splitlines()
    (kit / "SHA256SUMS").write_text("".join(f"{line}\n" for line in change(lines)))


def swap_unlisted(kit: Path, path: str) -> None:
    (kit / path).write_bytes(trap())
    relist(kit, lambda lines: [line for line in lines if path not in line])


def list_second_wheel(kit: Path) -> None:
    (kit / "wheels/fieldfare-2.0-py3-none-any.whl").write_bytes(trap())
    digest = hashlib.sha256(trap()).hexdigest()
    relist(kit, lambda lines: [*lines, f"{digest}  wheels/fieldfare-2.0-py3-none-any.whl"])


TRAPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an older wheel beside": (
        lambda kit: (kit / "wheels/fieldfare-0.9.9-py3-none-any.whl").write_bytes(trap()),
        "not in SHA256SUMS: 1, such as wheels/fieldfare-0.9.9-py3-none-any.whl: two versions lie in this folder",
    ),
    "a newer wheel beside": (
        lambda kit: (kit / "wheels/fieldfare-2.0-py3-none-any.whl").write_bytes(trap()),
        "not in SHA256SUMS: 1, such as wheels/fieldfare-2.0",
    ),
    "two wheels that are listed": (list_second_wheel, "must be one file, not none or two versions"),
    "the wheel is not listed": (lambda kit: swap_unlisted(kit, OWN_WHEEL), f"such as {OWN_WHEEL}"),
    "the record is not listed": (lambda kit: swap_unlisted(kit, "kit.json"), "kit.json is not in SHA256SUMS"),
    "the script is not listed": (
        lambda kit: relist(kit, lambda lines: [line for line in lines if "install.sh" not in line]),
        "install.sh is not in SHA256SUMS",
    ),
    "a name that only looks like it": (
        lambda kit: relist(kit, lambda lines: [line.replace("kit.json", "kitxjson") for line in lines]),
        "kit.json is not in SHA256SUMS",
    ),
    "the wheel is listed twice": (
        lambda kit: relist(kit, lambda lines: [*lines, *(line for line in lines if OWN_WHEEL in line)]),
        f"has {OWN_WHEEL} twice",
    ),
    "a path that leads outside": (
        lambda kit: relist(kit, lambda lines: [*lines, f"{'0' * 64}  wheels/../../kit/kit.json"]),
        "no hash and name",
    ),
    "a path of the system": (
        lambda kit: relist(kit, lambda lines: [*lines, f"{'0' * 64}  /etc/passwd"]),
        "no hash and name",
    ),
    "a NUL between two lines": (
        lambda kit: relist(kit, lambda lines: [f"{lines[0]}\0{lines[0]}", *lines[1:]]),
        "no hash and name",
    ),
    "no line at all": (lambda kit: (kit / "SHA256SUMS").write_bytes(b""), "kit.json is not in SHA256SUMS"),
    "a list without an end": (lambda kit: (kit / "SHA256SUMS").write_bytes(b"0" * (1 << 20 | 1)), "1048576 bytes"),
    "odd names": (
        lambda kit: [(kit / name).touch() for name in ("a\nkit.json", "a?kit.json", "\033[31m -rf *", ".hidden")],
        r"not in SHA256SUMS: 3, such as [^ ]+:",
    ),
    "files of a folder that is not listed": (
        lambda kit: ((kit / "._more").mkdir(), (kit / "._more/x").touch()),
        r"such as \._more/x",
    ),
    "a link beside": (
        lambda kit: (kit / "wheels/more.whl").symlink_to("/etc/passwd"),
        "wheels/more.whl is not a plain",
    ),
    "a link that could be led elsewhere": (
        lambda kit: (kit / OWN_WHEEL).symlink_to((kit / OWN_WHEEL).rename(kit.parent / "outside.whl")),
        f"{OWN_WHEEL} is not a plain file",
    ),
    "a pipe": (lambda kit: os.mkfifo(kit / "pipe"), "pipe is not a plain file"),
    "a missing file": (lambda kit: (kit / "bundle.fieldfare").unlink(), "bundle.fieldfare is damaged or missing"),
}


@needs_system_python
@pytest.mark.process
@pytest.mark.parametrize("what", TRAPS)
def test_the_script_runs_nothing_that_it_did_not_check(small: Path, what: str) -> None:
    do, words = TRAPS[what]
    do(small)
    assert_refused(script(small, "--dry-run"), words)


@needs_system_python
@pytest.mark.process
def test_what_desktops_leave_on_a_stick_does_not_matter_to_the_script(small: Path) -> None:
    for name in (".DS_Store", "._install.sh", "wheels/._fieldfare-1.0-py3-none-any.whl", "Thumbs.db"):
        (small / name).write_bytes(b"\0")
    done = script(small, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "trapped" in done.stdout  # the wheel that is listed


@needs_system_python
@pytest.mark.process
def test_what_a_shell_brings_along_does_not_count(small: Path, tmp_path: Path) -> None:
    """A CDPATH that leads elsewhere, programs and modules before the system's, and a separator of words."""
    elsewhere = make_kit(tmp_path / "else/fieldfare-kit", held=files_of("9.9"))
    for name in ("id", "find", "sha256sum", "sort", "env", "python3", "cut"):
        (elsewhere.parent / name).write_text("#!/bin/sh\necho elsewhere; exit 0\n")
        (elsewhere.parent / name).chmod(0o755)
    (elsewhere.parent / "hashlib.py").write_text("print('elsewhere')\n")
    folder = str(elsewhere.parent)
    variables = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "CDPATH": folder,
        "PYTHONPATH": folder,
        "PYTHONHOME": folder,
        "LD_LIBRARY_PATH": folder,
        "IFS": "/e",
        "ENV": str(elsewhere.parent / "id"),
    }
    for words in (["fieldfare-kit/install.sh"], [str(small / "install.sh")]):
        done = subprocess.run(
            ["/bin/sh", *words, "--dry-run"],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "trapped\n", "")


def test_the_script_in_part_does_nothing(real_kit: Path, as_root: dict[str, str], tmp_path: Path) -> None:
    text = (real_kit / "install.sh").read_bytes()
    for share in range(1, 10):
        (tmp_path / "install.sh").write_bytes(text[: len(text) * share // 10])
        done = script(tmp_path, variables=as_root)
        assert done.stdout == ""
        assert "no kit" not in done.stderr  # it never came so far


@needs_system_python
@pytest.mark.process
def test_the_script_with_a_wrong_byte_runs_nothing(small: Path) -> None:
    """It lists its own hash; where the wrong byte ends that check, too, the shell finds the fault before the last
    line, and only there something begins."""
    text = (small / "install.sh").read_bytes()
    for number, place in enumerate(range(5, len(text), len(text) // 16)):
        changed = bytearray(text)
        changed[place] ^= 1 << number % 7
        (small / "install.sh").write_bytes(changed)
        done = script(small, "--dry-run")
        assert done.returncode != 0, changed[place - 20 : place + 20]
        assert done.stdout == ""
        assert done.stderr


def test_the_script_is_for_root_and_beside_its_kit(real_kit: Path, as_root: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/install.sh").write_bytes((real_kit / "install.sh").read_bytes())
    alone = script(tmp_path / "alone", variables=as_root)
    assert (alone.returncode, alone.stderr.count("\n")) == (66, 1)
    answer_to_id(real_kit, 1000)
    user = script(real_kit, "--dry-run", variables=as_root)
    assert (user.returncode, user.stderr.count("\n")) == (74, 1)
    assert user.stderr.startswith("install.sh: only root may do this, and --dry-run too, as it looks where others may")
    assert user.stderr.endswith(f"sudo sh {real_kit}/install.sh --dry-run\n")
