"""What a kit says of itself, kit.json, and the list of hashes beside it."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from edge.errors import DataError
from edge.installing.origins.kit import FORMAT, KIT_FILE, SCRIPT_NAME, SUMS_FILE

LISTING, SUMS, INSTALL = KIT_FILE, SUMS_FILE, SCRIPT_NAME
# Not among the files of kit.json: it cannot hold its own hash, and the script is what begins to check.
_NOT_LISTED = frozenset((LISTING, SUMS, INSTALL))
_DIGEST = re.compile(r"[0-9a-f]{64}")


class KitFile(msgspec.Struct, frozen=True):
    """A file of a kit. sha256: in hexadecimal digits."""

    size: int
    sha256: str


class KitBundle(msgspec.Struct, frozen=True):
    """The bundle of a kit."""

    name: str
    id: str


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """The content of kit.json.

    - version: of Fieldfare
    - id: of this kit, from the hashes of its files
    - target, machine, os_ids, os_release, python: the system that it is for, as edge/kit/targets.py has it
    - needs: Debian packages that its settings need of the system
    - files: all but kit.json, SHA256SUMS and install.sh, by their names
    """

    format: int
    version: str
    id: str
    target: str
    machine: str
    os_ids: tuple[str, ...]
    os_release: str
    python: str
    bundle: KitBundle
    needs: tuple[str, ...]
    files: dict[str, KitFile]


def listed(files: Mapping[str, KitFile]) -> dict[str, KitFile]:
    """Return the files that kit.json lists, by name, of all that a kit has."""
    return {name: files[name] for name in sorted(files) if name not in _NOT_LISTED}


def kit_id(files: Mapping[str, KitFile]) -> str:
    """Return the id of a kit of these listed files: 12 hex digits of the SHA-256 of their lines in SHA256SUMS."""
    return hashlib.sha256(encode_sums(files)).hexdigest()[:12]


def encode_sums(files: Mapping[str, KitFile]) -> bytes:
    """Return hashes and names, sorted, as `sha256sum -c` reads them."""
    return "".join(f"{files[name].sha256}  {name}\n" for name in sorted(files)).encode()


def parse_sums(data: bytes) -> dict[str, str]:
    """Return hashes by name. Raises DataError for anything that encode_sums does not write."""
    sums = {}
    for line in data.decode(errors="replace").splitlines():
        digest, gap, name = line.partition("  ")
        if not gap or not name or not _DIGEST.fullmatch(digest):
            raise DataError(f"{SUMS} has a line that is no hash and name: damaged; copy the kit again")
        sums[name] = digest
    return sums


def encode_listing(kit: Kit) -> bytes:
    """Return kit.json."""
    return msgspec.json.format(msgspec.json.encode(kit), indent=1) + b"\n"


def decode_listing(data: bytes) -> Kit:
    """Return what kit.json holds. Raises DataError if it is another format, or none."""
    try:
        number = msgspec.json.decode(data, type=_Format).format
        if number != FORMAT:
            raise DataError(
                f"{LISTING}: format {number}, must be {FORMAT}: this Fieldfare is too old or too new for the kit"
            )
        return msgspec.json.decode(data, type=Kit)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{LISTING} cannot be read ({error}): damaged; copy the kit again") from error


class _Format(msgspec.Struct, frozen=True):
    format: int
