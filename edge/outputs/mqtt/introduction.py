"""Introduce a device to the broker and to Home Assistant: what goes first on each connection, retained."""

from edge.outputs.mqtt.device import Device
from edge.outputs.mqtt.discovery import discovery_document, without
from edge.outputs.mqtt.payloads import to_json


class Introduction:
    """The messages of one connection."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._lacks_document = False

    def messages(self, now_s: float) -> list[tuple[str, bytes]]:
        """Return topics and payloads: removals first, then who this device is, and that it is there."""
        device = self._device
        topic = device.document_topic
        device.memory.announce(topic, device.topics)
        found = [(gone, b"") for gone in device.memory.known.gone]
        if topic is not None:
            documents = self._documents()
            self._lacks_document = not device.document_doubt.allows(max(map(len, documents)), now_s)
            found += [] if self._lacks_document else [(topic, document) for document in documents]
        if not device.settings.pictures:
            found.append((device.topics.picture, b""))
        found.append((device.topics.status, b"online"))
        return found

    def is_due(self, now_s: float) -> bool:
        """Return whether a discovery document that was held back may be tried again."""
        return self._lacks_document and all(
            self._device.document_doubt.allows(len(document), now_s) for document in self._documents()
        )

    def _documents(self) -> list[bytes]:
        device, pictures = self._device, self._device.settings.pictures
        document = discovery_document(device.name, device.topics, device.types, pictures=pictures)
        # It may have been there before. Home Assistant removes an entity that comes without its settings.
        first = [] if pictures else [to_json(without(document, "picture"))]
        return [*first, to_json(document)]
