"""Keep what outlasts a connection to the broker."""

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.config.sending import Mqtt
from edge.outputs.base import Notices
from edge.outputs.feed import Feed, Item
from edge.outputs.mqtt.discovery import EventTypes
from edge.outputs.mqtt.doubts import Doubt
from edge.outputs.mqtt.memory import Memory
from edge.outputs.mqtt.topics import Topics, discovery_topic


@dataclass(slots=True)
class Device:
    """This device, as the broker knows it.

    health: returns its payload.
    types: Home Assistant's event types.
    newest: the last event that was sent.
    shown: the key of the event whose picture was sent last, or tried.
    other_s: when another device was last seen under the same name.
    """

    settings: Mqtt
    name: str
    topics: Topics
    memory: Memory
    feed: Feed
    health: Callable[[], bytes]
    types: EventTypes
    newest: Item | None = None
    shown: tuple[str, int] | None = None
    other_s: float = float("-inf")
    notices: Notices = field(default_factory=lambda: Notices("mqtt"))
    picture_doubt: Doubt = field(default_factory=Doubt)
    document_doubt: Doubt = field(default_factory=Doubt)

    @property
    def document_topic(self) -> str | None:
        """The topic of the discovery document, None if there must be none."""
        prefix = self.settings.discovery
        return discovery_topic(prefix, self.name) if prefix else None

    def doubt_of(self, topic: str) -> Doubt | None:
        """Return what is known of large messages to this topic; None: none are large, or they cannot be left out."""
        if topic == self.topics.picture:
            return self.picture_doubt
        return self.document_doubt if topic == self.document_topic else None

    def blame(self, topic: str, size: int, now_s: float, *, certain: bool) -> bool:
        """Note that a connection ended with this message on its way; certain: because of its size. Return whether that
        may be so."""
        doubt = self.doubt_of(topic)
        if doubt is None:
            return False
        if doubt.blame(size, now_s, certain=certain):
            self._report(topic, doubt, size, certain=certain)
        return True

    def _report(self, topic: str, doubt: Doubt, size: int, *, certain: bool) -> None:
        why = "is larger than the broker takes" if certain else "was on its way when the connection broke again"
        fix = "raise the broker's limit (max_packet_size)"
        if topic == self.topics.picture:
            what = f"pictures of more than {doubt.most} bytes are held back, since one of {size} bytes"
            fix += ", or set pictures = false"
        else:
            what = f"the discovery document of {size} bytes is held back, since it"
        self.notices.set(topic, f"{what} {why}: {fix}; tried again in {doubt.pause_s / 60:g} min")

    def trust(self, topic: str, size: int) -> None:
        """Note that the broker took a message."""
        doubt = self.doubt_of(topic)
        if doubt is None or doubt.trust(size) or doubt.most is None:
            self.notices.clear(topic, f"the broker takes messages to {topic} again")
