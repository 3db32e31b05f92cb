"""Check that a file is a whole shared library for this machine.

The loader's own messages are unclear, and a truncated file, as a power cut may leave it, kills the process by SIGBUS.
"""

import struct
import sys
from pathlib import Path

# e_machine and the layout of the headers: elf.h.
_MACHINES = {3: "32-bit x86", 40: "32-bit ARM", 62: "x86-64", 183: "64-bit ARM", 243: "RISC-V"}
_PT_LOAD = 1
_HEADER_BYTES = 64


def why_not_loadable(library: Path) -> str | None:
    """Return what is wrong with the file `library`, or None. Raises OSError if it cannot be read."""
    machine = _machine(library)
    if machine is None:
        return "not a shared library (no ELF file)"
    own = _machine(Path(sys.executable))
    if own is not None and machine != own:
        return f"built for {_MACHINES.get(machine, machine)}, this Python is {_MACHINES.get(own, own)}"
    size, promised = library.stat().st_size, _promised_bytes(library)
    return None if size >= promised else f"cut off: {size} bytes, {promised} promised: install it again"


def _machine(path: Path) -> int | None:
    """Return the processor that an ELF file is built for, as e_machine; None if it is not an ELF file."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if len(head) < _HEADER_BYTES or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    machine: int = struct.unpack_from(_order(head) + "H", head, 18)[0]
    return machine


def _promised_bytes(path: Path) -> int:
    """Return the least size of a whole file: the end of its last loaded segment, in bytes."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        wide, order = head[4] == 2, _order(head)
        start: int = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
        entry_bytes, entries = struct.unpack_from(order + "HH", head, 54 if wide else 42)
        if start > path.stat().st_size:
            return start
        file.seek(start)
        table = file.read(entry_bytes * entries)
    needed = 56 if wide else 32
    end: int = start + entry_bytes * entries
    if entry_bytes < needed or len(table) < entry_bytes * entries:
        return end
    for place in range(0, len(table), entry_bytes):
        if wide:
            kind, _, offset, _, _, length = struct.unpack_from(order + "IIQQQQ", table, place)
        else:
            kind, offset, _, _, length = struct.unpack_from(order + "IIIII", table, place)
        if kind == _PT_LOAD:
            end = max(end, offset + length)
    return end


def _order(head: bytes) -> str:
    return "<" if head[5] == 1 else ">"
