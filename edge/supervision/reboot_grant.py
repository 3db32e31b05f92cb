"""Allow a reboot within a budget of root's own, whatever the service's record shows.

Run as `python -m edge.supervision.reboot_grant` by systemd/fieldfare-reboot-now.service. The service's user may delete
the service's record of reboots (edge.supervision.reboot), but not this one. It reads nothing that that user can write.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from edge.supervision.reboot import RebootRecord

A_DAY = "FIELDFARE_REBOOTS_A_DAY"
_MOST = 24

_log = logging.getLogger(__name__)


def grant(variables: Mapping[str, str]) -> bool:
    """Record a reboot in systemd's STATE_DIRECTORY; False, with the reason in the log, if there may be none."""
    state, a_day = variables.get("STATE_DIRECTORY"), variables.get(A_DAY, "")
    if not (a_day.isascii() and a_day.isdecimal() and len(a_day) <= 2 and 1 <= int(a_day) <= _MOST):
        _log.error("no reboot: %s=%.20r: must be a whole number from 1 to %d", A_DAY, a_day, _MOST)
        return False
    if not state:
        _log.error("no reboot: STATE_DIRECTORY is not set: this is for fieldfare-reboot-now.service")
        return False
    try:
        allowed = RebootRecord(Path(state), int(a_day)).spend("requested")
    except OSError as error:
        _log.error("no reboot: %s: %s", error.filename, error.strerror or error)
        return False
    if not allowed:
        _log.error("no reboot: %s in 24 hours were allowed already (%s in fieldfare-reboot-now.service)", a_day, A_DAY)
    return allowed


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    sys.exit(0 if grant(os.environ) else 1)
