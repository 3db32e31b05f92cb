"""Write the payloads of messages, and read the one that other devices may send. Pure."""

from typing import Any

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.events.records import Event
from edge.outputs.event_record import duration_s, iso_time
from edge.outputs.harmless import harmless
from edge.outputs.mqtt.discovery import EventTypes
from edge.outputs.service_status import ServiceStatus
from edge.printable import printable_json
from edge.store.records import StoredEvent

_MAX_TEXT = 200
_MAX_HEALTH = 4096
_encode = msgspec.json.Encoder().encode


def to_json(value: Any) -> bytes:
    """Return JSON with all that is not printable escaped."""
    return printable_json(_encode(value))


def event_payload(stored: StoredEvent, types: EventTypes) -> bytes:
    """Return an event; `event_type` is what Home Assistant needs."""
    event = stored.event
    return to_json({"event_type": types.of(stored.label), **_core(stored), **_origin(event)})


def _core(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    return {
        "label": harmless(stored.label),
        "score": round(event.peak, 4),
        "begin": iso_time(stored.begin_wall_s),
        "end": iso_time(stored.end_wall_s),
        "clock": stored.clock,
        "duration_s": duration_s(stored),
        "event_id": event.name,
        "number": stored.number,
    }


def _origin(event: Event) -> dict[str, Any]:
    values: dict[str, Any] = {
        "mean": round(event.mean, 4),
        "frames": event.frames,
        "device": event.device,
        "camera": harmless(event.camera, _MAX_TEXT),
        "engine": harmless(event.engine, _MAX_TEXT),
        "bundle": harmless(event.bundle, _MAX_TEXT),
    }
    if event.runner_up is not None:
        values["runner_up"] = {"label": harmless(event.runner_up.label), "score": round(event.runner_up.score, 4)}
    optional = {
        "box": event.box,
        "fallback": None if event.fallback is None else harmless(event.fallback, _MAX_TEXT),
        "temperature_c": event.temperature_c,
        "latitude": event.latitude,
        "longitude": event.longitude,
    }
    return values | {name: value for name, value in optional.items() if value is not None}


def state_payload(stored: StoredEvent) -> bytes:
    """Return the last event, for sensors."""
    return to_json(_core(stored))


class Health(msgspec.Struct, frozen=True):
    """What another device under the same name publishes, as far as it is read. owner: its random name."""

    owner: str


def health_payload(owner: str, problem: str | None, waiting: int, status: ServiceStatus | None) -> bytes:
    """Return whether all is well. owner: the random name of this device at the broker."""
    return to_json(
        {
            "ok": problem is None,
            "problem": None if problem is None else harmless(problem, _MAX_TEXT),
            "state": None if status is None else harmless(status.state),
            "fps": None if status is None else round(status.fps, 1),
            "temperature_c": None if status is None else status.load.temperature_c,
            "waiting": waiting,
            "owner": owner,
        }
    )


def owner_of(payload: bytes) -> str | None:
    """Return who published this health, None if that cannot be read from it."""
    if len(payload) > _MAX_HEALTH:
        return None
    try:
        return decode_json(payload, Health).owner
    except DecodingError:
        return None
