"""Check what the user set up: settings, bundle, its answers on the CPU, the folder for results, the service."""

import os
import pwd
import re
import shutil
import stat
from pathlib import Path

from edge.doctor.case import Case
from edge.doctor.findings import Finding
from edge.doctor.sandbox import SERVICE
from edge.events.labels import labels_named

_CRAMPED = 200 * 10**6
_PROPERTIES = "LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,UnitFileState,StatusText"
# Statuses after which systemd does not start the service again (docs/settings.md).
_FINAL = {
    "2": "wrong usage",
    "65": "a damaged bundle or model",
    "72": "a library is not installed",
    "78": "wrong settings",
}


def settings(case: Case) -> list[Finding]:
    """Check the settings."""
    if case.settings_error is not None:
        mend = "every key is in docs/settings.md"
        return [Finding("settings", "settings", "problem", case.settings_error, mend)]
    if case.settings_from is None:
        return [Finding("settings", "settings", "not here", "no file was named: give --config FILE")]
    return [Finding("settings", "settings", "ok", case.settings_from)]


def bundle(case: Case) -> list[Finding]:
    """Open the bundle in a child, check every hash, and look for the labels that the settings name."""
    if case.bundle is None:
        return [Finding("bundle", "bundle", "not here", "none was named: give --config or --bundle")]
    named = {} if case.settings is None else labels_named(case.settings)
    outcome = case.probe("bundle", [case.bundle, named, case.settings and case.settings.locate], case.child_s)
    if outcome.ending != "answered":
        seen = outcome.why if outcome.ending == "refused" else f"{case.bundle} {outcome.ending}: {outcome.why}"
        return [Finding("bundle", "bundle", "problem", seen, "copy it again, then `fieldfare bundle verify`")]
    made = outcome.answer
    seen = f"{made['name']}, id {made['id']}, {made['classes']} classes"
    found = Finding("bundle", "bundle", "ok", f"{seen}, {'also' if made['edgetpu'] else 'not'} for the Edge TPU")
    findings = [found]
    if made["labels_error"] is not None:
        mend = "name labels as `fieldfare bundle show --json` lists them"
        findings.append(Finding("labels", "labels", "problem", made["labels_error"], mend))
    if made["cut_doubt"] is not None:
        findings.append(Finding("cut", "locating", "warning", made["cut_doubt"], "docs/locating.md"))
    return findings


def cpu(case: Case) -> list[Finding]:
    """Run the golden inputs through this machine's own runtime, in a child, and compare the answers."""
    if case.bundle is None:
        return [Finding("cpu", "CPU engine", "not here", "no bundle was named")]
    engine = case.settings.engine if case.settings else None
    values = {"device": "cpu", "runtime": engine.runtime, "threads": engine.threads} if engine else {"device": "cpu"}
    outcome = case.probe("golden", [case.bundle, values], case.child_s)
    if outcome.ending == "answered":
        return [Finding("cpu", "CPU engine", "ok", f"golden inputs right ({outcome.answer['engine']})")]
    mend = "see the findings on libraries and bundle above, then `fieldfare bundle verify`"
    seen = outcome.why if outcome.ending == "refused" else f"{outcome.ending}: {outcome.why}"
    return [Finding("cpu", "CPU engine", "problem", seen, mend)]


def results(case: Case) -> list[Finding]:
    """Check space and permission to write the results."""
    if case.settings is None or case.settings.output.jsonl is None:
        return [Finding("results", "results", "not here", "the settings name no [output] jsonl")]
    output = case.settings.output
    file = Path(output.jsonl or "").absolute()
    # `run` makes a folder that is missing, so the nearest one above it decides.
    folder = next(place for place in file.parents if os.path.lexists(place))
    wrong = _judge_file(file) or _judge_parent(folder, file.parent)
    if wrong is not None:
        return [wrong]
    return [judge_folder(folder, shutil.disk_usage(folder).free, output.max_mb * (output.keep + 1) * 10**6)]


def _judge_file(file: Path) -> Finding | None:
    """Return what is wrong with an existing results file; None if nothing is, or there is none."""
    try:
        mode = file.stat().st_mode
    except OSError:  # missing, or out of reach: then the check of the folder reports it
        return None
    if not stat.S_ISREG(mode):
        seen = f"{file} is {'a folder' if stat.S_ISDIR(mode) else 'not a plain file'}"
        return Finding("results", "results", "problem", seen, "name a file in [output] jsonl")
    if _writer(file, os.W_OK, 0o200) is None:
        mend = f"sudo chown {SERVICE}: {file}, or name another [output] jsonl"
        return Finding("results", "results", "problem", f"{file} is not writable", mend)
    return None


def _judge_parent(folder: Path, wanted: Path) -> Finding | None:
    """Return what keeps `wanted` from being made in `folder`, the nearest place above it; None if nothing does."""
    if not folder.is_dir():
        mend = "name another [output] jsonl"
        return Finding("results", "results", "problem", f"{folder} is not a folder", mend)
    if folder != wanted and _writer(folder) is None:
        seen = f"{wanted} is missing, and {folder} not writable"
        mend = f"sudo install -d -o {SERVICE} -g {SERVICE} {wanted}"
        return Finding("results", "results", "problem", seen, mend)
    return None


def judge_folder(folder: Path, free: int, wanted: int) -> Finding:
    """Judge the folder for the results.

    free: bytes free there
    wanted: bytes that the results can take in the end
    """
    seen = f"{folder}, {free / 10**9:.1f} GB free, results take up to {wanted / 10**9:.2f} GB"
    writer = _writer(folder)
    if writer is None:
        mend = f"sudo chown {SERVICE}: {folder}, or name another [output] jsonl"
        return Finding("results", "results", "problem", f"{folder} is not writable", mend)
    if free < _CRAMPED:
        return Finding("results", "results", "problem", seen, "make room, or results are lost")
    if free < wanted:
        return Finding("results", "results", "warning", seen, "make room, or lower [output] max_mb or keep")
    return Finding("results", "results", "ok", seen + writer)


def _writer(place: Path, wanted: int = os.W_OK | os.X_OK, owners: int = 0o300) -> str | None:
    """Return who may write: "" for this user, words for the service's user if that owns it, None for neither.

    wanted: the permissions, as os.access takes them; by default those for a folder
    owners: the same as bits of a mode
    """
    if os.access(place, wanted):
        return ""
    try:
        account = pwd.getpwnam(SERVICE)
    except KeyError:
        return None
    there = place.stat()
    owns = there.st_uid == account.pw_uid and there.st_mode & owners == owners
    return f" (writable for {SERVICE})" if owns else None


def service(case: Case) -> list[Finding]:
    """Check the state of the service and of each running instance in systemd."""
    instances = [unit.name for unit in case.units() if unit.name != SERVICE]
    shown = case.call(["systemctl", "show", f"--property={_PROPERTIES}", SERVICE, *instances])
    if shown is None:
        return [Finding("service", "service", "not here", "systemd does not run here")]
    own, *others = [dict(re.findall(r"^(\w+)=(.*)$", block, re.MULTILINE)) for block in shown.split("\n\n")]
    findings = [judge_service(found, name) for name, found in zip(instances, others, strict=False)]
    # With instances, the service itself need not run.
    return findings if findings and own.get("ActiveState") == "inactive" else [judge_service(own), *findings]


def judge_service(found: dict[str, str], name: str = SERVICE) -> Finding:
    """Judge a service by what `systemctl show NAME` printed."""
    if found.get("LoadState") != "loaded":
        why = f"{found.get('LoadState', 'not known')} (docs/raspberry-pi.md installs it)"
        return Finding("service", "service", "not here", why)
    state, restarts = found.get("ActiveState", "?"), found.get("NRestarts", "0")
    seen = f"{state} ({found.get('SubState', '?')}), {restarts} restarts"
    seen = seen if name == SERVICE else f"{name}: {seen}"
    # The service's own words, such as "asleep: by the schedule, until 06:00".
    words = found.get("StatusText", "")
    seen = f"{seen}; {words}" if words else seen
    status = found.get("ExecMainStatus", "0")
    if state == "failed":
        why = _FINAL.get(status, found.get("Result", "?"))
        mend = f"journalctl -u {name} -n 20, mend it, then sudo systemctl restart {name}"
        return Finding("service", "service", "problem", f"{seen}, status {status}: {why}", mend)
    if state == "activating" and found.get("SubState") == "auto-restart":
        return Finding("service", "service", "problem", f"{seen}, status {status}", f"journalctl -u {name} -n 20")
    if state == "inactive":
        return Finding("service", "service", "warning", seen, f"sudo systemctl enable --now {name}")
    if found.get("UnitFileState") == "disabled":
        mend = f"sudo systemctl enable {name}"
        return Finding("service", "service", "warning", f"{seen}; not started at boot", mend)
    if restarts.isdecimal() and int(restarts) > 0:
        return Finding("service", "service", "warning", seen, f"for the reason: journalctl -u {name}")
    if words.startswith(("degraded: ", "recovering: ")):
        return Finding("service", "service", "warning", seen, "for more: fieldfare status")
    return Finding("service", "service", "ok", seen)
