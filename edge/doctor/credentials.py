"""Check that the passwords are there which the settings take from systemd's credentials."""

import os
from collections.abc import Iterator
from pathlib import Path

from edge.config.secret_files import CREDENTIAL, credential_among
from edge.doctor.case import Case
from edge.doctor.findings import Finding
from edge.doctor.sandbox import OUTPUTS, Sandbox, sandbox

# Where systemd looks for one that a unit names without a path; the second of each is for encrypted ones.
_STORES = ("etc/credstore", "etc/credstore.encrypted", "run/credstore", "run/credstore.encrypted", "usr/lib/credstore")


def credentials(case: Case) -> list[Finding]:
    """Compare the credentials that the settings name with those that the units hand over. Never reads one."""
    settings = case.settings
    wanted = []
    if settings is not None:
        wanted.append(("camera.password_file", settings.camera.password_file, sandbox(case)))
    if settings is not None and settings.mqtt is not None:
        wanted.append(("mqtt.password_file", settings.mqtt.password_file, sandbox(case, OUTPUTS)))
    found = [(key, credential_among(given or "", box.credentials), box) for key, given, box in wanted]
    named = [(key, name, box) for key, name, box in found if name is not None]
    if not named:
        return [Finding("credentials", "credentials", "not here", "the settings name none")]
    findings = [finding for key, name, box in named for finding in _judged(case, key, name, box)]
    seen = ", ".join(f"{key}: {CREDENTIAL}{name}" for key, name, _ in named)
    return findings or [Finding("credentials", "credentials", "ok", seen)]


def _judged(case: Case, key: str, name: str, box: Sandbox) -> Iterator[Finding]:
    seen = f"{key} = {CREDENTIAL}{name}"
    if name not in box.credentials:
        known = ", ".join(sorted(box.credentials)) or "none"
        mend = f"`sudo systemctl edit {box.unit}`: [Service] LoadCredential={name}:/etc/credstore/{name}"
        yield Finding("credentials", "credentials", "problem", f"{seen}: {box.unit} has {known}", mend)
        return
    source = box.credentials[name]
    if not source:  # in the unit itself
        return
    place = Path(source) if source.startswith("/") else None
    found = os.path.lexists(place) if place else _is_stored(case, source)
    if found is False:
        where = place or Path("/etc/credstore", source)
        mend = f"write the password into {where} (sudo install -m 600 /dev/stdin {where}), then restart the service"
        yield Finding("credentials", "credentials", "problem", f"{seen}: {where} is not there", mend)


def _is_stored(case: Case, name: str) -> bool | None:
    """Return whether a store has it; None if that is closed to this user."""
    root = case.etc.parent
    for store in _STORES:
        folder = root / store
        if os.path.lexists(folder / name):
            return True
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
            return None
    return False
