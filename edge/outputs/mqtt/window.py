"""Keep what was sent and not yet acknowledged: few, in order."""

from collections import deque
from dataclasses import dataclass

from edge.outputs.feed import Item


@dataclass(slots=True)
class _Sent:
    topic: str
    item: Item | None
    sent_s: float
    acknowledged: bool = False


class Window:
    """Messages in flight by their MQTT ids. Pure; `now_s` is monotonic."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._by_id: dict[int, _Sent] = {}
        # In the order of sending. An acknowledgement may overtake another, the cursor must not.
        self._items: deque[_Sent] = deque()

    def has_room(self) -> bool:
        """Return whether one more may be sent."""
        return len(self._by_id) < self.size

    def is_empty(self) -> bool:
        """Return whether all is acknowledged."""
        return not self._by_id

    def add(self, message_id: int, topic: str, item: Item | None, now_s: float) -> None:
        """Note a message that was sent; item: what of the feed it holds, None for others."""
        sent = _Sent(topic, item, now_s)
        self._by_id[message_id] = sent
        if item is not None:
            self._items.append(sent)

    def acknowledge(self, message_id: int) -> Item | None:
        """Note an acknowledgement; return the last item up to which all are acknowledged now, if that moved."""
        sent = self._by_id.pop(message_id, None)
        if sent is None:
            return None
        sent.acknowledged = True
        last: Item | None = None
        while self._items and self._items[0].acknowledged:
            last = self._items.popleft().item
        return last

    def topic_of(self, message_id: int) -> str | None:
        """Return the topic of a message in flight."""
        sent = self._by_id.get(message_id)
        return None if sent is None else sent.topic

    def holds(self, topic: str) -> bool:
        """Return whether a message to this topic is in flight."""
        return any(sent.topic == topic for sent in self._by_id.values())

    def oldest_s(self) -> float | None:
        """Return when the oldest message in flight was sent, None if there is none."""
        return next(iter(self._by_id.values())).sent_s if self._by_id else None
