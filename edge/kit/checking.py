"""Check settings on the desktop as the device would: against the bundle, and against the units that the kit carries."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from edge.bundle.labels import check_unmistakable
from edge.bundle.store import Bundle
from edge.capture.urls import require_stream
from edge.config.faults import shown
from edge.config.loading import check_sendable
from edge.config.secret_files import CREDENTIAL, credential_among
from edge.config.settings import Settings
from edge.doctor.access import READ, WRITE
from edge.doctor.events.places import Place, has_outputs, sent_places, shown_places
from edge.doctor.places import running_places
from edge.doctor.sandbox import OUTPUTS, PAGES, SERVICE, Sandbox, parse_sandbox
from edge.doctor.unit.judging import is_looked_for, judge_by_unit, judge_relative
from edge.errors import ConfigError
from edge.events.labels import check_labels
from edge.printable import masked
from edge.source_kind import source_kind

# Where edge/installing puts the bundle, and the settings that name it.
BUNDLE = "/etc/fieldfare/bundle.fieldfare"
_NOT_BROUGHT = ("/sys/", "/proc/", "/run/", "/dev/")
_ANYWAY = "or --closed-places, if a drop-in on the device opens it"


def check_settings(settings: Settings, bundle: Bundle, units: Mapping[str, bytes], *, closed_allowed: bool) -> None:
    """Raise BundleError or ConfigError if a device with this bundle and these units could not run by the settings.

    closed_allowed: take places that the units do not open, since the device will have a drop-in that does.
    """
    check_sendable(settings)
    check_unmistakable(bundle.labels)
    if settings.bundle != BUNDLE:
        raise ConfigError(
            f"settings: bundle = {shown(settings.bundle)}: must be {shown(BUNDLE)}, where the kit's bundle is installed"
        )
    check_labels(settings, bundle.labels)
    if source_kind(settings.camera.source) == "stream":
        require_stream(settings.camera.source)
    judged = [] if closed_allowed else [_fault(place, box) for place, box in _places(settings, units)]
    judged += [] if closed_allowed else [_not_handed(*one) for one in _credentials(settings, units)]
    closed = [fault for fault in judged if fault is not None]
    if len(closed) == 1:
        raise ConfigError(f"settings: {closed[0]} ({_ANYWAY})")
    if closed:
        raise ConfigError(f"{len(closed)} places in the settings are not open to the service ({_ANYWAY}):", closed)


def system_needs(settings: Settings) -> tuple[str, ...]:
    """Return the Debian packages that the settings need of the system, beside Python."""
    needs = []
    if source_kind(settings.camera.source) == "picamera2":
        needs.append("python3-picamera2")
    if any(
        section is not None and section.pin is not None for section in (settings.gpio, settings.led, settings.power)
    ):
        needs.append("python3-lgpio")
    if settings.engine.device not in ("auto", "cpu"):
        needs.append("libedgetpu1-std")
    return tuple(needs)


def notes(settings: Settings, bundle: Bundle, units: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what the device needs that no kit brings, in a line each."""
    for place, _ in _places(settings, units):
        # What the kernel or a program writes there while the device runs is no file that anybody brings.
        if place.wanted == READ and not place.path.as_posix().startswith(_NOT_BROUGHT):
            where = place.given if is_looked_for(place) else place.path.as_posix()
            yield f"not in the kit: {place.what} {where}: put it there on the device"
    for key, name, box in _credentials(settings, units):
        if stored := box.credentials.get(name):
            yield f"not in the kit: {key}: write the password into /etc/credstore/{stored} on the device"
    source = settings.camera.source
    if source_kind(source) == "stream" and not _box(units, SERVICE).network:
        yield f"source {masked(source)}: the service has no network until network-camera.conf is added: docs/cameras.md"
    if has_outputs(settings):
        yield "outputs: they run in a unit of their own, which may need a drop-in: docs/outputs.md"
    if settings.engine.device == "auto" and bundle.edgetpu_model is not None:
        yield "the bundle has a model for a Coral: the device uses one if libedgetpu1-std is installed, else its CPU"


def _box(units: Mapping[str, bytes], service: str) -> Sandbox:
    name = f"{service}.service"
    return parse_sandbox(units[name].decode(), name)


def _places(settings: Settings, units: Mapping[str, bytes]) -> Iterator[tuple[Place, Sandbox]]:
    """Yield the files and folders that the settings name, each once, with the unit that needs it."""
    box, sender = _box(units, SERVICE), _box(units, OUTPUTS)
    seen = set()
    for place in running_places(settings, box.folder, box):
        seen.add(place.path)
        yield place, box
    for place in sent_places(settings, sender.folder, sender):
        if place.path not in seen:
            yield place, sender
    viewer = _box(units, PAGES)
    yield from ((place, viewer) for place in shown_places(settings, viewer.folder))


def _credentials(settings: Settings, units: Mapping[str, bytes]) -> Iterator[tuple[str, str, Sandbox]]:
    """Yield the passwords that the settings take from systemd: the key, the credential, and the unit that needs it."""
    mqtt = None if settings.mqtt is None else settings.mqtt.password_file
    for key, given, service in (
        ("camera.password_file", settings.camera.password_file, SERVICE),
        ("mqtt.password_file", mqtt, OUTPUTS),
    ):
        box = _box(units, service)
        name = credential_among(given or "", box.credentials)
        if name is not None:
            yield key, name, box


def _not_handed(key: str, name: str, box: Sandbox) -> str | None:
    """Return what is wrong with a credential that the unit does not hand over."""
    if name in box.credentials:
        return None
    known = ", ".join(f"{CREDENTIAL}{one}" for one in sorted(box.credentials)) or "none"
    return f"{key} = {shown(CREDENTIAL + name)}: {box.unit} hands over {known}"


def _fault(place: Place, box: Sandbox) -> str | None:
    """Return why the service could not use a place, and what to do."""
    path = PurePosixPath(place.path.as_posix())
    closed = judge_relative(place) or judge_by_unit(place, path, box, f"{place.what} {path}")
    if closed is not None:
        return ": ".join(closed)
    rule = box.rule(path.as_posix())
    if place.wanted == WRITE and rule is not None and rule.why == "ConfigurationDirectory":
        return f"{place.what} {path}: {rule.folder} is root's, and the service may only read there: {place.better}"
    return None
