"""Make text from outside fit to be shown: no control characters, no credentials, one line. The only place that does.

Text is cleaned when it leaves: on a terminal, in the log, in systemd's Status line, on a page. What the program itself
works on, and the content of JSON, stay as they are.
"""

import re
import unicodedata

# journald splits a line of 48 kB, and reads a priority at the beginning of the second part.
LONGEST_LINE = 8000
# Persian and Hindi words, and many emoji, need the joiners.
_JOINERS = "\u200c\u200d"
# All patterns are texts, which `re` compiles when one is first needed, and keeps: to compile them all takes 3 ms, and
# most programs need few.
_BREAKS = r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+"

_SECRET = (
    r"(?:pass(?:wor[dt]|wd|phrase|code)?|pwd|psw|pw|token|secret|api_?key|auth|sig(?:nature)?|credentials?"
    r"|user(?:name)?|usr|login)"
)
_PARAMETER = rf"(?i)({_SECRET}=)[^&;,?#/\s'\"]+"
_SCHEME = r"(?i)\s*((?:[a-z][a-z0-9+.-]*:[/\\]{2})|(?:(?:rtsps?|https?)(?:[:;/\\]+)))"
# A host, or an IPv6 address in brackets, and perhaps a port; behind it what ends an address inside a sentence.
_AUTHORITY = r"(?:\[[^\]@]*\]|[^:/\\?#@\[\]]*)(?::\d*)?[:;,.)]*(?=[/\\?#]|\Z)"
# Our own example of an address, which stays as it is in a message.
_EXAMPLE = "user:password@"
# In a sentence an address stands in quotes, or it begins with its scheme and ends at a quote, ": ", "; " or the next
# address; what is left are single words.
_QUOTED = r"""(?<!\w)(?:'((?:[^'\\\n]|\\.)*+)'|"((?:[^"\\\n]|\\.)*+)")"""
_IN_SENTENCE = (
    rf"(?i)\b(?:rtsps?|https?)[:;/\\]++(?!{_EXAMPLE})(?:(?!: |; |\b(?:rtsps?|https?)[:;/\\])[^'\"\n])*@[^\s'\"]*"
)
_WORD = r"(?i)(?:[a-z][a-z0-9+.-]*+://|\b(?:rtsps?|https?)[:;/\\]++)[^\s'\"]*|[^\s'\"]+?(?=[a-z]{1,12}://|[\s'\"]|\Z)"


def printable(text: str, keep: str = "") -> str:
    """Return `text` with a question mark for each character that a terminal acts on or that reorders a line: control
    characters, line breaks, surrogates, marks of direction. keep: characters that stay all the same."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or c in _JOINERS or _is_space(c) else "?" for c in text)


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def utf8_text(text: str) -> str:
    """Return the text of a file's name with U+FFFD for what is not UTF-8 in it: JSON takes no surrogates."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # surrogates that stand for no byte, as files from Windows may hold
        return re.sub("[\ud800-\udfff]", "\ufffd", text)


def one_line(text: str) -> str:
    """Return a message as one line: printable, without credentials, cut at 8000 characters."""
    # Cut first, too, so that a text of megabytes takes no time; an address that is longer than this does not exist.
    return cut(printable(concealed(re.sub(_BREAKS, " ", text[: 8 * LONGEST_LINE]).rstrip())))


def cut(text: str) -> str:
    """Return `text` cut at 8000 characters."""
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}..."


def printable_json(data: bytes) -> bytes:
    """Return JSON in UTF-8 with the same content, in which characters that are not printable are written as escapes.

    An encoder escapes only what JSON demands, which leaves C1 controls and marks of direction as they are."""
    if data.isascii() and b"\x7f" not in data:
        return data
    text = data.decode()
    if text.isprintable():
        return data
    # Outside of its texts, JSON holds nothing but ASCII. json.dumps leaves DEL as it is.
    return "".join(_escaped(c) for c in text).encode()


def _escaped(character: str) -> str:
    import json  # 1 ms, for what is rare

    if character.isprintable() or character == "\n":
        return character
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def counted(number: int, noun: str, plural: str = "", *, grouped: bool = False) -> str:
    """Return '1 event' or '2 events'. grouped: '2,000 events' for 2000."""
    return f"{number:{',' if grouped else ''}} {noun if number == 1 else plural or noun + 's'}"


def were(number: int, noun: str, plural: str = "") -> str:
    """Return '1 event was' or '2 events were'."""
    return f"{counted(number, noun, plural)} {'was' if number == 1 else 'were'}"


def masked(address: str) -> str:
    """Return the text of camera.source without its secrets: user and password, everything after a `?`, and values such
    as that of `password=`. An address with a slip in it (`rtsp:/`, `rtsp//`, a blank first, no scheme, no @) is masked,
    too; the path of a file is returned as it is. Printable."""
    return without_secrets(printable(address))


def without_secrets(address: str) -> str:
    """Return the text as `masked` does, for repr(), which shows what is not printable."""
    if address.isalnum():  # such as `synthetic`: most often
        return address
    found = re.match(_SCHEME, address)
    scheme, rest = (found[1], address[found.end() :]) if found else ("", address)
    # A password may contain any character, so everything up to the last @ is hidden.
    held, at, place = rest.rpartition("@" if "@" in rest or found else "%40")
    if not found and not re.search(_PARAMETER, address) and not (at and _is_suspect(held)):
        return address
    if re.search(_PARAMETER, held):  # the @ is part of a parameter's value, so what follows may be, too
        return f"{scheme}***"
    if found and not at and not re.match(_AUTHORITY, place):  # the port is no number: a password, and its @ is missing
        return f"{scheme}***"
    path, mark, _ = re.split(r"([?#])", place, maxsplit=1) if re.search(r"[?#]", place) else (place, "", "")
    shown = f"{scheme}{'***@' if at else ''}{path}{mark + '***' if mark else ''}"
    return re.sub(_PARAMETER, r"\1***", shown)


def _is_suspect(held: str) -> bool:
    """Return True if the text before an @ may be credentials, and not the beginning of a file's path."""
    return ":" in held or not held.lstrip().startswith(("/", ".", "~"))


def concealed(text: str) -> str:
    """Return a message in which the addresses are masked, wherever they stand in it."""
    if not any(sign in text for sign in ("@", "=", "%40", "://")):
        return text
    for kind in (_QUOTED, _IN_SENTENCE, _WORD):
        text = re.sub(kind, _conceal, text)
    return text


def _conceal(found: re.Match[str]) -> str:
    whole = found[0]
    inside = next((group for group in found.groups() if group is not None), whole)
    held = inside.rpartition("@")[0]
    if _EXAMPLE in inside or not (":" in held or re.search(_PARAMETER, inside) or re.match(_SCHEME, inside)):
        return whole
    return whole.replace(inside, masked(inside)) if inside else whole
