"""Run all checks side by side. One that fails does not stop the others."""

import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from edge.doctor import cameras, coral, credentials, machine, places, setup, software
from edge.doctor.case import Case
from edge.doctor.children import interrupt
from edge.doctor.events import needs
from edge.doctor.findings import Finding, Report, report

Check = Callable[[Case], list[Finding]]

# From camera to result. That is the order of the report; the checks run all at once.
CHECKS: tuple[tuple[str, Check], ...] = (
    ("system", machine.system),
    ("python", machine.python),
    ("board", machine.board),
    ("memory", machine.memory),
    ("temperature", machine.temperature),
    ("power", machine.power),
    ("clock", machine.clock),
    ("libraries", software.libraries),
    ("pairs", software.pairs),
    ("settings", setup.settings),
    ("places", places.places),
    ("credentials", credentials.credentials),
    ("v4l2", cameras.v4l2),
    ("permissions", cameras.permissions),
    ("picamera2", cameras.pi_cameras),
    ("frame", cameras.frame),
    ("bundle", setup.bundle),
    ("cpu", setup.cpu),
    ("compiled", coral.compiled),
    ("coral", coral.device),
    ("edgetpu", coral.engine),
    ("results", setup.results),
    ("space", needs.space),
    ("schedule", needs.schedule),
    ("outputs", needs.packages),
    ("instances", needs.neighbours),
    ("service", setup.service),
)
# What opens no camera, no model and no library of the worker, and looks the same from inside any unit.
_CONFINED = frozenset(
    ("system", "python", "board", "memory", "temperature", "power", "clock", "pairs", "settings", "space", "schedule")
) | {"instances", "service"}


def confined_checks() -> tuple[tuple[str, Check], ...]:
    """Return the checks for a unit that sees no devices and may take little memory; the last one names the others."""
    left_out = [name for name, _ in CHECKS if name not in _CONFINED]
    seen = f"not looked at from here: {', '.join(left_out)}"
    rest = Finding("confined", "the rest", "not here", seen, "sudo fieldfare doctor, on the device itself")
    return (*((name, check) for name, check in CHECKS if name in _CONFINED), ("confined", lambda _case: [rest]))


def examine(
    case: Case,
    *,
    checks: Sequence[tuple[str, Check]] = CHECKS,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run every check; `progress` is called with the name of each when it is done, from any thread."""

    def run(name: str, check: Check) -> list[Finding]:
        try:
            return check(case)
        except Exception as error:  # noqa: BLE001 - a fault in one check must not stop the others
            place = traceback.extract_tb(error.__traceback__)[-1]
            line = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            seen = f"the check itself failed: {type(error).__name__}: {error} ({line})"
            return [Finding(name, name, "problem", seen, "a fault of Fieldfare: please report it")]
        finally:
            progress(name)

    with ThreadPoolExecutor(max_workers=len(checks) or 1, thread_name_prefix="doctor") as pool:
        futures = [pool.submit(run, name, check) for name, check in checks]
        try:
            return report(finding for future in futures for finding in future.result())
        except KeyboardInterrupt:
            interrupt()
            raise
