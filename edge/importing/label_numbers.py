"""Find the numbers of outputs in lines of any form: "class 417: owl", "0x1a1 owl", "417_owl", "owl=417"."""

import re
from collections.abc import Collection, Sequence

from edge.errors import BundleError

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
        if len(rows) == len(lines) and len(words) == 1 and complete([number for number, _ in rows]):
            return rows
    return None


def check_order(lines: Sequence[str]) -> None:
    """Raise BundleError if the first or the last number of all lines count the outputs, but in another order than the
    lines: which of the two is meant is not clear."""
    found = [_ANY.findall(line) for line in lines]
    if len(lines) < 2 or not all(found) or all(_ANY.fullmatch(line) for line in lines):
        return  # lines that are nothing but a number have no other name
    for place in (0, -1):
        texts = [numbers[place] for numbers in found]
        if max(map(len, texts)) > _LONGEST:
            continue
        numbers = [value(text) for text in texts]
        counts = complete(numbers) or (len(numbers) >= _CHANCE and _consecutive(numbers))
        if counts and numbers != sorted(numbers):
            raise BundleError(
                f"each line has a number, {min(numbers)} to {max(numbers)}, but not in the order of the lines: number "
                f"all lines from 0 to {len(lines) - 1} in front, such as {'0 ' + lines[0][:40]!r}"
            )


def _consecutive(numbers: Collection[int]) -> bool:
    return len(set(numbers)) == len(numbers) == max(numbers) - min(numbers) + 1
