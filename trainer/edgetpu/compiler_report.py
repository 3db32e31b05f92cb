"""What edgetpu_compiler prints and logs -> a report. Read by the lines of real runs of versions 14.1 to 16.0."""

import re
from dataclasses import dataclass

from edge.errors import ModelError
from trainer.edgetpu.operators import MAPPED

TESTED_VERSIONS = ("14.1.", "15.0.", "16.0.")
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """Operators of one name and status in the compiler's table, added up."""

    operator: str
    count: int
    status: str


@dataclass(frozen=True, slots=True)
class CompilerReport:
    """What the compiler said; None where it did not say, no rows where it printed no table. total: operators of the
    model in its own words."""

    version: str
    on_tpu: int
    on_cpu: int
    on_chip_bytes: int | None
    off_chip_bytes: int | None
    rows: tuple[OperatorRow, ...]
    total: int | None = None

    @property
    def tested(self) -> bool:
        """True where real output of this version was read before."""
        return self.version.startswith(TESTED_VERSIONS)

    @property
    def left_out(self) -> str:
        """The operators on the CPU, as 'CONV_2D x2, ARG_MAX'; empty where there is no table."""
        counts: dict[str, int] = {}
        for row in self.rows:
            if row.status != MAPPED:
                counts[row.operator] = counts.get(row.operator, 0) + row.count
        return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in counts.items())


def parse_report(text: str) -> CompilerReport:
    """Read what the compiler printed, its log appended or not; without a version that is 'unknown'. Raises ModelError
    where nothing of where operators run is in it."""
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
        raise ModelError(f"the compiler printed nothing that is known: {last_words(text) or 'nothing at all'}")
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
    """The last lines that say something, for an error message; the version and the time-out are no news."""
    noise = ("Edge TPU Compiler version", "Started a compilation timeout", "Compilation child process")
    lines = [_printable(" ".join(line.split())) for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if not line.startswith(noise))[-300:]


def _printable(text: str) -> str:
    """Without what would move the cursor or change colours of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _table(text: str) -> tuple[OperatorRow, ...]:
    """The rows under a heading 'Operator Count Status', those of one operator and status added up. Output and log
    may both hold the table: the one with most operators counts."""
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
