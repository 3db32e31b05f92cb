"""Keep what was sent and not yet acknowledged: few, in order."""

from collections import deque
from dataclasses import dataclass

from edge.outputs.feed import Item


@dataclass(slots=True)
class Sent:
    """A message in flight. size: of its payload, in bytes. item: what of the feed it holds, None for others."""

    topic: str
    size: int
    item: Item | None
    sent_s: float
    acknowledged: bool = False


class Window:
    """Messages in flight by their MQTT ids. Pure; `now_s` is monotonic."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._by_id: dict[int, Sent] = {}
        # In the order of sending. An acknowledgement may overtake another, the cursor must not.
        self._items: deque[Sent] = deque()

    def has_room(self) -> bool:
        """Return whether one more may be sent."""
        return len(self._by_id) < self.size

    def is_empty(self) -> bool:
        """Return whether all is acknowledged."""
        return not self._by_id

    def add(self, message_id: int, sent: Sent) -> None:
        """Note a message that was sent."""
        self._by_id[message_id] = sent
        if sent.item is not None:
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

    def find(self, message_id: int) -> Sent | None:
        """Return a message in flight."""
        return self._by_id.get(message_id)

    def largest(self) -> Sent | None:
        """Return the largest message in flight, None if there is none."""
        return max(self._by_id.values(), key=lambda sent: sent.size, default=None)

    def oldest_s(self) -> float | None:
        """Return when the oldest message in flight was sent, None if there is none."""
        return next(iter(self._by_id.values())).sent_s if self._by_id else None
