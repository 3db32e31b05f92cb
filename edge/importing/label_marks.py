"""Take off what stands around labels in all lines alike: bullets, quotes, frames of tables, numbers in odd digits."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_BULLETS = re.compile(r"[-*+#\u2022\u00b7\u25cf\u2013\u2014]\s+(?=\S)")
_QUOTES = ("''", '""', "``", "\u2018\u2019", "\u201c\u201d", "\u201e\u201c", "\u00ab\u00bb")
_SIGNS = "-:|>~*=/,;\u2013\u2014\u2022\u00b7\u2192\uff1a\u060c\u061b"
_ENDS = ",;|"


def undressed(lines: Sequence[str]) -> list[str]:
    """Return the lines without what all of them have around them: "- red", "'red',", "| 2 | red |", "\u2461 red"."""
    found = list(lines)
    if len(found) < 2 or not all(found):
        return found
    found = _without_frame(_without_ends(found))
    if all(map(_BULLETS.match, found)):
        found = [_BULLETS.sub("", line, count=1) for line in found]
    return _with_plain_numbers(_without_quotes(found))


def bare(names: Sequence[str]) -> list[str]:
    """Return the names without signs that all of them begin with, left over behind their numbers, and without quotes
    around all of them."""
    found = list(names)
    while len(found) > 1 and all(len(name) > 1 and name[0] in _SIGNS for name in found):
        found = [name[1:].strip() for name in found]
    return _without_quotes(found)


def plain_numbers(text: str) -> str:
    """Return the text with digits instead of numbers that are one character, such as a circled or a raised 2."""
    return text if text.isascii() else "".join(_digits(c) for c in text)


@lru_cache(4096)
def _digits(character: str) -> str:
    if unicodedata.category(character) in ("No", "Nl") and (number := unicodedata.numeric(character, 0.5)) % 1 == 0:
        return f"{number:.0f}"
    return character


def _without_ends(lines: list[str]) -> list[str]:
    """Return the lines without the comma behind each; the last one may lack it."""
    if all(line[-1] == lines[0][-1] for line in lines[:-1]) and lines[0][-1] in ",;":
        shorn = [line.rstrip(_ENDS).rstrip() for line in lines]
        return shorn if all(shorn) else lines
    return lines


def _without_quotes(lines: list[str]) -> list[str]:
    for pair in _QUOTES:
        if len(lines) > 1 and all(len(line) > 2 and line[0] + line[-1] == pair for line in lines):
            lines = [line[1:-1].strip() for line in lines]
    return lines


def _without_frame(lines: list[str]) -> list[str]:
    if all(len(line) > 2 and line[0] == line[-1] == "|" for line in lines):
        return [line[1:-1].strip() for line in lines]
    return lines


def _with_plain_numbers(lines: list[str]) -> list[str]:
    if not all(lines) or any(line[0].isascii() or _digits(line[0]) == line[0] for line in lines):
        return lines
    numbers = [re.match(r"\d+", plain_numbers(line)) for line in lines]
    lengths = [next((at for at, c in enumerate(line) if _digits(c) == c), len(line)) for line in lines]
    return [
        f"{number[0]} {line[length:].strip()}".strip()
        for number, line, length in zip(numbers, lines, lengths, strict=True)
        if number is not None
    ]
