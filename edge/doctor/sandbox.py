"""Read from a systemd unit what its service may see, read and write, as systemd.exec(5) defines it."""

import contextlib
import fnmatch
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # `fieldfare kit` reads units on any desktop; a case needs Linux
    from edge.doctor.case import Case

SERVICE = "fieldfare"

# What matters here of the unit as delivered, for machines on which none is installed yet; tests compare the two.
DELIVERED = """\
[Service]
Environment=PATH=/opt/fieldfare/bin:/usr/local/bin:/usr/bin:/bin
ExecStart=/usr/bin/env fieldfare run --service --no-outputs --config /etc/fieldfare/fieldfare.toml
User=fieldfare
Group=fieldfare
SupplementaryGroups=video plugdev
LoadCredential=camera-password:fieldfare.camera-password
StateDirectory=fieldfare
ConfigurationDirectory=fieldfare
RuntimeDirectory=fieldfare
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
DeviceAllow=char-usb_device rw
DeviceAllow=char-apex rw
DeviceAllow=char-drm rw
RestrictAddressFamilies=AF_UNIX AF_NETLINK
IPAddressDeny=any
"""
OUTPUTS = f"{SERVICE}-outputs"
_DELIVERED_OUTPUTS = """\
[Service]
Environment=PATH=/opt/fieldfare/bin:/usr/local/bin:/usr/bin:/bin
ExecStart=/usr/bin/env fieldfare outputs --config /etc/fieldfare/fieldfare.toml
User=fieldfare
Group=fieldfare
LoadCredential=mqtt-password:fieldfare.mqtt-password
StateDirectory=fieldfare
ConfigurationDirectory=fieldfare
RuntimeDirectory=fieldfare-outputs
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
"""
PAGES = f"{SERVICE}-pages"
_DELIVERED_PAGES = """\
[Service]
Environment=PATH=/opt/fieldfare/bin:/usr/local/bin:/usr/bin:/bin
ExecStart=/usr/bin/env fieldfare serve --config /etc/fieldfare/fieldfare.toml --run-dir /run/fieldfare
User=fieldfare
Group=fieldfare
StateDirectory=fieldfare
ConfigurationDirectory=fieldfare
RuntimeDirectory=fieldfare-pages
ReadWritePaths=-/media -/mnt
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
IPAddressDeny=any
IPAddressAllow=localhost
"""
# By the service's name.
DELIVERED_UNITS = {SERVICE: DELIVERED, OUTPUTS: _DELIVERED_OUTPUTS, PAGES: _DELIVERED_PAGES}
# Nothing below a hidden place can be opened again by another setting. What is `own` is a private, empty folder, into
# which only a bind mount leads.
View = Literal["hidden", "own", "read", "write"]
# What systemd makes for a unit: the setting, and where its folders are.
DIRECTORIES = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "ConfigurationDirectory": "/etc",
    "RuntimeDirectory": "/run",
}
# Those that systemd makes, and gives to the service's user.
GIVEN = tuple(key for key in DIRECTORIES if key != "ConfigurationDirectory")
_SYSTEM = {"yes": ("/usr", "/boot", "/efi"), "full": ("/usr", "/boot", "/efi", "/etc"), "strict": ("/",)}
_HOMES = ("/home", "/root", "/run/user")
_TRUE = ("1", "yes", "y", "true", "t", "on")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a setting of the unit makes of a folder: `bind` if that is a mount of its own."""

    folder: str
    view: View
    why: str
    bind: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a service may do.

    unit: its name, such as fieldfare@front.service
    installed: False for the unit as delivered
    user, groups: whom it runs as
    rules: what it sees of the file system
    state: the folder that is its own
    settings: the file after --config in its command, if there is one
    folder: what relative paths start from
    programs: PATH
    network: whether it may open connections to the network
    credentials: where systemd takes each from, by its name: a path, a name in a store, or "" if the unit holds it
    devices: those that it may read and write, as DeviceAllow names them: nodes, and patterns of kinds such as
        char-video4linux; None for all. What every program has, such as /dev/null, is left out
    """

    unit: str
    installed: bool
    user: str
    groups: tuple[str, ...]
    rules: tuple[Rule, ...]
    state: str
    settings: str | None
    folder: str
    programs: tuple[str, ...]
    network: bool
    credentials: Mapping[str, str]
    devices: tuple[str, ...] | None

    def opens(self, kind: str) -> bool:
        """Return whether it may read and write every device of a kind, such as char-video4linux."""
        return self.devices is None or any(fnmatch.fnmatchcase(kind, pattern) for pattern in self.devices)

    def rule(self, path: str | Path) -> Rule | None:
        """Return the rule that decides about an absolute path; None if the unit leaves it alone."""
        over = [rule for rule in self.rules if PurePosixPath(path).is_relative_to(rule.folder)]
        hidden = next((rule for rule in over if rule.view == "hidden"), None)
        own = max((rule for rule in over if rule.view == "own"), key=_depth, default=None)
        if hidden is None and own is not None and all(_depth(rule) <= _depth(own) for rule in over if rule.bind):
            return own
        # Of two for the same folder the later, stronger one.
        return hidden or max(reversed(over), key=_depth, default=None)


def _depth(rule: Rule) -> int:
    return len(PurePosixPath(rule.folder).parts)


def sandbox(case: "Case", service: str = SERVICE) -> Sandbox:
    """Return the sandbox of the service whose settings are examined, of its outputs or of its pages, from systemd or
    the unit's files."""
    file = Path(case.settings_from).absolute() if case.settings_from else None
    instance = file.stem if file and file.parent == case.etc / SERVICE and file.stem != SERVICE else ""
    unit = f"{service}@{instance}.service" if instance else f"{service}.service"
    text = case.call(["systemctl", "cat", "--no-pager", unit]) or _files(case.etc / "systemd/system", unit)
    return parse_sandbox(text or DELIVERED_UNITS[service], unit, installed=bool(text))


def _files(folder: Path, unit: str) -> str:
    """Read a unit with its drop-ins from their folder; nothing if it is not there."""
    template = re.sub(r"@.*\.service\Z", "@.service", unit)
    main = next((folder / name for name in (unit, template) if (folder / name).is_file()), None)
    if main is None:
        return ""
    drop_ins = {file.name: file for name in (template, unit) for file in (folder / f"{name}.d").glob("*.conf")}
    texts = []
    for file in (main, *(drop_ins[name] for name in sorted(drop_ins))):
        with contextlib.suppress(OSError):  # not for this user's eyes: the rest is better than nothing
            texts.append(file.read_text(errors="replace"))
    return "\n".join(texts)


def parse_unit(text: str) -> dict[str, list[str]]:
    """Return the values of the section [Service] by their keys, in order; an empty value drops those before it.

    Several files one after the other count as one, as `systemctl cat` prints them.
    """
    values: dict[str, list[str]] = {}
    section, line = "", ""
    for piece in text.splitlines():
        if piece.lstrip()[:1] in ("#", ";"):  # also between the parts of a line that goes on
            continue
        line += piece.strip() if line else piece.lstrip()
        if line.endswith("\\"):
            line = line[:-1] + " "
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if line.startswith("["):
            section = line.strip()
        elif equals and section == "[Service]":
            values[key] = [*values.get(key, ()), value] if value else []
        line = ""
    return values


def parse_sandbox(text: str, unit: str, *, installed: bool = True) -> Sandbox:
    """Read a unit's text, with its drop-ins behind it."""
    values = parse_unit(text)
    last = {key: given[-1] for key, given in values.items() if given}

    def words(key: str) -> list[str]:
        return [_expand(word, unit) for value in values.get(key, ()) for word in _split(value)]

    command, variables = words("ExecStart"), dict(word.split("=", 1) for word in words("Environment") if "=" in word)
    settings = [after for before, after in pairwise(command) if before == "--config"]
    families = words("RestrictAddressFamilies")
    refused = not families or families[0].startswith("~")
    network = refused != any(family in ("AF_INET", "~AF_INET") for family in families)
    return Sandbox(
        unit=unit,
        installed=installed,
        user=_expand(last.get("User", "root"), unit),
        groups=tuple(words("Group")[-1:] + words("SupplementaryGroups")),
        rules=tuple(_rules(last, words)),
        state=f"/var/lib/{next(iter(words('StateDirectory')), SERVICE)}",
        settings=settings[-1] if settings else None,
        folder=_expand(last.get("WorkingDirectory", "/").lstrip("-"), unit),
        programs=tuple(variables.get("PATH", "").split(":")),
        network=network and (not words("IPAddressDeny") or bool(words("IPAddressAllow"))),
        credentials=dict(_credentials(words)),
        devices=_devices(last, values.get("DeviceAllow", ())),
    )


def _devices(last: Mapping[str, str], allowed: Sequence[str]) -> tuple[str, ...] | None:
    """Return what Sandbox has as `devices`. allowed: the values of DeviceAllow, such as `char-drm rw`."""
    if last.get("PrivateDevices", "no").lower() in _TRUE:
        return ()
    if last.get("DevicePolicy", "auto").lower() == "auto" and not allowed:
        return None
    found = (line.rpartition(" ") if " " in line else (line, "", "rwm") for line in map(str.strip, allowed))
    return tuple(device.strip() for device, _, rights in found if {"r", "w"} <= set(rights))


def _credentials(words: Callable[[str], list[str]]) -> Iterator[tuple[str, str]]:
    for key in ("LoadCredential", "LoadCredentialEncrypted"):
        for word in words(key):
            name, _, source = word.partition(":")
            yield name, source or name
    for key in ("SetCredential", "SetCredentialEncrypted"):
        for word in words(key):
            yield word.partition(":")[0], ""


def _rules(last: Mapping[str, str], words: Callable[[str], list[str]]) -> Iterator[Rule]:
    """Yield what each setting does, the stronger ones of equal depth last."""
    system = last.get("ProtectSystem", "no")
    system = "yes" if system.lower() in _TRUE else system
    for folder in _SYSTEM.get(system, ()):
        yield Rule(folder, "read", f"ProtectSystem={system}")
    for folder in ("/dev", "/proc", "/sys") if system == "strict" else ():
        yield Rule(folder, "write", "")
    home = last.get("ProtectHome", "no")
    views: dict[str, View] = {"tmpfs": "own", "read-only": "read", **dict.fromkeys(_TRUE, "hidden")}
    for folder in _HOMES if home.lower() in views else ():
        yield Rule(folder, views[home.lower()], f"ProtectHome={home}")
    for folder in ("/tmp", "/var/tmp") if last.get("PrivateTmp", "no").lower() in (*_TRUE, "disconnected") else ():
        yield Rule(folder, "own", f"PrivateTmp={last['PrivateTmp']}")
    for key, base in DIRECTORIES.items():
        for word in words(key):
            yield Rule(f"{base}/{word.split(':')[0]}", "write", key)
    paths: dict[str, View] = {"ReadOnlyPaths": "read", "ReadWritePaths": "write", "InaccessiblePaths": "hidden"}
    for key, view in {**paths, "TemporaryFileSystem": "own"}.items():
        for word in words(key):
            yield Rule(_folder(word), view, f"{key}={word}")
    binds: dict[str, View] = {"BindPaths": "write", "BindReadOnlyPaths": "read"}
    for key, view in binds.items():
        for word in words(key):
            inside = word.split(":")[1] if word.count(":") else word
            yield Rule(_folder(inside), view, f"{key}={word}", bind=True)


def _folder(word: str) -> str:
    return "/" + word.split(":")[0].lstrip("-+").strip("/")


def _split(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # a quote that does not end
        return value.split()


def _expand(text: str, unit: str) -> str:
    """Replace the specifiers that paths use (systemd.unit(5)); others stay."""
    instance = unit.removesuffix(".service").partition("@")[2]
    name = unit.removesuffix(".service")
    known = {"%": "%", "i": instance, "I": instance, "n": unit, "N": name, "p": name.partition("@")[0]}
    known |= {
        "S": "/var/lib",
        "C": "/var/cache",
        "L": "/var/log",
        "E": "/etc",
        "t": "/run",
        "T": "/tmp",
        "V": "/var/tmp",
    }
    return re.sub(r"%(.)", lambda found: known.get(found[1], found[0]), text)
