"""Decode TOML that people wrote: within bounds, and with a hint if a text or a time lacks its quotes."""

import codecs
import re

import msgspec

from edge.config.faults import Table, shorten
from edge.errors import ConfigError
from edge.printable import concealed

# The decoder takes time by the square of a key's dots: 32,000 of them 15 s on an x86-64 core, 2,000 hardly any.
_MAX_DOTS = 2000
_AT_LINE = r"\(at line (\d+), column \d+\)\Z"
# A key and a value that begins with a letter or as a time of day does, as TOML has neither without quotes.
_BARE = rb"(?i)\s*[^=#\[]+=\s*(?:(?P<switch>true|false|yes|no|on|off)\s*(?:#.*)?\Z|[a-z/~]|\d{1,2}:\d\d)"


def decode_toml(data: bytes, file: str) -> Table:
    """Return the table in the bytes of a file; `file` is for messages. Raises ConfigError.

    A byte order mark, as some editors put it first, is skipped.
    """
    for number, line in enumerate(data.split(b"\n"), 1):
        if (dots := line.count(b".")) > _MAX_DOTS:
            raise ConfigError(f"{file}: line {number} has {dots} dots: must be at most {_MAX_DOTS}: break it up")
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()  # msgspec up to 0.22 passes this error on, 0.23 wraps it
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: must be UTF-8, as byte {error.start + 1} is not: save it as UTF-8") from error
    try:
        table: Table = msgspec.toml.decode(text)
    except RecursionError as error:
        raise ConfigError(f"{file}: not valid TOML: nested too deeply") from error
    except ValueError as error:  # also msgspec's
        fault = str(error)
        raise ConfigError(f"{file}: not valid TOML: {shorten(concealed(fault))}{_hint(data, fault)}") from error
    return table


def _hint(data: bytes, message: str) -> str:
    """Return what may be wrong in the line that the decoder names, "" if that does not show.

    It quotes nothing of the line, which may hold a password.
    """
    place = re.search(_AT_LINE, message)
    lines = data.split(b"\n")
    # At the end of the document the decoder names no line.
    line = lines[int(place[1]) - 1] if place and int(place[1]) <= len(lines) else data.rstrip().rpartition(b"\n")[2]
    found = re.match(_BARE, line)
    if found is None:
        return ""
    if found["switch"]:
        return ": write true or false, in small letters"
    return ': put texts and times in quotes, such as "06:30"'
