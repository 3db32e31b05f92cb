"""Read labels files of other tools: plain lines, lines with a number of the output, tables with a header.

A number is heeded, whatever the order of the lines, or the file is refused: it never becomes part of a label, and its
line never another class's, without a word.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence

from edge.bundle.store import MAX_LABEL_BYTES, MAX_LABELS_BYTES
from edge.errors import BundleError
from edge.importing.tensors import MAX_CLASSES
from edge.results import UNKNOWN

# "0 red", "0: red", "[0] red", "0. red"; but neither "3-spined stickleback" nor "7up".
_NUMBERED = re.compile(r"[\[(#]?(\d{1,9})(?:[\])]?\s*[:=]\s*|[\])]?\s*[.)=-]?\s+)(\S.*)", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_DELIMITERS = "\t;,"
# What tools write above the column of names or numbers.
_HEADER = re.compile(
    r"id|index|idx|no|number|output|(class|label|category)[ _]?(id|index|name)?|classes|labels|"
    r"(display|common|scientific)?[ _]?names?",
    re.IGNORECASE,
)
# ImageNet's 1,000 names hold two twice. If numbers are really a part of the names, such as "1 star" and "2 stars",
# many more are left alike without them.
_DISTINCT = 0.9
_JOINERS = "\u200c\u200d"  # invisible, but legitimate: in emoji, and in words in Persian and Indic scripts
_PLAIN = "give one label a line, in the order of the outputs"
_Row = tuple[int, str]


def read_labels(data: bytes, classes: int) -> tuple[str, ...]:
    """Return one label for each of the `classes` outputs, in their order, from the bytes of a labels file.

    Raises BundleError if there are fewer or more, or if it is not clear which label belongs to which output.
    """
    if len(data) > MAX_LABELS_BYTES:
        raise BundleError(f"{len(data)} bytes, at most {MAX_LABELS_BYTES}: not a labels file")
    lines = _lines(data)
    if len(lines) > MAX_CLASSES + 1:
        raise BundleError(_wrong_number(len(lines), classes))
    rows = _rows(lines)
    if _has_header(lines, rows, classes):
        lines, rows = lines[1:], rows[1:]
    numbered = [row for row in rows if row is not None]
    if _are_numbers_of_outputs(numbered, len(lines)):
        lines = _in_order(numbered, len(lines))
    if len(lines) != classes:
        raise BundleError(_wrong_number(len(lines), classes))
    for number, label in enumerate(lines, 1):
        _check(number, label)
    return tuple(lines)


def _lines(data: bytes) -> list[str]:
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BundleError(f"the labels are not UTF-8 text ({error.reason}): save the file as UTF-8") from error
    if (text[:1] in ("[", "{") and text.rstrip(",;")[-1:] in ("]", "}")) or re.match(r"item\s*\{", text):
        raise BundleError(f"the labels are JSON, Python or a label map: {_PLAIN}")
    lines = [line.strip() for line in text.splitlines()]
    if not all(line.startswith('"') for line in lines):
        return lines
    cells = [[cell.strip() for cell in _cells(line, ",") if cell.strip()] for line in lines]
    return ["".join(row) for row in cells] if all(len(row) <= 1 for row in cells) else lines


def _rows(lines: Sequence[str]) -> list[_Row | None]:
    """Return number and name of each line, None for a line without a number, as the way to read it that finds most."""
    ways = [[_of_cells(_cells(line, delimiter)) for line in lines] for delimiter in _DELIMITERS]
    ways.append([_of_text(line) for line in lines])
    return max(ways, key=lambda rows: len(rows) - rows.count(None))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])
    except csv.Error:  # a cell over 131,072 characters, or a NUL
        return line.split(delimiter)


def _of_cells(cells: Sequence[str]) -> _Row | None:
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells = cells[:-1]
    if len(cells) < 2:
        return None
    if _NUMBER.fullmatch(cells[0]):
        return int(cells[0]), ", ".join(cells[1:])
    if len(cells) == 2 and _NUMBER.fullmatch(cells[1]):
        return int(cells[1]), cells[0]
    return None


def _of_text(line: str) -> _Row | None:
    found = _NUMBERED.fullmatch(line)
    return None if found is None else (int(found[1]), found[2].strip())


def _has_header(lines: Sequence[str], rows: Sequence[_Row | None], classes: int) -> bool:
    if len(lines) < 2 or rows[0] is not None:
        return False
    cells = re.split(r"[\t;,]", lines[0])
    known = all(_HEADER.fullmatch(cell.strip(' "')) for cell in cells)
    one_more = len(lines) == classes + 1
    if None not in rows[1:]:
        return one_more or (known and len(cells) > 1)
    return one_more and known


def _are_numbers_of_outputs(numbered: Sequence[_Row], lines: int) -> bool:
    """Return whether the numbers are those of outputs. Raises BundleError if that is not clear."""
    names = {name for _, name in numbered}
    # "10 cent", "20 cent", "50 cent"
    if len(numbered) < 2 or len(names) == 1:
        return False
    if len(numbered) < lines:
        # "3 toed sloth" among others is a name. A file in which most lines have a number of their own lacks some.
        numbers = {number for number, _ in numbered}
        if 2 * len(numbered) <= lines or len(numbers) < len(numbered) or max(numbers) > lines:
            return False
        raise BundleError(f"{len(numbered)} of {lines} lines begin with a number: {_either(lines)}")
    if len(names) < _DISTINCT * len(numbered):
        raise BundleError(f"every line has a number, and the names behind are often the same: {_either(lines)}")
    return True


def _in_order(numbered: Sequence[_Row], lines: int) -> list[str]:
    numbers = [number for number, _ in numbered]
    first = min(1, *numbers)
    found = dict(numbered)
    if len(found) < lines:
        twice = Counter(numbers).most_common(1)[0][0]
        raise BundleError(f"every line has a number, and {twice} comes twice: {_either(lines)}")
    if max(numbers) >= first + lines:
        missing = next(number for number in range(first, first + lines) if number not in found)
        raise BundleError(
            f"every line has a number, {first} to {max(numbers)}, but {missing} is missing: {_either(lines)}"
        )
    return [found[number] for number in range(first, first + lines)]


def _either(lines: int) -> str:
    return f"{_PLAIN}, or number all lines from 0 to {lines - 1} in front"


def _wrong_number(labels: int, classes: int) -> str:
    problem = f"{labels} labels, but the model has {classes} outputs: "
    if labels == classes - 1:
        return f"{problem}if the first output is a background, add a first line for it; otherwise {_PLAIN}"
    return f"{problem}give the labels file that belongs to it, one label a line, in the order of the outputs"


def _check(number: int, label: str) -> None:
    if not label:
        raise BundleError(f"label {number} is empty: {_PLAIN}")
    if bad := next((c for c in label if not c.isprintable() and c not in _JOINERS), None):
        raise BundleError(f"label {number} holds U+{ord(bad):04X}, unprintable: remove it")
    if len(label.encode()) > MAX_LABEL_BYTES:
        raise BundleError(f"label {number} has {len(label.encode())} bytes, at most {MAX_LABEL_BYTES}: shorten it")
    if label == UNKNOWN:
        raise BundleError(
            f"label {number} is {UNKNOWN!r}, which the device reports when no class fits: give a labels file with "
            "another name for it, such as 'other'"
        )
