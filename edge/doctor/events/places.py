"""List the files and folders that events need: the service's, and those of the outputs, which are another unit's."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge.config.secret_files import credential_among
from edge.config.settings import Settings
from edge.doctor.access import READ, WRITE

if TYPE_CHECKING:
    from edge.doctor.sandbox import Sandbox

# What a unit without a PATH of its own finds programs in (systemd.exec(5)).
_PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")

# What a place may be: "lines" also /dev/null, "kernel" also a file of the kernel's in /sys or /proc, "either" a file or
# a folder.
Takes = Literal["file", "folder", "either", "lines", "kernel", "camera"]


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder that the service needs.

    what: its key in the settings, or a name
    given: as the settings have it
    path: absolute, as the service sees it
    wanted: READ or WRITE
    runs: it is code, so its file system must allow that
    better: what to do if it may not stay there
    needed: a fault if it is not there
    private: a fault if every user may read it
    takes: what it may be
    lasts: it must still be there after the next start
    """

    what: str
    given: str
    path: Path
    wanted: int
    better: str
    runs: bool = False
    needed: bool = False
    private: bool = False
    takes: Takes = "file"
    lasts: bool = False


def absolute(start: str, given: str) -> Path:
    """Return the path that the service takes `given` for. start: what relative paths count from."""
    path = os.path.normpath(Path(start, given))
    # POSIX leaves two slashes at the beginning as they are; for Linux they are one.
    return Path(path[1:] if path.startswith("//") else path)


def kept_places(settings: Settings, start: str, state: str) -> Iterator[Place]:
    """Yield what the service needs for events. start: of relative paths. state: the folder that is its own."""
    events = settings.events
    if events.store is None:
        return
    if settings.device.taxonomy is not None:
        yield _read(start, "taxonomy", settings.device.taxonomy, "device.taxonomy")
    yield _store(start, events.store, state)
    if events.scores is not None:
        yield _write(start, "scores", events.scores, "events.scores", state, takes="lines")
    written = [("pictures", settings.pictures.folder)]
    if settings.harvest.max_mb:
        written.append(("harvest", settings.harvest.folder))
    for what, given in written:
        if given is not None:
            yield _write(start, what, given, f"{what}.folder", state, takes="folder")


def sent_places(settings: Settings, start: str, box: "Sandbox") -> Iterator[Place]:
    """Yield what the outputs need; nothing without any. box: that of their unit."""
    state = box.state
    if not has_outputs(settings) or settings.events.store is None:
        return
    # Their cursors are beside it.
    yield _store(start, settings.events.store, state)
    lines, metrics, hook = settings.event_lines, settings.metrics, settings.hook
    if lines is not None:
        yield _write(start, "event lines", lines.file, "event_lines.file", state, takes="lines")
    if metrics is not None and metrics.file is not None:
        # For a collector on this machine, which reads what is now.
        yield _write(start, "metrics", metrics.file, "metrics.file", state, takes="lines", lasts=False)
    if hook is not None:
        path = _program(start, hook.command[0], box.programs)
        better = f"sudo install -m 755 {path} /usr/local/bin/, and its path in hook.command"
        yield Place("hook", hook.command[0], path, READ, better, runs=True, needed=True)
    if settings.mqtt is not None:
        for key in ("ca", "certificate", "key", "password_file"):
            given = getattr(settings.mqtt, key)
            if key == "password_file":
                yield from _secret(start, given, "mqtt.password_file", box)
            elif given is not None:
                yield _read(start, key, given, f"mqtt.{key}", private=key == "key")


def shown_places(settings: Settings, start: str) -> Iterator[Place]:
    """Yield what the pages need beside the store: a certificate of the user's own and its key. start: as above."""
    for key, given in (("certificate", settings.pages.certificate), ("key", settings.pages.key)):
        if given is not None:
            yield _read(start, key, given, f"pages.{key}", private=key == "key")


def secret_places(settings: Settings, start: str, box: "Sandbox") -> Iterator[Place]:
    """Yield the file with the camera's password, if there is one. start: of relative paths. box: of the service."""
    yield from _secret(start, settings.camera.password_file, "camera.password_file", box)


def _secret(start: str, given: str | None, key: str, box: "Sandbox") -> Iterator[Place]:
    # One of systemd's credentials is no place: edge.doctor.credentials.
    if given is not None and credential_among(given, box.credentials) is None:
        yield _read(start, "password_file", given, key, private=True)


def has_outputs(settings: Settings) -> bool:
    """Return whether events are sent anywhere."""
    return any((settings.mqtt, settings.metrics, settings.event_lines, settings.hook, settings.gpio, settings.led))


def _store(start: str, given: str, state: str) -> Place:
    return _write(start, "store", given, "events.store", state)


def _write(
    start: str, what: str, given: str, key: str, state: str, *, takes: Takes = "file", lasts: bool = True
) -> Place:
    path = absolute(start, given)
    better = f'{key} = "{state}/{path.name}" in the settings'
    return Place(what, given, path, WRITE, better, takes=takes, lasts=lasts)


def _read(start: str, what: str, given: str, key: str, *, private: bool = False) -> Place:
    path = absolute(start, given)
    home = f"/etc/fieldfare/{path.name}"
    mode = "-m 640 -g fieldfare" if private else "-m 644"
    better = f'sudo install {mode} {path} {home}, and {key} = "{home}" in the settings'
    return Place(what, given, path, READ, better, needed=True, private=private)


def _program(start: str, given: str, programs: tuple[str, ...]) -> Path:
    """Return where a program is; a bare name is looked for as execvp does."""
    if "/" in given:
        return absolute(start, given)
    folders = [folder for folder in programs if folder] or list(_PROGRAMS)
    found = (Path(folder, given) for folder in folders if os.path.lexists(Path(folder, given)))
    return next(found, Path(folders[0], given))
