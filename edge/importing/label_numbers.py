"""Find the numbers of outputs in lines of any form: "class 417: owl", "0x1a1 owl", "417_owl", "owl=417"."""

import re
from collections.abc import Collection, Sequence

from edge.errors import BundleError
from edge.importing.label_marks import plain_numbers

_SIGN = r"(?:[:\uff1a=|_]|=>|->|\u2192)"
_NUMBER = r"0x[0-9a-f]{1,8}|\d{1,40}(?:\.0+)?"
# A word before the number needs a sign behind it: "class 7: owl". "grade 1 oak" is a name.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?P<before>)(?P<number>{_NUMBER})(?:\s*{_SIGN}\s*|\s+)(?P<name>\S.*)",
        rf"(?P<before>\D{{1,20}}?)(?P<number>{_NUMBER})\s*{_SIGN}\s*(?P<name>\S.*)",
        rf"(?P<before>(?:\u2116|#|no\.|nr\.)\s*)(?P<number>{_NUMBER})\s+(?P<name>\S.*)",
        rf"(?P<before>)(?P<name>\S.*?)\s*{_SIGN.replace('_', '')}\s*(?P<number>{_NUMBER})",
        rf"(?P<before>)(?P<name>\S.*?)\s*[\[(](?P<number>{_NUMBER})[\])]",
    )
)
# Any signs between number and name, the same in all lines: "{2} red", "2~red", "2/red".
_LOOSE = re.compile(
    r"(?P<before>[^\w\s-]{0,3})(?P<number>\d{1,40})(?![.,]\d)(?P<between>[^\w\s]{1,4}\s*|\s+[^\w\s]{1,4}\s+|(?=[^\W\d]))(?P<name>\S.*)"
)
# From 1 on, these may be part of a name: "1-euro", "1st", "1.5 mm", "001.Albatross".
_PART_OF_NAME = ("", "-", ".", "'", ",")
_LETTERS = re.compile(r"\(?(?P<number>[a-z])\)\s*(?P<name>\S.*)", re.IGNORECASE)
_ROMAN = re.compile(r"(?P<number>[ivx]{1,7})(?:[.):]\s*|\s+)(?P<name>\S.*)", re.IGNORECASE)
_ROMAN_VALUES = {
    tens + ones: 10 * ten + one
    for ten, tens in enumerate(("", "x", "xx", "xxx"))
    for one, ones in enumerate(("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"))
    if tens + ones
}
_ANY = re.compile(r"0x[0-9a-f]{1,8}\b|\d+(?:\.0+\b)?", re.IGNORECASE)
_LONGEST = 40  # digits; Python itself refuses to read more than 4,300
_CHANCE = 10  # so many consecutive numbers are no accident, whatever the first is


def value(number: str) -> int:
    """Return what "417", "417.0" or "0x1a1" stands for."""
    return int(number, 16) if number[:2].lower() == "0x" else int(number.partition(".")[0])


def complete(numbers: Collection[int]) -> bool:
    """Return whether the numbers are 0 to N-1, or 1 to N, in any order."""
    return len(numbers) > 1 and min(numbers) in (0, 1) and _consecutive(numbers)


def marked(lines: Sequence[str]) -> list[tuple[int, str]] | None:
    """Return number and name of each line if all have one form and the numbers are complete; otherwise None."""
    for form in _FORMS:
        found = [form.fullmatch(line) for line in lines]
        rows = [(value(match["number"]), match["name"].strip()) for match in found if match is not None]
        words = {match["before"] for match in found if match is not None}
        # A bar in a name divides more columns: which of them is the name is not clear.
        plain = not any("|" in name for _, name in rows)
        if plain and len(rows) == len(lines) and len(words) == 1 and complete([number for number, _ in rows]):
            return rows
    return _loosely(lines) or _of_letters(lines)


def _loosely(lines: Sequence[str]) -> list[tuple[int, str]] | None:
    found = [match for line in lines if (match := _LOOSE.fullmatch(line)) is not None]
    rows = [(value(match["number"]), match["name"].strip()) for match in found]
    around = {(match["before"], match["between"]) for match in found}
    if len(rows) != len(lines) or len(around) != 1 or not complete([number for number, _ in rows]):
        return None
    before, between = around.pop()
    if not before and between in _PART_OF_NAME and min(rows)[0] > 0:
        return None
    return rows


def _of_letters(lines: Sequence[str]) -> list[tuple[int, str]] | None:
    """Return number and name of each line of "a) red", from 1."""
    found = [match for line in lines if (match := _LETTERS.fullmatch(line)) is not None]
    rows = [(ord(match["number"].lower()) - ord("a") + 1, match["name"].strip()) for match in found]
    return rows if len(rows) == len(lines) and complete([number for number, _ in rows]) else None


def check_one_number(labels: Sequence[str]) -> None:
    """Raise BundleError if labels, whose numbers were taken off, have a second one that counts in another order."""
    found = [_ANY.findall(plain_numbers(label)) for label in labels]
    if len(labels) < 2 or not all(found) or all(_ANY.fullmatch(label) for label in labels):
        return
    for place, at_end in ((0, re.match), (-1, _at_end)):
        texts = [numbers[place] for numbers in found]
        rests = {label.replace(text, "", 1) for label, text in zip(labels, texts, strict=True)}
        outside = all(at_end(re.escape(text), label) for text, label in zip(texts, labels, strict=True))
        if not outside or len(rests) < len(labels) or max(map(len, texts)) > _LONGEST:
            continue
        numbers = [value(text) for text in texts]
        if complete(numbers) and numbers != sorted(numbers):
            raise BundleError(
                f"each line has two numbers that count the outputs in different orders, such as {labels[0][:40]!r} for "
                "the first: leave one of them out"
            )


def _at_end(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(rf"{pattern}\Z", text)


def check_columns(lines: Sequence[str]) -> None:
    """Raise BundleError if the lines hold one column for each output, 1 in one of them: "red 0 0 1"."""
    count = len(lines)
    rows = [re.split(r"[\s,;|]+", line) for line in lines]
    if count < 2 or any(len(row) <= count for row in rows):
        return
    for part in (slice(-count, None), slice(0, count)):
        flags = [row[part] for row in rows]
        if all(sorted(row) == ["0"] * (count - 1) + ["1"] for row in flags):
            raise BundleError(
                f"each line has {count} columns of 0 and 1: give one label a line, in the order of the outputs"
            )


def check_order(lines: Sequence[str]) -> None:
    """Raise BundleError if the first or the last number of all lines count the outputs, but in another order than the
    lines: which of the two is meant is not clear."""
    _check_romans(lines)
    found = [_ANY.findall(plain_numbers(line)) for line in lines]
    if len(lines) < 2 or not all(found) or all(_ANY.fullmatch(line) for line in lines):
        return  # lines that are nothing but a number have no other name
    for place in (0, -1):
        texts = [numbers[place] for numbers in found]
        if max(map(len, texts)) > _LONGEST:
            continue
        numbers = [value(text) for text in texts]
        counts = complete(numbers) or (len(numbers) >= _CHANCE and _consecutive(numbers))
        if counts and numbers != sorted(numbers):
            raise BundleError(_other_order(lines, numbers))


def _check_romans(lines: Sequence[str]) -> None:
    found = [_ROMAN.fullmatch(line) for line in lines]
    numbers = [_ROMAN_VALUES.get(match["number"].lower(), -1) for match in found if match is not None]
    if len(numbers) == len(lines) and complete(numbers) and numbers != sorted(numbers):
        raise BundleError(_other_order(lines, numbers))


def _other_order(lines: Sequence[str], numbers: Sequence[int]) -> str:
    return (
        f"each line has a number, {min(numbers)} to {max(numbers)}, but not in the order of the lines: number "
        f"all lines from 0 to {len(lines) - 1} in front, such as {'0 ' + lines[0][:40]!r}"
    )


def _consecutive(numbers: Collection[int]) -> bool:
    return len(set(numbers)) == len(numbers) == max(numbers) - min(numbers) + 1
