"""Give up root before anything that another user may have put there is opened.

The service's user may replace its own files, and the doctor is run by root. A model, a camera's library or a picture
that is opened by root would hand root over to whoever owns the worker.
"""

import grp
import os
import pwd
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.doctor.access import READ, refusal, replaceable
from edge.doctor.case import Case
from edge.doctor.children import Outcome, probe
from edge.doctor.sandbox import SERVICE, sandbox
from edge.processes.process import Account
from edge.source_kind import source_kind

_NOBODY = "nobody"
_GROUPS = ("video", "plugdev")
_ROOT = Path(__file__).resolve().parents[2]


def service_account(user: str = SERVICE, groups: Iterable[str] = _GROUPS) -> Account:
    """Return the service's user, with its groups and `groups`. Never root: then and without such a user, nobody.

    user: a name or a number, as in the unit
    """
    entry = next((found for name in (user, SERVICE, _NOBODY) if (found := _user(name)) and found.pw_uid != 0), None)
    given = [number for name in groups if (number := _group(name)) is not None]
    if entry is None:  # a system without even nobody: the kernel's number for it
        return Account(_NOBODY, 65534, 65534, tuple(given))
    own = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(sorted({*own, *given} - {0})), entry.pw_dir or "/")


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        return None


def _group(name: str) -> int | None:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        return None


class Careful:
    """Calls functions of edge.doctor.probe, as children.probe does, but gives up root for `account`.

    Two things only are done as root, since nobody else can do them or have had a hand in them: what only root can read,
    and what Fieldfare itself does if it is installed where only root can enter. Both only if all files are root's.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._closed = next(filter(None, (refusal(place, account, READ) for place in _program())), None)

    def __call__(self, name: str, arguments: Sequence[Any], timeout_s: float) -> Outcome:
        """See children.probe. What neither may be run as is refused."""
        files = [Path(file).absolute() for file in opened(name, arguments)]
        unreadable = self._closed or next(filter(None, (refusal(file, self._account, READ) for file in files)), None)
        if unreadable is None:
            return probe(name, arguments, timeout_s, account=self._account)
        shared = next(filter(None, map(replaceable, files)), None)
        if shared is None:
            return probe(name, arguments, timeout_s)
        if self._closed is None:  # a plain "permission denied", from the library that opens it
            return probe(name, arguments, timeout_s, account=self._account)
        why = (
            f"others than root may replace {shared}, so root does not open it, and {self._account.name} cannot run "
            f"this Fieldfare, as {self._closed} is closed to it: use the one in /opt/fieldfare"
        )
        return Outcome("refused", why=why)


def _program() -> list[Path]:
    """Return what a child must be able to read to run at all."""
    return [Path(sys.executable), Path(sys.prefix), Path(sysconfig.get_path("stdlib")), _ROOT]


def opened(name: str, arguments: Sequence[Any]) -> list[str]:
    """Return the files and folders that a function of edge.doctor.probe opens, by its arguments."""
    if name == "frame":
        source, script = arguments[0]["source"], arguments[0].get("script") or ""
        return [*([source] if source_kind(source) == "replay" else []), *([script[1:]] if script[:1] == "@" else [])]
    bundles = arguments[:1] if name in ("bundle", "compiled", "golden") else []
    libraries = [arguments[1].get("edgetpu_library", "")] if name == "golden" else []
    libraries += arguments[:1] if name == "delegate" else []
    # A library without a folder is looked for in the system's own, which are root's.
    return [*bundles, *(library for library in libraries if "/" in library)]


def careful(case: Case) -> Case:
    """Return the case with the user of its service, and with children that give up root for it if this is root."""
    box = sandbox(case)
    if os.geteuid() != 0:
        known = _user(box.user)
        return case if known is None else replace(case, account=service_account(box.user, box.groups))
    account = service_account(box.user, box.groups)
    return replace(case, account=account, probe=Careful(account))
