"""Where settings come from, as a record that another process can follow, and what that process answers."""

from pathlib import Path
from typing import Any

import msgspec

from edge.config.loading import check_places, check_sendable, load_settings
from edge.config.settings import Settings


class SettingsRequest(msgspec.Struct, frozen=True):
    """A settings file and the options of the command line.

    file: None if there is none. options: by the names of their keys; None was not given.
    own: files that the service writes and no key names, by what they are called.
    """

    file: str | None
    options: dict[str, Any] = {}
    own: dict[str, str] = {}

    def load(self) -> Settings:
        """Read and judge them. Raises MissingInputError or ConfigError."""
        path = None if self.file is None else Path(self.file)
        settings = load_settings(path, **self.options)
        check_sendable(settings)
        check_places(settings, path, {name: Path(own) for name, own in self.own.items()})
        return settings


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that were read again, and the id of their bundle; or the faults, a line each."""

    settings: Settings | None = None
    bundle: str | None = None
    faults: tuple[str, ...] = ()
