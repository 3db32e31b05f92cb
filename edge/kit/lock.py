"""Read the lock of a target: which wheels a device of this kind gets, each with its hash.

tools/lock_targets.py writes these files, in the format that `pip --requirement` reads; above each requirement stands
the name of the wheel as a comment.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import DataError
from edge.kit.targets import Target

LOCKS = Path(__file__).with_name("locks")
_ENTRY = re.compile(r"# ([\w.+-]+\.whl)\n([a-z0-9-]+)==([\w.!+]+) --hash=sha256:([0-9a-f]{64})\n")
_HEAD = "# Wheels for {target}, by tools/lock_targets.py: run it again to change them.\n"


@dataclass(frozen=True, slots=True, order=True)
class Wheel:
    """A wheel of one version of a package.

    name, version: of the package, as pip writes them
    sha256: in hexadecimal digits
    file: the name of the file
    """

    name: str
    version: str
    sha256: str
    file: str


def read_lock(target: Target) -> tuple[Wheel, ...]:
    """Return the wheels of a target, by name. Raises DataError if the lock is not as format_lock writes it."""
    path = LOCKS / f"{target.name}.txt"
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"lock {path}: cannot read: {reason}: install Fieldfare again") from error
    wheels = tuple(Wheel(name, version, digest, file) for file, name, version, digest in _ENTRY.findall(text))
    if not wheels or text != format_lock(target, wheels):
        raise DataError(f"lock {path}: not as tools/lock_targets.py writes it: install Fieldfare again")
    return wheels


def format_lock(target: Target, wheels: Iterable[Wheel]) -> str:
    """Return the text of a lock file."""
    return _HEAD.format(target=target.name) + "".join(
        f"# {wheel.file}\n{requirement(wheel)}\n" for wheel in sorted(wheels)
    )


def requirement(wheel: Wheel) -> str:
    """Return the line with which pip installs exactly this wheel."""
    return f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"
