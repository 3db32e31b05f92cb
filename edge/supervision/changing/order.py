"""Order a running service to read its settings again, wait for what comes of it, and print that.

Run as `python -m edge.supervision.changing.order PID` by `systemctl reload` (ExecReload=), so that it fails if the
settings are refused. Exit status: 0 applied, 78 refused, 69 no answer.
"""

import os
import signal
import sys
import time
from pathlib import Path

from edge.errors import ConfigError, FieldfareError, UnavailableError
from edge.printable import one_line
from edge.supervision.status import Reloaded, read
from edge.supervision.systemd import STATUS

# The trial may take 60 s, and a worker or recorder some seconds to end.
_PATIENCE_S = 90.0
_LOOK_S = 0.1


def order(pid: int, file: Path, patience_s: float = _PATIENCE_S) -> Reloaded:
    """Send SIGHUP to the service and return what came of it. file: its status. Raises UnavailableError."""
    before = _last(file)
    os.kill(pid, signal.SIGHUP)
    ends_s = time.monotonic() + patience_s
    while (outcome := _last(file)) is None or outcome == before:
        if time.monotonic() > ends_s:
            raise UnavailableError(f"the service has not read its settings within {patience_s:g} s")
        time.sleep(_LOOK_S)
    return outcome


def _last(file: Path) -> Reloaded | None:
    try:
        return read(file).reloaded
    except FieldfareError:  # not there, or of a service before an update
        return None


def main() -> int:
    """Entry point."""
    run = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if not run or not sys.argv[1:2] or not sys.argv[1].isdecimal():
        _print("this is for `systemctl reload fieldfare`")
        return UnavailableError.exit_status
    try:
        outcome = order(int(sys.argv[1]), Path(run) / STATUS)
    except (OSError, UnavailableError) as error:
        _print(str(error))
        return UnavailableError.exit_status
    _print(f"{'settings read again' if outcome.applied else 'settings refused'}: {outcome.words}")
    for fault in outcome.faults:
        _print(f"  {fault}")
    return 0 if outcome.applied else ConfigError.exit_status


def _print(text: str) -> None:
    sys.stderr.write(f"{one_line(text)}\n")


if __name__ == "__main__":
    sys.exit(main())
