"""The document for Home Assistant, held against its rules (../shared/standards, read 2026-11)."""

import json
import re
from typing import Any

import pytest
from fake_store import stored
from hypothesis import given
from hypothesis import strategies as st

from edge.config.keeping import Device
from edge.outputs.harmless import MAX_LABEL
from edge.outputs.mqtt.discovery import MAX_LABELS, EventTypes, discovery_document, without
from edge.outputs.mqtt.payloads import event_payload, health_payload, state_payload
from edge.outputs.mqtt.topics import Topics, device_id, discovery_topic

IDS = re.compile(r"[a-zA-Z0-9_-]+")
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
# What each platform must have besides `platform` and `unique_id`.
REQUIRED = {
    "event": {"event_types", "state_topic"},
    "sensor": {"state_topic"},
    "binary_sensor": {"state_topic"},
    "image": {"image_topic"},
}
ALLOWED_AT_ROOT = {"device", "origin", "components", "availability", "qos"}


def document_of(device: str = "barn", labels: tuple[str, ...] = ("fox", "hare"), *, pictures: bool = True) -> Any:
    document = discovery_document(device, Topics("fieldfare", device), EventTypes(labels), pictures=pictures)
    return json.loads(json.dumps(document))


def check(document: Any) -> None:
    """Assert what Home Assistant demands of a device's document."""
    assert set(document) <= ALLOWED_AT_ROOT
    assert document["device"]["identifiers"]
    assert document["origin"]["name"]
    assert all(entry["topic"] for entry in document["availability"])
    unique = [config["unique_id"] for config in document["components"].values()]
    assert len(set(unique)) == len(unique)
    for key, config in document["components"].items():
        assert IDS.fullmatch(key)
        assert config.keys() >= REQUIRED[config["platform"]]
        assert "object_id" not in config  # gone since 2026.4
        domain, _, name = config["default_entity_id"].partition(".")
        assert domain == config["platform"]
        assert re.fullmatch(r"[a-z0-9_]+", name)


@given(device=NAMES, labels=st.lists(st.text(max_size=100)))
def test_any_device_with_any_labels_makes_a_valid_document(device: str, labels: list[str]) -> None:
    msgspec_checked = Device(name=device)
    document = document_of(str(msgspec_checked.name), tuple(labels))
    check(document)
    assert re.fullmatch(rf"homeassistant/device/{IDS.pattern}/config", discovery_topic("homeassistant", device))
    types = document["components"]["event"]["event_types"]
    assert all(0 < len(kind) <= MAX_LABEL for kind in types)


@given(one=NAMES, other=NAMES)
def test_two_devices_have_two_identifiers(one: str, other: str) -> None:
    assert (device_id(one) == device_id(other)) == (one == other)


def test_names_that_differ_only_in_what_identifiers_cannot_hold_stay_apart() -> None:
    assert device_id("a.b") != device_id("a_b")


def test_its_entities() -> None:
    components = document_of()["components"]
    assert {key: config["platform"] for key, config in components.items()} == {
        "event": "event",
        "label": "sensor",
        "score": "sensor",
        "seen": "sensor",
        "temperature": "sensor",
        "waiting": "sensor",
        "picture": "image",
        "problem": "binary_sensor",
    }
    assert components["event"]["event_types"] == ["fox", "hare", "unknown"]
    assert components["problem"]["device_class"] == "problem"


@pytest.mark.parametrize("key", ["picture", "waiting"])
def test_an_entity_is_removed_by_its_platform_alone(key: str) -> None:
    document = document_of()
    left = without(document, key)["components"]
    assert left[key] == {"platform": document["components"][key]["platform"]}
    assert {name: config for name, config in left.items() if name != key} == {
        name: config for name, config in document["components"].items() if name != key
    }


def test_every_template_reads_a_key_that_is_in_the_message_on_its_topic() -> None:
    topics = Topics("fieldfare", "barn")
    messages = {
        topics.event: event_payload(stored(1), EventTypes(("fox",))),
        topics.state: state_payload(stored(1)),
        topics.health: health_payload("0a", None, 3, None),
    }
    for config in document_of()["components"].values():
        for key in re.findall(r"value_json\.(\w+)", config.get("value_template", "")):
            assert key in json.loads(messages[config["state_topic"]])
        assert config.get("state_topic", topics.state) in messages
        assert config.get("json_attributes_topic", topics.health) == topics.health


def test_an_event_has_a_type_of_the_document_and_states_are_short_enough() -> None:
    types = EventTypes(f"label {number}" for number in range(MAX_LABELS))
    for label in ("label 3", "label 9999", "x" * 10_000, "<b>"):
        event = json.loads(event_payload(stored(1, label), types))
        document = discovery_document("barn", Topics("fieldfare", "barn"), types, pictures=True)
        assert event["event_type"] in document["components"]["event"]["event_types"]
        # Home Assistant takes no state of more than 255 characters.
        assert len(json.loads(state_payload(stored(1, label)))["label"]) <= 255


def test_without_pictures_there_is_no_image() -> None:
    document = document_of(pictures=False)
    check(document)
    assert "picture" not in document["components"]


def test_more_labels_than_it_holds_are_sent_as_another() -> None:
    types = EventTypes(f"label {number}" for number in range(10_000))
    assert len(types.all()) == MAX_LABELS + 1
    assert types.of("label 3") == "label 3"
    assert types.of("label 9999") == "other"
    assert "other" in types.all()


def test_hostile_labels_are_harmless_and_known_by_the_same_name() -> None:
    hostile = ["<script>alert(1)</script>", "{{ states }}", "\x1b[2J\r\n", "x" * 10_000, "", " "]
    types = EventTypes(hostile)
    for label in hostile:
        assert types.of(label) in types.all()
        assert not set(types.of(label)) & set("<>{}\x1b\r\n")
