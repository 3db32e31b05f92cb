"""Describe the device to Home Assistant: one document for all of its entities. Pure.

Rules: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, read 2026-11.
"""

from collections.abc import Iterable
from typing import Any

from edge import __version__
from edge.outputs.harmless import harmless
from edge.outputs.mqtt.topics import Topics, device_id

# With 64 characters each some 40 kB. Further labels are sent as the last one.
MAX_LABELS = 500
OTHER = "other"
# As edge.decision names it, which needs NumPy.
UNKNOWN = "unknown"


class EventTypes:
    """The labels that Home Assistant knows of: an event of any other type would be refused."""

    def __init__(self, labels: Iterable[str]) -> None:
        self._types: dict[str, None] = {UNKNOWN: None}
        for label in labels:
            self.add(label)

    def add(self, label: str) -> bool:
        """Return whether the label makes a new type; False too if there are too many."""
        kind = harmless(label)
        if kind in self._types or len(self._types) >= MAX_LABELS:
            return False
        self._types[kind] = None
        return True

    def of(self, label: str) -> str:
        """Return the type of an event with this label."""
        kind = harmless(label)
        return kind if kind in self._types else OTHER

    def all(self) -> list[str]:
        """Return all types, sorted."""
        return sorted({*self._types, OTHER} if len(self._types) >= MAX_LABELS else self._types)


def discovery_document(device: str, topics: Topics, types: EventTypes, *, pictures: bool) -> dict[str, Any]:
    """Return the document; it is published retained to discovery_topic."""
    ident = device_id(device)
    components = {key: _entity(ident, key, config) for key, config in _entities(topics, types).items()}
    if not pictures:
        del components["picture"]
    return {
        "device": {
            "identifiers": [ident],
            "name": device,
            "manufacturer": "Fieldfare",
            "model": "Camera classifier",
            "sw_version": __version__,
        },
        "origin": {"name": "fieldfare", "sw_version": __version__},
        "availability": [{"topic": topics.status}],
        "qos": 1,
        "components": components,
    }


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the document that removes an entity: it must be published before the one that lacks it."""
    components = document["components"]
    return {**document, "components": {**components, name: {"platform": _PLATFORMS[name]}}}


_PLATFORMS = {
    "event": "event",
    "label": "sensor",
    "score": "sensor",
    "seen": "sensor",
    "temperature": "sensor",
    "waiting": "sensor",
    "picture": "image",
    "problem": "binary_sensor",
}


def _entity(ident: str, key: str, config: dict[str, Any]) -> dict[str, Any]:
    platform = _PLATFORMS[key]
    slug = f"{ident}_{key}".lower().replace("-", "_")
    return {
        "platform": platform,
        "unique_id": f"{ident}_{key}",
        "default_entity_id": f"{platform}.{slug}",
        **config,
    }


def _entities(topics: Topics, types: EventTypes) -> dict[str, dict[str, Any]]:
    return {
        "event": {"name": "Detection", "event_types": types.all(), "state_topic": topics.event},
        "label": {
            "name": "Last label",
            "state_topic": topics.state,
            "value_template": "{{ value_json.label }}",
        },
        "score": {
            "name": "Last score",
            "state_topic": topics.state,
            "value_template": "{{ (value_json.score * 100) | round(0) }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
        },
        "seen": {
            "name": "Last seen",
            "state_topic": topics.state,
            "value_template": "{{ value_json.end }}",
            "device_class": "timestamp",
        },
        "temperature": {
            "name": "Board temperature",
            "state_topic": topics.health,
            "value_template": "{{ value_json.temperature_c }}",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "state_class": "measurement",
            "entity_category": "diagnostic",
        },
        "waiting": {
            "name": "Events waiting",
            "state_topic": topics.health,
            "value_template": "{{ value_json.waiting }}",
            "state_class": "measurement",
            "entity_category": "diagnostic",
        },
        "picture": {"name": "Last picture", "image_topic": topics.picture, "content_type": "image/jpeg"},
        "problem": {
            "name": "Problem",
            "state_topic": topics.health,
            "value_template": "{{ 'OFF' if value_json.ok else 'ON' }}",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "json_attributes_topic": topics.health,
        },
    }
