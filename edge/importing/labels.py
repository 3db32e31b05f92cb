"""Read labels files of other tools: plain lines, lines with a number of the output, tables with a header.

A number is heeded, whatever the order of the lines, or the file is refused: it never becomes part of a label, and its
line never another class's, without a word.
"""

import re
from collections import Counter
from collections.abc import Sequence

from edge.bundle.labels import MAX_LABEL_BYTES, MAX_LABELS_BYTES, appearance, label_fix, label_problem, twins
from edge.errors import BundleError
from edge.importing.label_marks import bare, undressed
from edge.importing.label_numbers import check_columns, check_one_number, check_order, marked
from edge.importing.label_tables import DELIMITERS, split_cells, table
from edge.importing.tensors import MAX_CLASSES

# "0 red", "0: red", "[0] red", "0. red"; but neither "3-spined stickleback" nor "7up".
# Digits of any script count, as in "\u0662 blue", and the wide signs of Chinese and Japanese text.
_NUMBERED = re.compile(
    r"[\[(#\uff08\u3010]?(\d{1,40})(?:\.0+)?"
    r"(?:[\])\uff09\u3011]?\s*(?:[:\uff1a|\u3001]|=>?|->|\u2192)\s*|[\])\uff09\u3011]?\s*[.)=-]?\s+|[\])\uff09\u3011\uff0e])(\S.*)"
)
_NUMBER = re.compile(r"(\d{1,40})(?:\.0+)?")
# What tools write above the column of names or numbers.
_HEADER = re.compile(
    r"id|index|idx|no|number|output|(class|label|category)[ _]?(id|index|name)?|classes|labels|"
    r"(display|common|scientific)?[ _]?names?",
    re.IGNORECASE,
)
_INDEX = re.compile(
    r"((class|label|category|output|target)[ _-]?)?(ids?|index|idx|no\.?|nr\.?|number|num)|output|class|label|target",
    re.IGNORECASE,
)
_COUNT = re.compile(
    r"(n|num(ber)?|no\.?)[ _]?(of[ _])?\w+s|counts?|samples?|images?|photos?|pictures?|total|freq(uency)?|size|support",
    re.IGNORECASE,
)
# ImageNet's 1,000 names hold two twice. If numbers are really a part of the names, such as "1 star" and "2 stars",
# many more are left alike without them.
_DISTINCT = 0.9
_MOST_NAMED = 3
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
    lines = _resolved(lines, classes)
    if len(lines) != classes:
        raise BundleError(_wrong_number(len(lines), classes))
    for number, label in enumerate(lines, 1):
        _check(number, label)
    return tuple(lines)


def _resolved(lines: list[str], classes: int) -> list[str]:
    """Return the names of the outputs in their order. Raises BundleError if numbers in the lines leave it open."""
    lines = undressed(lines)
    check_columns(lines)
    if (rows_of_table := table(lines)) is not None:
        return _in_order(rows_of_table, len(rows_of_table))
    rows = _rows(lines)
    if _has_header(lines, rows, classes):
        _check_header(lines)
        lines = undressed(lines[1:])
        rows = _rows(lines)
    numbered = [row for row in rows if row is not None]
    if _are_numbers_of_outputs(numbered, len(lines)):
        return _named(numbered, len(lines))
    found = marked(lines)
    if found is not None and len({name for _, name in found}) >= _DISTINCT * len(found):
        return _named(found, len(found))
    check_order(lines)
    return lines


def _named(numbered: Sequence[_Row], lines: int) -> list[str]:
    """Return the names in the order of their numbers, without what was between. Raises BundleError."""
    names = bare(_in_order(numbered, lines))
    check_one_number(names)
    return names


def distinct(labels: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """Return the labels, with the number of the output behind those that several outputs have, and a line on these.

    ImageNet's 1,000 names hold "crane" twice, a bird and a machine: their scores must not be added, and an answer must
    show which of the two it is.
    """
    alike, made = twins(labels), list(labels)
    if not alike:
        return tuple(labels), None
    taken = {appearance(label) for label in labels}
    for numbers in alike.values():
        for number in numbers:
            made[number] = _numbered(labels[number], number, taken)
    label, numbers = next(iter(alike.items()))
    more = f", and {len(alike) - 1} more labels come several times" if len(alike) > 1 else ""
    named = ", ".join(repr(made[number]) for number in numbers[:_MOST_NAMED])
    return tuple(made), (
        f"{len(numbers)} outputs are called {label!r}{more}: the number of the output, from 0, is added to their names "
        f"({named}{', ...' if len(numbers) > _MOST_NAMED else ''}); better give them names of their own"
    )


def _numbered(label: str, number: int, taken: set[str]) -> str:
    """Return the label with the number of its output; no other label looks like it."""
    ending = f" ({number})"
    while appearance(label + ending) in taken:
        ending += f" ({number})"
    taken.add(appearance(label + ending))
    return label.encode()[: MAX_LABEL_BYTES - len(ending)].decode(errors="ignore").strip() + ending


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
    cells = [[cell.strip() for cell in split_cells(line, ",") if cell.strip()] for line in lines]
    return ["".join(row) for row in cells] if all(len(row) <= 1 for row in cells) else lines


def _rows(lines: Sequence[str]) -> list[_Row | None]:
    """Return number and name of each line, None for a line without a number, as the way to read it that finds most."""
    ways = [[_of_cells(split_cells(line, delimiter)) for line in lines] for delimiter in DELIMITERS]
    ways.append([_of_text(line) for line in lines])
    return max(ways, key=lambda rows: len(rows) - rows.count(None))


def _of_cells(cells: Sequence[str]) -> _Row | None:
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells = cells[:-1]
    if len(cells) < 2:
        return None
    if found := _NUMBER.fullmatch(cells[0]):
        return int(found[1]), ", ".join(cells[1:])
    if len(cells) == 2 and (found := _NUMBER.fullmatch(cells[1])):
        return int(found[1]), cells[0]
    return None


def _of_text(line: str) -> _Row | None:
    found = _NUMBERED.fullmatch(line)
    return None if found is None else (int(found[1]), found[2].strip())


def _has_header(lines: Sequence[str], rows: Sequence[_Row | None], classes: int) -> bool:
    if len(lines) < 2 or rows[0] is not None:
        return False
    cells = re.split(f"[{DELIMITERS}]", lines[0])
    known = all(_HEADER.fullmatch(cell.strip(' "')) for cell in cells)
    one_more = len(lines) == classes + 1
    if None not in rows[1:]:
        return one_more or (known and len(cells) > 1)
    return one_more and known


def _check_header(lines: Sequence[str]) -> None:
    """Raise BundleError if the header of a table of two columns names another column than one of outputs' numbers."""
    for delimiter in DELIMITERS:
        header, *cells = ([cell.strip(' "') for cell in split_cells(line, delimiter)] for line in lines)
        if len(header) != 2 or any(len(row) != 2 for row in cells):
            continue
        for at in (0, 1):
            if all(_NUMBER.fullmatch(row[at]) for row in cells) and _is_no_index(header[at], at):
                raise BundleError(
                    f"the column {header[at][:40]!r} does not number the outputs: call it 'id' if it does, or {_PLAIN}"
                )


def _is_no_index(header: str, column: int) -> bool:
    # In front, numbers are those of outputs, in whatever language the header is, but for what counts photos.
    return bool(_COUNT.fullmatch(header)) if column == 0 else not _INDEX.fullmatch(header)


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
    if problem := label_problem(label):
        fix = _PLAIN if not label else label_fix(label)
        raise BundleError(f"label {number} {problem}: {fix}")
