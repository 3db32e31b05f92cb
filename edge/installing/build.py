"""Make a version's folder: the virtual environment, and what it keeps of its kit."""

import os
import sys
from pathlib import Path

from edge.errors import StorageError, UnavailableError
from edge.installing.layout import Layout
from edge.installing.origins.kit import KIT_FILE, REQUIREMENTS, UNITS_FOLDER
from edge.installing.origins.kit_folder import Origin
from edge.installing.outside import ETC, outside_of
from edge.installing.system.files import make_folder, put, remove, sync_folder
from edge.installing.system.programs import Programs, must
from edge.storage import sync_file_system

VENV_S = 300.0
# On a Zero 2 W with a slow card.
_COMPILE_S = 1200.0
# What no service of ours imports is three fifths of all source: tests of other packages, and what installs packages.
_NOT_COMPILED = r"/site-packages/(.*/)?(tests|pip|setuptools|_distutils_hack)/"
# Beyond what is counted: logs, and the first events.
_RESERVE_BYTES = 64 << 20
_FIX = "free some space, then install again"


def check_space(layout: Layout, origin: Origin, freed: int = 0) -> None:
    """Raise StorageError unless the version fits. freed: bytes that will be removed before."""
    place = next(folder for folder in (layout.versions, *layout.versions.parents) if folder.exists())
    found, (size, files) = os.statvfs(place), origin.size()
    free = found.f_bavail * found.f_frsize + freed
    if found.f_flag & os.ST_RDONLY:
        raise StorageError(f"{layout.home} is on a read-only disk: mount it writable: sudo mount -o remount,rw /")
    if size and size + _RESERVE_BYTES > free:
        raise StorageError(
            f"{layout.home}: {free / 1e6:.0f} MB are free, and the installation takes {size / 1e6:.0f} MB and leaves "
            f"{_RESERVE_BYTES / 1e6:.0f} MB free: {_FIX}"
        )
    if found.f_files and files > found.f_favail:  # btrfs counts none
        raise StorageError(f"{layout.home}: room for {found.f_favail} more files, and it takes {files}: {_FIX}")


def build(layout: Layout, origin: Origin, programs: Programs) -> None:
    """Make the version's folder, under its final name, since scripts of a virtual environment hold their own path. It
    counts from the moment that kit.json is in it, which is written when all else is on the disk."""
    name = origin.kit.name
    folder, venv = layout.version(name), layout.venv(name)
    make_folder(folder)
    # Not ensurepip: Debian has it in a package of its own.
    words = [system_python(), "-I", "-m", "venv", "--without-pip", "--system-site-packages", str(venv)]
    must(programs, words, "is python3 complete? sudo apt install --reinstall python3-minimal libpython3-stdlib", VENV_S)
    put(folder / REQUIREMENTS, origin.read(REQUIREMENTS))
    origin.fill(venv, programs, folder / REQUIREMENTS)
    _compile(venv, programs)
    _check_version(venv, origin, programs)
    for one in outside_of(layout, origin.kit):
        put(folder / ETC / one.name, origin.read(one.source))
    for path in origin.kit.under(UNITS_FOLDER):
        put(folder / path, origin.read(path))
    _sync_all(folder)
    put(folder / KIT_FILE, origin.kit.data)
    sync_folder(layout.versions)


def _compile(venv: Path, programs: Programs) -> None:
    """Compile the packages. The units cannot: to them the folder is read-only, and each start would compile again."""
    # Not by pip, which compiles all that it installs. A file that this Python cannot compile is no fault, as for pip: a
    # package may hold modules for other versions. What Fieldfare needs is tried next.
    words = [str(venv / "bin/python"), "-I", "-m", "compileall", "-q", "-x", _NOT_COMPILED, str(venv / "lib")]
    programs.run(words, _COMPILE_S)


def _check_version(venv: Path, origin: Origin, programs: Programs) -> None:
    """Raise UnavailableError unless what was installed starts, and is the version that it must be."""
    printed = must(programs, [str(venv / "bin/fieldfare"), "--version"], "the kit was built wrong: build it again")
    if origin.kit.version not in printed.split():
        raise UnavailableError(
            f"what was installed is {printed.strip()[:80]!r} instead of {origin.kit.version}: build the kit again"
        )


def system_python() -> str:
    """Return the Python that this one is, outside of any virtual environment."""
    # From inside of one, venv would make the new one depend on that one's folder, which goes with its version.
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def _sync_all(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_file_system(handle)
    finally:
        os.close(handle)


def discard(folder: Path) -> None:
    """Remove a version so that it is none from the first moment on."""
    remove(folder / KIT_FILE)
    if folder.is_dir():
        sync_folder(folder)
    remove(folder)
