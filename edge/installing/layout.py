"""Name the places of an installation, all under one root."""

import re
from dataclasses import dataclass
from pathlib import Path

SERVICE = "fieldfare"
# VERSION-ID of a folder below `versions`.
NAME = re.compile(r"[0-9A-Za-z.+!]{1,40}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is. root: `/`, but for trials."""

    root: Path = Path("/")

    @property
    def opt(self) -> Path:
        """The folder that is locked meanwhile; it outlasts every installation."""
        return self.root / "opt"

    @property
    def home(self) -> Path:
        """The program's folder."""
        return self.opt / SERVICE

    @property
    def versions(self) -> Path:
        """A folder for each version."""
        return self.home / "versions"

    @property
    def current(self) -> Path:
        """The link to the version in use: to replace it is the switch."""
        return self.home / "current"

    @property
    def settings(self) -> Path:
        """Settings and bundle."""
        return self.root / "etc" / SERVICE

    @property
    def units(self) -> Path:
        """systemd's units of this machine's administrator."""
        return self.root / "etc/systemd/system"

    @property
    def rules(self) -> Path:
        """udev's rules."""
        return self.root / "etc/udev/rules.d"

    @property
    def users(self) -> Path:
        """Users of the system, as systemd-sysusers makes them."""
        return self.root / "etc/sysusers.d"

    @property
    def data(self) -> Path:
        """Events and pictures."""
        return self.root / "var/lib" / SERVICE

    @property
    def reboots(self) -> Path:
        """What the unit for reboots remembers."""
        return self.root / "var/lib" / f"{SERVICE}-reboot"

    @property
    def run(self) -> Path:
        """The status of the service and of its instances."""
        return self.root / "run" / SERVICE

    @property
    def packages(self) -> Path:
        """The names of the packages that came with a kit and were not there before."""
        return self.home / "packages"

    def version(self, name: str) -> Path:
        """The folder of a version."""
        return self.versions / name

    def venv(self, name: str) -> Path:
        """The virtual environment of a version."""
        return self.version(name) / "venv"
