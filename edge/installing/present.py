"""Find what is installed."""

import os
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DataError, OutputExistsError
from edge.installing.layout import NAME, Layout
from edge.installing.origins.kit import KIT_FILE, MAX_BYTES, Kit, parse_kit
from edge.printable import printable
from edge.storage import read_bounded

# Written last of all: the service was started with this version.
SETTLED = "settled"
# Together they make `home` look like the virtual environment that the units name: Python finds its libraries by them.
LINKS = {"bin": "current/venv/bin", "lib": "current/venv/lib", "pyvenv.cfg": "current/venv/pyvenv.cfg"}


@dataclass(frozen=True, slots=True)
class Present:
    """What is installed.

    current: the version in use, by its name; None if there is none.
    complete: the names of all versions that are whole, the newest first.
    leftovers: folders that a killed installer has left.
    settled: those of `complete` with which the service was once started.
    """

    current: str | None
    complete: tuple[str, ...]
    leftovers: tuple[Path, ...]
    settled: frozenset[str]

    @property
    def previous(self) -> str | None:
        """The version to go back to."""
        return next((name for name in self.complete if name != self.current and name in self.settled), None)


def find(layout: Layout) -> Present:
    """Return what is installed. Raises OutputExistsError for what is not the installer's."""
    _refuse_handmade(layout)
    found = _entries(layout.versions)
    whole = [entry for entry in found if NAME.fullmatch(entry.name) and (entry / KIT_FILE).is_file()]
    whole.sort(key=lambda entry: ((entry / KIT_FILE).stat().st_mtime, entry.name), reverse=True)
    complete = tuple(entry.name for entry in whole)
    return Present(
        current=_current(layout, complete),
        complete=complete,
        leftovers=tuple(entry for entry in found if entry not in whole),
        settled=frozenset(entry.name for entry in whole if (entry / SETTLED).exists()),
    )


def kit_of(layout: Layout, name: str) -> Kit:
    """Return the kit of an installed version. Raises DataError if its record is damaged."""
    path = layout.version(name) / KIT_FILE
    try:
        return parse_kit(read_bounded(path, MAX_BYTES), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror or error}: remove {path.parent}") from error


def check_places(layout: Layout, owner: int) -> None:
    """Raise OutputExistsError if a folder that is written into is a link, another user's, or open to others."""
    for folder in (layout.home, layout.versions, layout.settings, layout.units, layout.rules, layout.users):
        if not os.path.lexists(folder):
            continue
        found = folder.lstat()
        if folder.is_symlink() or not folder.is_dir():
            raise OutputExistsError(f"{folder} is no folder, but a link or a file: move it away")
        if found.st_uid != owner or found.st_mode & 0o022:
            raise OutputExistsError(
                f"{folder} belongs to user {found.st_uid}, mode {found.st_mode & 0o777:o}: only root may be able to "
                f"write there: sudo chown root: {folder} && sudo chmod 755 {folder}"
            )


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _refuse_handmade(layout: Layout) -> None:
    for name in (*LINKS, "current"):
        path = layout.home / name
        if os.path.lexists(path) and not path.is_symlink():
            raise OutputExistsError(
                f"{layout.home} was made by hand ({name} is no link): remove it, then install again: settings and "
                f"events are not in it: sudo systemctl disable --now fieldfare; sudo rm -r {layout.home}"
            )


def _current(layout: Layout, complete: tuple[str, ...]) -> str | None:
    try:
        target = str(layout.current.readlink())
    except FileNotFoundError:
        return None
    folder, _, name = target.rpartition("/")
    if folder != layout.versions.name or not NAME.fullmatch(name):
        raise OutputExistsError(f"{layout.current} leads to {printable(target[:200])}, which is no version: remove it")
    return name if name in complete else None
