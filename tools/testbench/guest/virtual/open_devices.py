"""Try to open every device node, and print which were let in: JSON, node to "open" or to the error's name.

Run by a copy of the service's unit, so under its rules for devices.
"""

import errno
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path


def _nodes() -> Iterator[Path]:
    for folder, _, names in os.walk("/dev"):
        for name in names:
            path = Path(folder) / name
            mode = path.lstat().st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                yield path


def _opened(path: Path) -> str:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "open"


def main() -> None:
    """Try all; write the answers to the file that is named."""
    found = {str(path): _opened(path) for path in sorted(_nodes())}
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
