"""The process that makes pictures small: `python -m edge.sorting.apart.thumbnail_child`.

Each request on standard input is a side in pixels and the length of a path, two 32-bit numbers, then the path. Each
answer on standard output is a length, a 32-bit number, then a JPEG of that length; 0 for a picture that cannot be read.
Ends with its standard input.
"""

import os
import struct
import sys
from pathlib import Path

from edge.errors import FieldfareError
from edge.processes.child import leave_no_core
from edge.sorting.apart.small import as_jpeg, read_small

REQUEST, ANSWER = struct.Struct("!II"), struct.Struct("!I")
_LONGEST_PATH = 1 << 16


def main() -> None:
    """Answer requests until there are no more."""
    leave_no_core()
    asked, answered = sys.stdin.buffer, sys.stdout.buffer
    while len(head := asked.read(REQUEST.size)) == REQUEST.size:
        side, length = REQUEST.unpack(head)
        path = Path(os.fsdecode(asked.read(min(length, _LONGEST_PATH))))
        try:
            jpeg = as_jpeg(read_small(path, side))
        except (FieldfareError, OSError):
            jpeg = b""
        answered.write(ANSWER.pack(len(jpeg)) + jpeg)
        answered.flush()


if __name__ == "__main__":
    main()
