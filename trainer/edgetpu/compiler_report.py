"""Parse what edgetpu_compiler prints and logs. The patterns are from real runs of versions 14.1 to 16.0."""

import re
from dataclasses import dataclass

from edge.errors import ModelError
from trainer.edgetpu.operators import MAPPED

TESTED_VERSIONS = ("14.1.", "15.0.", "16.0.")
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """Operators of one name and status in the compiler's table, counted together."""

    operator: str
    count: int
    status: str


@dataclass(frozen=True, slots=True)
class CompilerReport:
    """The contents of the compiler's output. None and no rows stand for what it did not print.

    version: "unknown" if it printed none.
    on_tpu, on_cpu: how many operators run there.
    on_chip_bytes: memory on the chip that holds parameters.
    off_chip_bytes: parameters that are streamed at each inference.
    rows: its table of operators.
    total: how many operators the model has, by its own count.
    """

    version: str
    on_tpu: int
    on_cpu: int
    on_chip_bytes: int | None
    off_chip_bytes: int | None
    rows: tuple[OperatorRow, ...]
    total: int | None = None

    @property
    def tested(self) -> bool:
        """Whether this parser was tested with real output of this version."""
        return self.version.startswith(TESTED_VERSIONS)

    @property
    def left_out(self) -> str:
        """The operators on the CPU, as 'CONV_2D x2, ARG_MAX'; empty without a table."""
        counts: dict[str, int] = {}
        for row in self.rows:
            if row.status != MAPPED:
                counts[row.operator] = counts.get(row.operator, 0) + row.count
        return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in counts.items())


def parse_report(text: str) -> CompilerReport:
    """Parse what the compiler printed, with or without its log appended.

    Raises ModelError if it does not show how many operators run on the Edge TPU."""
    version = re.search(r"Edge TPU Compiler version (\S+)", text)
    rows = _table(text)
    total = _number(text, r"Total number of operations: (\d+)")
    on_tpu = _number(text, r"operations that will run on Edge TPU: (\d+)")
    on_cpu = _number(text, r"operations that will run on CPU: (\d+)")
    if on_tpu is None and rows:
        on_tpu = sum(row.count for row in rows if row.status == MAPPED)
    if on_cpu is None and rows:
        on_cpu = sum(row.count for row in rows if row.status != MAPPED)
    if on_tpu is None and on_cpu is None and "Model compiled successfully" in text:
        on_tpu = total
    if on_tpu is None:
        raise ModelError(f"the compiler's output is not recognized: {last_words(text) or 'it is empty'}")
    return CompilerReport(
        version=_printable(version[1])[:40] if version else "unknown",
        on_tpu=on_tpu,
        on_cpu=on_cpu or 0,
        on_chip_bytes=_bytes(text, "On-chip memory used for caching model parameters"),
        off_chip_bytes=_bytes(text, "Off-chip memory used for streaming uncached model parameters"),
        rows=rows,
        total=total,
    )


def last_words(text: str) -> str:
    """Return the last lines for an error message, at most 300 characters, without the usual version and time-out."""
    noise = ("Edge TPU Compiler version", "Started a compilation timeout", "Compilation child process")
    lines = [_printable(" ".join(line.split())) for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if not line.startswith(noise))[-300:]


def _printable(text: str) -> str:
    """Replace the characters that would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _table(text: str) -> tuple[OperatorRow, ...]:
    """Return the rows under a heading 'Operator Count Status', those of one operator and status added up."""
    # Output and log may both hold the table: the one with the most operators is taken.
    tables: list[dict[tuple[str, str], int]] = []
    inside = False
    for line in text.splitlines():
        if re.match(r"\s*Operator\s+Count\s+Status", line):
            tables.append({})
            inside = True
            continue
        row = re.match(r"\s*([A-Za-z][\w-]*)\s+(\d+)\s+(\S.*?)\s*$", line)
        if inside and row:
            key = row[1], row[3]
            tables[-1][key] = tables[-1].get(key, 0) + int(row[2])
        elif line.strip():
            inside = False
    table = max(tables, key=lambda found: sum(found.values()), default={})
    return tuple(OperatorRow(operator, count, status) for (operator, status), count in table.items())


def _number(text: str, pattern: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def _bytes(text: str, title: str) -> int | None:
    found = re.search(re.escape(title) + r":\s*(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)\b", text)
    return round(float(found[1]) * _UNITS[found[2]]) if found else None
