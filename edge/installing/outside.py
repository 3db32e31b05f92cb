"""The files outside of the program's folder: units, rules, the user, settings and bundle.

They are plain copies, so that `systemctl enable`, `disable` and `edit` do what one expects. systemd 252 and 257 start
and reload units that are links to /opt/fieldfare/current, too. But `systemctl enable` writes the place that such a link
leads to at that moment, so an enabled instance would stay with the old version; and `systemctl disable` removes the
link to the unit itself.

Yet code, units, settings and bundle must change at one moment. So before the switch each copy is replaced by a link
into `current/etc`, where the old version has the same bytes; the switch changes all of them at once; then each link
becomes a copy again.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.installing.layout import Layout
from edge.installing.origins.kit import BUNDLE, SETTINGS, UNITS_FOLDER, Kit
from edge.installing.system.files import OLD, content, link, put, remove, sync_folder

Kind = Literal["unit", "bundle", "settings"]
ETC = "etc"
_UNITS = (".service", ".path", ".timer", ".socket")


@dataclass(frozen=True, slots=True)
class Outside:
    """A file outside.

    name: in `etc` of the version's folder. source: in the kit. target: where it is for the system.
    """

    name: str
    source: str
    target: Path
    kind: Kind

    def in_version(self, layout: Layout, version: str) -> Path:
        """Where a version keeps it."""
        return layout.version(version) / ETC / self.name

    def is_linked(self, layout: Layout) -> bool:
        """Return True if a killed installer has left a link here."""
        return self.target.is_symlink() and str(self.target.readlink()) == self.link_text(layout)

    def link_text(self, layout: Layout) -> str:
        """What the link holds while versions are switched."""
        return str(layout.current / ETC / self.name)


def outside_of(layout: Layout, kit: Kit) -> list[Outside]:
    """List the files outside that belong to a kit."""
    found = [
        Outside(BUNDLE, BUNDLE, layout.settings / BUNDLE, "bundle"),
        Outside(SETTINGS, SETTINGS, layout.settings / SETTINGS, "settings"),
    ]
    for path in kit.under(UNITS_FOLDER):
        name = Path(path).name
        folder = _folder(layout, name)
        if folder is not None and path.count("/") == 1:
            # sysusers.d(5) reads *.conf only.
            target = f"{Path(name).stem}.conf" if name.endswith(".sysusers") else name
            found.append(Outside(target, path, folder / target, "unit"))
    return found


def _folder(layout: Layout, name: str) -> Path | None:
    if name.endswith(_UNITS):
        return layout.units
    if name.endswith(".rules"):
        return layout.rules
    return layout.users if name.endswith(".sysusers") else None


def differs(one: Outside, data: bytes | None, kit: Kit) -> bool:
    """Return True unless `data` is what the kit has as this file."""
    return data is None or hashlib.sha256(data).hexdigest() != kit.files[one.source].sha256


def settings_are_kept(layout: Layout, current: Kit | None) -> bool:
    """Return True if the settings on the device are a person's, which are never overwritten."""
    settings = layout.settings / SETTINGS
    if settings.is_symlink() and not _settings(layout).is_linked(layout):
        return True
    data = content(settings)
    if data is None:
        return False
    return current is None or differs(_settings(layout), data, current)


def _settings(layout: Layout) -> Outside:
    return Outside(SETTINGS, SETTINGS, layout.settings / SETTINGS, "settings")


def keep_aside(one: Outside) -> Path | None:
    """Put what a person made of a file beside it, as NAME.old. Return where, or None if nothing is there."""
    data = content(one.target)
    if data is None:
        return None
    old = one.target.with_name(f"{one.target.name}{OLD}")
    if content(old) != data:
        put(old, data)
    return old


def lead_to_current(layout: Layout, one: Outside, current: str) -> None:
    """Replace a file by a link to the same bytes in the version in use."""
    data, kept = content(one.target), one.in_version(layout, current)
    if data is not None and content(kept) != data:
        put(kept, data)
    if data is None:
        remove(kept)
        sync_folder(kept.parent)
    link(one.target, one.link_text(layout))


def settle(one: Outside, version: Path) -> None:
    """Make a file what this version has: a plain copy, or nothing."""
    data = content(version / ETC / one.name)
    if data is not None:
        put(one.target, data)
    elif one.target.is_symlink():
        remove(one.target)
        sync_folder(one.target.parent)


def linked(layout: Layout, all_: list[Outside]) -> Iterator[Outside]:
    """Yield the files that a killed installer has left as links."""
    return (one for one in all_ if one.is_linked(layout))
