"""Write numbers and names as the trainer's pages and sentences show them. Plain text: the page escapes it."""

from typing import Protocol

from edge.printable import printable

LONGEST_NAME = 40
SPLITS = {"train": "training", "val": "validation", "test": "test"}


class Bounds(Protocol):
    """An interval of shares 0..1."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


def clean(text: str) -> str:
    """Return text for a page or a terminal without control characters; line breaks, and what `called` adds, stay."""
    return printable(text, keep="\n\u2068\u2069")


def percent(share: float, digits: int = 0) -> str:
    """Return 0.869 as '87 %', with a no-break space. '100 %' stands only for exactly 1."""
    text = f"{share * 100:.{digits}f}"
    if share < 1 and float(text) == 100:
        text = f"{100 - 10**-digits:.{digits}f}" if digits else "99.9"
    return f"{text}\u00a0%"


def between(interval: Bounds) -> str:
    """Return an interval as '83 to 90 %'."""
    return f"{interval.low * 100:.0f} to {interval.high * 100:.0f}\u00a0%"


def shortened(name: str) -> str:
    """Return a class or file name cut to LONGEST_NAME characters."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def called(name: str) -> str:
    """Return a name for use inside a sentence: in quotes, kept apart from the text's direction, shortened."""
    return f"“\u2068{shortened(name)}\u2069”"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return '1 photo' or '1,234 photos'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def split_name(split: str) -> str:
    """Return a split's name in words: 'val' as 'validation'."""
    return SPLITS.get(split, split)
