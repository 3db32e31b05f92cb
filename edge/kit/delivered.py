"""Find what Fieldfare delivers beside its modules: systemd's files, the settings, and the script that installs."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from edge.errors import MissingInputError
from edge.storage import read_bounded

SETTINGS = "fieldfare.toml"
_MOST = 1 << 20
_ROOT = Path(__file__).resolve().parents[2]
# setup.py puts the clone's systemd/ there when a wheel is built.
_INSTALLED_UNITS = Path(__file__).with_name("systemd")
_INSTALL_SCRIPT = _ROOT / "edge" / "installing" / "install.sh"


@cache
def clone() -> dict[str, Any] | None:
    """Return what pyproject.toml holds if this Fieldfare runs from its clone; None if it was installed."""
    try:
        table = tomllib.loads(read_bounded(_ROOT / "pyproject.toml", _MOST).decode())
    except (OSError, ValueError):
        return None
    return table if table.get("project", {}).get("name") == "fieldfare" else None


def root() -> Path:
    """Return the folder that holds the packages: the clone, or where they are installed."""
    return _ROOT


def units_folder() -> Path:
    """Return the folder of units, drop-ins, rules and settings as delivered."""
    return _INSTALLED_UNITS if clone() is None else _ROOT / "systemd"


def unit_files() -> dict[str, bytes]:
    """Return systemd's files by name, as delivered, without the settings. Raises MissingInputError."""
    folder = units_folder()
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SETTINGS]
    if not paths:
        raise _missing(folder)
    return {path.relative_to(folder).as_posix(): _read(path) for path in paths}


def settings_path() -> Path:
    """Return the path of the settings as delivered."""
    return units_folder() / SETTINGS


def install_script() -> bytes:
    """Return the script that installs a kit. Raises MissingInputError."""
    return _read(_INSTALL_SCRIPT)


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, _MOST)
    except OSError as error:
        raise _missing(path) from error


def _missing(path: Path) -> MissingInputError:
    return MissingInputError(f"{path} is not there or cannot be read: a part of Fieldfare itself; install it again")
