"""Let the kernel's cameras show red, green and blue in turn, as long as this runs.

    python3 scenery.py SECONDS NODE...

NODE: of vivid, or of a sensor of vimc. A camera that is not there now is tried again with the next colour.
"""

import fcntl
import os
import struct
import sys
import time

_VIDIOC_S_CTRL = 0xC008561C
# The control that chooses a test pattern. vivid and vimc each have one of their own, with the same number.
_TEST_PATTERN = 0x00F0F000
_RED, _GREEN, _BLUE = 7, 8, 9  # in the list of the kernel's test pattern generator


def _show(node: str, pattern: int) -> None:
    try:
        device = os.open(node, os.O_RDWR)
    except OSError:
        return
    try:
        fcntl.ioctl(device, _VIDIOC_S_CTRL, struct.pack("=Ii", _TEST_PATTERN, pattern))
    except OSError as error:
        print(f"{node}: {error}", file=sys.stderr, flush=True)
    finally:
        os.close(device)


def main() -> None:
    """Change the colour for ever."""
    interval_s, nodes = float(sys.argv[1]), sys.argv[2:]
    while True:
        for pattern in (_RED, _GREEN, _BLUE):
            for node in nodes:
                _show(node, pattern)
            time.sleep(interval_s)


if __name__ == "__main__":
    main()
