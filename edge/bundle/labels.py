"""Judge what may be a label. The only place that does: for training, importing and opening alike."""

import re
import unicodedata
from collections.abc import Sequence

from edge.errors import BundleError
from edge.results import UNKNOWN

# 100,000 labels, the most that a model may have, in 167 bytes each.
MAX_LABELS_BYTES = 16 * 1024 * 1024
# A result holds up to 100 labels, and a message between the service's processes at most 208 KiB.
MAX_LABEL_BYTES = 1000
# Invisible, but legitimate inside names: of emoji, and of words in Persian and Indic scripts.
JOINERS = "\u200c\u200d"
# Characters that terminals act on, that reorder a line or that nobody sees: controls, marks of direction, surrogates,
# private ones, line breaks, odd blanks. Not the unassigned: a new emoji of one Python is unassigned in an older one.
_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"))
# Letters and signs by their category, but blank on every screen: fillers, a combining joiner, vowels that are never
# written, the empty Braille pattern, a note without a head.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159\U00016fe4")
# Of a character, what changes its shape a little or not at all.
_UNSEEN = re.compile(f"[{JOINERS}\ufe00-\ufe0f\U000e0100-\U000e01ef]+")


def label_problem(label: str) -> str | None:
    """Return what keeps a text from being a label, to follow its name, without a fix; None if nothing does."""
    if not label.strip():
        return "is empty"
    if label != label.strip() or label != label.strip(JOINERS):
        return "has blanks or joiners at its ends"
    if not appearance(label):  # but for what only changes the character before it
        return "is empty"
    if bad := _unprintable_in(label):
        return f"holds {_described(bad)}, unprintable"
    if len(label.encode()) > MAX_LABEL_BYTES:
        return f"has {len(label.encode())} bytes, at most {MAX_LABEL_BYTES}"
    if is_unknown(label):
        return f"{'is' if label == UNKNOWN else 'reads as'} {UNKNOWN!r}, which the device reports when no class fits"
    return None


def label_fix(label: str) -> str:
    """Return how to mend a label that has a problem."""
    if is_unknown(label):
        return "choose another name, such as 'other'"
    return "shorten it" if len(label.encode(errors="replace")) > MAX_LABEL_BYTES else "rename it"


def is_unknown(label: str) -> bool:
    """Return whether a label reads like what the device reports when no class fits."""
    # In any case and width of the letters: nobody could tell 'Unknown' from it in a log.
    return appearance(unicodedata.normalize("NFKC", label)).casefold() == UNKNOWN


def appearance(label: str) -> str:
    """Return a label as people see it: two labels with one appearance cannot be told apart."""
    return label if label.isascii() else _UNSEEN.sub("", unicodedata.normalize("NFC", label)).strip()


def twins(labels: Sequence[str]) -> dict[str, list[int]]:
    """Return the labels that several outputs have, by appearance, with the numbers of these outputs from 0."""
    outputs: dict[str, list[int]] = {}
    for number, label in enumerate(labels):
        outputs.setdefault(appearance(label), []).append(number)
    return {labels[numbers[0]]: numbers for numbers in outputs.values() if len(numbers) > 1}


def parse_labels(data: bytes) -> tuple[str, ...]:
    """Parse a bundle's labels: one a line, UTF-8, each one that may be a label, or reads like 'unknown' without being
    it. Raises BundleError."""
    if len(data) > MAX_LABELS_BYTES:
        raise BundleError(f"labels have {len(data)} bytes, at most {MAX_LABELS_BYTES}: shorten them")
    try:
        labels = tuple(line.strip() for line in data.decode("utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        raise BundleError(f"labels are not UTF-8 text: {error}; save the file as UTF-8") from error
    for number, label in enumerate(labels, 1):
        # Until November 2026 a class could be called 'Unknown', and what users made keeps opening.
        if (problem := label_problem(label)) and (label == UNKNOWN or not is_unknown(label)):
            raise BundleError(f"labels: line {number} {problem}: {label_fix(label)}, and make the bundle again")
    return labels


def check_unmistakable(labels: Sequence[str]) -> None:
    """Raise BundleError if a label of an older bundle reads like what the device reports when no class fits."""
    for number, label in enumerate(labels, 1):
        if is_unknown(label):
            raise BundleError(f"labels: line {number} {label_problem(label)}: {label_fix(label)}, and train again")


def _unprintable_in(label: str) -> str | None:
    """Return the first character that has no place in a label; None if there is none."""
    if label.isprintable() and _BLANK.isdisjoint(label):
        return None
    return next((c for c in label if _is_unprintable(c)), None)


def _is_unprintable(character: str) -> bool:
    if character.isprintable() or character in JOINERS:
        return character in _BLANK
    kind = unicodedata.category(character)
    return kind in _UNPRINTABLE or _is_no_character(ord(character))


def _is_no_character(code: int) -> bool:
    """Return whether a code that is not assigned never will be a visible character."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF or 0xFFF0 <= code <= 0xFFF8 or 0xE0000 <= code <= 0xE0FFF


def _described(character: str) -> str:
    """Return a character's code and name, such as 'U+202E RIGHT-TO-LEFT OVERRIDE'."""
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte of a file name that it cannot decode
        return f"the byte 0x{ord(character) - 0xDC00:02X}, which is not UTF-8"
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
