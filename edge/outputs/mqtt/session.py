"""Serve one connection to a broker, from greeting to end."""

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edge.config.sending import Mqtt
from edge.outputs.event_record import gap_record
from edge.outputs.feed import Feed, Gap, Item
from edge.outputs.mqtt.connection import Acknowledged, ConnectionLost, Happening
from edge.outputs.mqtt.discovery import EventTypes, discovery_document, without
from edge.outputs.mqtt.memory import Memory
from edge.outputs.mqtt.payloads import event_payload, owner_of, state_payload, to_json
from edge.outputs.mqtt.topics import HOME_ASSISTANT_STATUS, Topics, discovery_topic
from edge.outputs.mqtt.window import Window
from edge.storage import read_bounded
from edge.store.records import StoredEvent

_log = logging.getLogger(__name__)

MOST_IN_FLIGHT = 20
# Enough to keep the window full between two reads of the store, and not more memory than needed (3 kB each).
_BATCH = 200
# The broker answers within its own timeouts, or it hangs.
_ANSWER_S = 30.0
# The longest wait: paho sends its pings from here, of which each is due after 30 s.
_IDLE_S = 10.0
_HEALTH_S = 60.0
# State and picture are for people: at most once a second while a backlog is drained.
_STATE_S = 1.0
# Home Assistant takes a new document in while it goes on: an event of a type that it does not know yet would be lost.
_DISCOVERY_S = 1.0
# When Home Assistant starts, all devices answer at different times, and each at most so often.
_BIRTH_S, _BIRTH_EVERY_S = (0.2, 3.0), 10.0
_MAX_PICTURE = 512 << 10


class Line(Protocol):
    """What is used of edge.outputs.mqtt.connection.Connection."""

    most_in_flight: int
    most_bytes: int | None

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int: ...
    def subscribe(self, topic: str) -> None: ...
    def poll(self, timeout_s: float) -> list[Happening]: ...


@dataclass(slots=True)
class Device:
    """What outlasts a connection.

    health: returns its payload.
    types: Home Assistant's event types. newest: the last event that was sent. shown: the one whose picture was sent
        last, or tried. lost_pictures: connections that broke with a picture in flight, in a row.
    """

    settings: Mqtt
    name: str
    topics: Topics
    memory: Memory
    feed: Feed
    health: Callable[[], bytes]
    types: EventTypes
    newest: StoredEvent | None = None
    shown: int = 0
    lost_pictures: int = 0
    warned_of: set[str] = field(default_factory=set)


class Session:
    """One connection's messages: the greeting first, then events in order, and beside them state, picture and health.
    Used by one thread."""

    def __init__(self, line: Line, device: Device) -> None:
        self._line, self._device, self._topics = line, device, device.topics
        self._window = Window(min(MOST_IN_FLIGHT, line.most_in_flight))
        # What goes before all else, retained: the window may have no room for it now.
        self._first: deque[tuple[str, bytes]] = deque()
        self._type_is_new = False
        # Beside the events: by topic, so that only the last one waits.
        self._extras: dict[str, tuple[bytes, bool]] = {}
        self._items: list[Item] = []
        self._more = True
        self._held_until_s = 0.0
        self._birth_s = float("inf")
        self._greeted_s = float("-inf")
        self._health_s = float("inf")
        self._state_s = float("-inf")
        self._state_of: int | None = None

    @property
    def picture_in_flight(self) -> bool:
        """Whether a picture was sent and not acknowledged."""
        return self._window.holds(self._topics.picture)

    def look(self) -> None:
        """There may be new events."""
        self._more = True

    def greet(self) -> None:
        """Publish who and how this device is, and the last event for those who come later."""
        self._line.subscribe(self._topics.health)
        if self._device.settings.discovery:
            self._line.subscribe(HOME_ASSISTANT_STATUS)
        self._forget_old_document()
        self._announce()
        self._show_health()
        if self._device.newest is not None:
            self._state_of = None

    def serve(self, stop: threading.Event) -> None:
        """Send and receive until `stop`. Raises ConnectionLost."""
        while not stop.is_set():
            self._send()
            for happening in self._line.poll(self._patience_s()):
                self._handle(happening)
            self._check_answers()
            self._device.feed.tick()

    def say_goodbye(self, seconds: float) -> None:
        """Publish `offline`, and wait for what is in flight. Raises ConnectionLost."""
        ends_s = time.monotonic() + seconds
        self._receive_until(self._window.has_room, ends_s)
        self._publish(self._topics.status, b"offline", None, retain=True)
        self._receive_until(self._window.is_empty, ends_s)

    def _receive_until(self, condition: Callable[[], bool], ends_s: float) -> None:
        while not condition() and (left_s := ends_s - time.monotonic()) > 0:
            for happening in self._line.poll(left_s):
                self._handle(happening)

    def _send(self) -> None:
        """Send what is due, as far as the window has room."""
        now_s = time.monotonic()
        if now_s >= self._birth_s:
            self._birth_s = float("inf")
            self._state_of = None
            self._announce()
        if now_s >= self._health_s:
            self._show_health()
        self._show_newest(now_s)
        while self._window.has_room():
            if self._first:
                topic, payload = self._first.popleft()
                self._publish(topic, payload, None, retain=True)
                if self._type_is_new and not self._first:
                    self._type_is_new = False
                    self._held_until_s = time.monotonic() + _DISCOVERY_S
                    return
            elif self._extras:
                topic = next(iter(self._extras))
                payload, retain = self._extras.pop(topic)
                self._publish(topic, payload, None, retain=retain)
            elif now_s < self._held_until_s or not self._send_item():
                return

    def _send_item(self) -> bool:
        """Send the next event or gap, or have its type announced first; False if there is none."""
        if not self._items:
            if not self._more:
                return False
            # First, as `look` may be called meanwhile.
            self._more = False
            self._items = self._device.feed.next(_BATCH)[::-1]
            if not self._items:
                return False
            self._more = True
        what = self._items[-1].what
        if isinstance(what, Gap):
            self._publish(self._topics.gap, to_json(gap_record(what)), self._items.pop(), retain=False)
            return True
        if self._device.types.add(what.label) and self._device.settings.discovery:
            self._announce()
            self._type_is_new = True
            return True
        self._publish(self._topics.event, event_payload(what, self._device.types), self._items.pop(), retain=False)
        self._device.newest = what
        return True

    def _publish(self, topic: str, payload: bytes, item: Item | None, *, retain: bool) -> None:
        message_id = self._line.publish(topic, payload, retain=retain)
        self._window.add(message_id, topic, item, time.monotonic())

    def _announce(self) -> None:
        """Have the discovery document published, and that this device is there."""
        settings = self._device.settings
        self._first.clear()
        if settings.discovery:
            topic = discovery_topic(settings.discovery, self._device.name)
            document = self._document()
            if not settings.pictures:
                # It may have been there before. Home Assistant removes an entity that comes without its settings.
                self._first.append((topic, to_json(without(document, "picture"))))
            self._first.append((topic, to_json(document)))
            self._device.memory.announce(topic)
        if not settings.pictures:
            self._first.append((self._topics.picture, b""))
        self._first.append((self._topics.status, b"online"))
        self._greeted_s = time.monotonic()

    def _document(self) -> dict[str, Any]:
        device = self._device
        return discovery_document(device.name, self._topics, device.types, pictures=device.settings.pictures)

    def _forget_old_document(self) -> None:
        """Remove a document that was published under other settings."""
        settings, old = self._device.settings, self._device.memory.known.announced
        now = discovery_topic(settings.discovery, self._device.name) if settings.discovery else None
        if old is not None and old != now:
            self._publish(old, b"", None, retain=True)
            self._device.memory.announce(None)

    def _show_health(self) -> None:
        self._extras[self._topics.health] = (self._device.health(), True)
        # If another connection of ours ended late, its last will has just been published.
        self._extras[self._topics.status] = (b"online", True)
        self._health_s = time.monotonic() + _HEALTH_S
        self._more = True  # the store may have been unreadable for a while

    def _show_newest(self, now_s: float) -> None:
        """Publish state and picture of the last event that was sent, if they are not those at the broker."""
        newest = self._device.newest
        if newest is None or newest.number == self._state_of or now_s - self._state_s < _STATE_S:
            return
        self._state_of, self._state_s = newest.number, now_s
        self._extras[self._topics.state] = (state_payload(newest), True)
        picture = self._picture(newest)
        if picture is not None:
            self._extras[self._topics.picture] = (picture, True)

    def _picture(self, event: StoredEvent) -> bytes | None:
        device = self._device
        if not device.settings.pictures or event.number == device.shown or device.lost_pictures >= 3:
            return None
        device.shown = event.number
        most = min(_MAX_PICTURE, (self._line.most_bytes or _MAX_PICTURE) - 1024)
        paths = [picture.path for picture in event.pictures if picture.kind == "best" and picture.size <= most]
        return _read_picture(paths[0], most) if paths else None

    def _patience_s(self) -> float:
        """Return how long nothing is due."""
        now_s = time.monotonic()
        cursor_s = self._device.feed.next_s()
        due_s = min(self._birth_s, self._health_s, now_s + (_IDLE_S if cursor_s is None else min(cursor_s, _IDLE_S)))
        if self._items and self._window.has_room():
            due_s = min(due_s, self._held_until_s)
        newest = self._device.newest
        if newest is not None and newest.number != self._state_of:
            due_s = min(due_s, self._state_s + _STATE_S)
        if not self._window.is_empty():
            due_s = min(due_s, now_s + 1.0)
        return max(0.0, due_s - now_s)

    def _check_answers(self) -> None:
        oldest_s = self._window.oldest_s()
        if oldest_s is not None and time.monotonic() - oldest_s > _ANSWER_S:
            raise ConnectionLost(f"the broker has not acknowledged a message for {_ANSWER_S:g} s")

    def _handle(self, happening: Happening) -> None:
        if not isinstance(happening, Acknowledged):
            if happening.topic == self._topics.health:
                self._note_other(happening.payload, retained=happening.retained)
            elif happening.topic == HOME_ASSISTANT_STATUS and happening.payload == b"online":
                self._note_birth(retained=happening.retained)
            return
        topic = self._window.topic_of(happening.message_id)
        if happening.refused is not None and topic is not None:
            self._note_refusal(topic, happening.refused)
        last = self._window.acknowledge(happening.message_id)
        if last is not None:
            self._device.feed.done(last)
        if topic == self._topics.picture:
            self._device.lost_pictures = 0

    def _note_refusal(self, topic: str, why: str) -> None:
        """Raise ConnectionLost if the broker does not take events: they must come again. Others are left out."""
        if topic in (self._topics.event, self._topics.gap):
            raise ConnectionLost(f"the broker does not take messages to {topic}: {why}: its access rules may forbid it")
        if topic not in self._device.warned_of:
            self._device.warned_of.add(topic)
            _log.warning("mqtt: the broker does not take messages to %s: %s", topic, why)

    def _note_birth(self, *, retained: bool) -> None:
        # A retained one comes with the subscription, and then all has just been published.
        if not retained and self._birth_s == float("inf"):
            soonest_s = max(time.monotonic(), self._greeted_s + _BIRTH_EVERY_S)
            self._birth_s = soonest_s + random.uniform(*_BIRTH_S)

    def _note_other(self, payload: bytes, *, retained: bool) -> None:
        """Log once if another device publishes to our topics."""
        # What is retained may be from this device itself, before its card was replaced.
        owner = owner_of(payload)
        if owner is None or retained or owner == self._device.memory.owner or self._device.warned_of & {"other"}:
            return
        self._device.warned_of.add("other")
        _log.warning(
            "mqtt: another device is called %r, too, and publishes to the same topics: "
            "give one of them another name ([device] name)",
            self._device.name,
        )


def _read_picture(path: Path, most: int) -> bytes | None:
    try:
        return read_bounded(path, most, follow=False)
    except OSError as error:  # removed for the budget meanwhile
        _log.debug("mqtt: picture %s: %s", path, error)
        return None


def bells() -> tuple[socket.socket, socket.socket]:
    """Return a socket to wait for, and the one to ring it with from any thread."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(0)
    return ours, theirs
