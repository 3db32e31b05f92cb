"""Check the Coral Edge TPU: is it connected, may this user open it, does it give the right answers?"""

from pathlib import Path

from edge.config.running import Engine
from edge.doctor.case import Case
from edge.doctor.findings import Finding, Kind
from edge.doctor.probe import RUNTIME
from edge.doctor.software import REBUILT
from edge.edgetpu.package import TEACHABLE, amount
from edge.inference.edgetpu_devices import FULL_SPEED_MBIT, EdgeTpuDevice, library_clock
from edge.processes.usb import edge_tpus, usb_node

_RULES = "install systemd/60-fieldfare-coral.rules, plug it in again, and be in the group plugdev"
_COMPILE = "`fieldfare compile`, or `fieldfare bundle add-edgetpu` (docs/edge-tpu.md)"


def device(case: Case) -> list[Finding]:
    """Find it, and check its speed and permissions."""
    found = edge_tpus(case.sysfs, case.dev)
    if not found:
        wanted = _wants_edgetpu(case)
        mend = "plug it into a USB 3 socket; for a PCIe one install its kernel driver" if wanted else None
        return [Finding("coral", "Coral", "problem" if wanted else "not here", "none on USB, no /dev/apex_*", mend)]
    return [_usb(case, coral) if coral.kind == "usb" else _pcie(case, Path(coral.place)) for coral in found]


def _usb(case: Case, coral: EdgeTpuDevice) -> Finding:
    speed = "speed not known" if coral.speed_mbit is None else f"{coral.speed_mbit} Mbit/s"
    state = "firmware loaded" if coral.loaded else "as plugged in"
    seen = f"{coral.place}, {coral.usb_id} ({state}), {speed}"
    node = usb_node(coral.place, case.sysfs, case.dev / "bus/usb")
    if node.exists() and not case.may_use(node):
        return Finding("coral", "Coral", "problem", f"{seen}; {node} is not open to {case.who}", _RULES)
    if coral.speed_mbit is not None and coral.speed_mbit < FULL_SPEED_MBIT:
        mend = "use a USB 3 socket (blue) and the short cable that came with it: it streams faster there"
        return Finding("coral", "Coral", "warning", f"{seen}: USB 2", mend)
    return Finding("coral", "Coral", "ok", seen)


def _pcie(case: Case, node: Path) -> Finding:
    if case.may_use(node):
        return Finding("coral", "Coral", "ok", f"PCIe, {node}")
    return Finding("coral", "Coral", "problem", f"PCIe, {node} is not open to {case.who}", _RULES)


def compiled(case: Case) -> list[Finding]:
    """Read the bundle's compiled model in a child: is it whole, and the twin of the model for the CPU?"""
    if case.bundle is None:
        return [Finding("compiled", "compiled model", "not here", "no bundle was named")]
    outcome = case.probe("compiled", [case.bundle], case.child_s)
    if outcome.ending == "answered" and outcome.answer is None:
        return [Finding("compiled", "compiled model", "not here", "the bundle has none")]
    if outcome.ending != "answered":
        unused = case.settings is not None and case.settings.engine.device == "cpu"
        seen = outcome.why if outcome.ending == "refused" else f"{case.bundle} {outcome.ending}: {outcome.why}"
        return [Finding("compiled", "compiled model", "warning" if unused else "problem", seen, _COMPILE)]
    found = outcome.answer
    memory = f"{amount(found['on_chip'])} of parameters on the chip, {amount(found['streamed'])} streamed"
    last = f"; the last layer {TEACHABLE}" if found["teachable"] else ""
    seen = f"the CPU model's twin, for the Edge TPU runtime {found['min_runtime']} or newer; {memory}{last}"
    return [Finding("compiled", "compiled model", "ok", seen)]


def engine(case: Case) -> list[Finding]:
    """Load its library, then run the compiled model on its golden inputs."""
    skipped = _why_not(case)
    if skipped is not None:
        return [Finding("edgetpu", "Edge TPU", "not here", skipped)]
    settings = case.settings.engine if case.settings else Engine()
    kind = "" if settings.device in ("auto", "edgetpu", "any") else settings.device
    made = case.probe("delegate", [settings.edgetpu_library, kind, settings.runtime], case.delegate_s)
    severity: Kind = "problem" if _wants_edgetpu(case) else "warning"
    if made.ending != "answered":
        mend = {
            "crashed": f'{REBUILT}; until then device = "cpu"',
            "hung": "unplug it and plug it in again; use a powered hub",
            "refused": "check libedgetpu, the cable and the udev rules (docs/raspberry-pi.md, Coral)",
        }[made.ending]
        seen = f"{settings.edgetpu_library} {made.ending}: {made.why}" if made.ending != "refused" else made.why
        return [Finding("edgetpu", "Edge TPU", severity, seen, mend)]
    if case.bundle is None:
        return [Finding("edgetpu", "Edge TPU", "ok", f"{settings.edgetpu_library} loads")]
    return [_golden(case, settings, severity)]


def _golden(case: Case, settings: Engine, severity: Kind) -> Finding:
    wanted = {"device": settings.device if settings.device not in ("auto", "cpu") else "edgetpu"}
    values = {"runtime": settings.runtime, "threads": settings.threads, "edgetpu_library": settings.edgetpu_library}
    outcome = case.probe("golden", [case.bundle, {**values, **wanted}], case.edgetpu_s)
    if outcome.ending != "answered":
        if "no model compiled" in outcome.why:
            return Finding("edgetpu", "Edge TPU", severity, outcome.why, _COMPILE)
        if RUNTIME in outcome.why:
            mend = "install a newer libedgetpu, or compile again with the option --min_runtime_version"
            return Finding("edgetpu", "Edge TPU", severity, outcome.why, mend)
        seen = outcome.why if outcome.ending == "refused" else f"golden inputs {outcome.ending}: {outcome.why}"
        return Finding("edgetpu", "Edge TPU", severity, seen, REBUILT)
    clock = library_clock()
    clocked = f", libedgetpu at {clock} clock" if clock else ""
    return Finding("edgetpu", "Edge TPU", "ok", f"golden inputs right ({outcome.answer['engine']}{clocked})")


def _why_not(case: Case) -> str | None:
    if case.settings is not None and case.settings.engine.device == "cpu":
        return 'the settings have device = "cpu"'
    has_coral = any(f.kind in ("ok", "warning") for f in device(case))
    if not has_coral and not _wants_edgetpu(case):
        return "no Coral to try it with"
    return case.edgetpu_in_use()


def _wants_edgetpu(case: Case) -> bool:
    return case.settings is not None and case.settings.engine.device not in ("auto", "cpu")
