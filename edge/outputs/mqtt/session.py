"""Serve one connection to a broker, from greeting to end."""

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edge.outputs.event_record import gap_record
from edge.outputs.feed import Gap, Item
from edge.outputs.mqtt.connection import ConnectionLost, Happening, Received
from edge.outputs.mqtt.device import Device
from edge.outputs.mqtt.introduction import Introduction
from edge.outputs.mqtt.payloads import event_payload, owner_of, state_payload, to_json
from edge.outputs.mqtt.remedies import refusal, too_large
from edge.outputs.mqtt.topics import HOME_ASSISTANT_STATUS
from edge.outputs.mqtt.window import Sent, Window
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
# Beside topic and payload: the fixed header, the topic's length, the message's id, no properties.
_HEADER = 10
# Smaller ones are not what ends a connection.
_LARGE = 1024
# Its health comes once a minute.
_OTHER, _OTHER_GONE_S = "other", 200.0


class Line(Protocol):
    """What is used of edge.outputs.mqtt.connection.Connection."""

    most_in_flight: int
    most_bytes: int | None

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int: ...
    def subscribe(self, topic: str) -> None: ...
    def poll(self, timeout_s: float) -> list[Happening]: ...


class Session:
    """One connection's messages: the greeting first, then events in order, and beside them state, picture and health.
    Used by one thread."""

    def __init__(self, line: Line, device: Device) -> None:
        self._line, self._device, self._topics = line, device, device.topics
        self._introduction = Introduction(device)
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
        self._state_of: tuple[str, int] | None = None

    def look(self) -> None:
        """There may be new events."""
        self._more = True

    def greet(self) -> None:
        """Publish who and how this device is, and the last event for those who come later."""
        self._line.subscribe(self._topics.health)
        if self._device.settings.discovery:
            self._line.subscribe(HOME_ASSISTANT_STATUS)
        self._announce()
        self._show_health()

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

    def lost(self, *, too_large: bool) -> bool:
        """Draw conclusions from the end of the connection; return whether a large message may be why.

        too_large: the broker has named that as its reason.
        """
        largest = self._window.largest()
        if largest is None or largest.size < _LARGE:
            return False
        return self._device.blame(largest.topic, largest.size, time.monotonic(), certain=too_large)

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
        if self._device.types.add(what.label) and self._device.document_topic is not None:
            self._announce()
            self._type_is_new = True
            return True
        item = self._items.pop()
        self._publish(self._topics.event, event_payload(what, self._device.types), item, retain=False)
        self._device.newest = item
        return True

    def _publish(self, topic: str, payload: bytes, item: Item | None, *, retain: bool) -> None:
        size, most = len(topic.encode()) + len(payload) + _HEADER, self._line.most_bytes
        if most is not None and size > most:
            # Sent all the same, it would end each connection.
            self._leave_out(topic, too_large(topic, size, most))
            return
        message_id = self._line.publish(topic, payload, retain=retain)
        self._window.add(message_id, Sent(topic, len(payload), item, time.monotonic()))

    def _leave_out(self, topic: str, why: str) -> None:
        """Raise ConnectionLost if a message is an event: it must come again. Others are left out."""
        if topic in (self._topics.event, self._topics.gap):
            raise ConnectionLost(why)
        self._device.notices.set(topic, why)

    def _announce(self) -> None:
        """Have the discovery document published, and that this device is there."""
        self._greeted_s = time.monotonic()
        self._first = deque(self._introduction.messages(self._greeted_s))

    def _show_health(self) -> None:
        self._extras[self._topics.health] = (self._device.health(), True)
        # If another connection of ours ended late, its last will has just been published.
        self._extras[self._topics.status] = (b"online", True)
        now_s = time.monotonic()
        self._health_s = now_s + _HEALTH_S
        if self._introduction.is_due(now_s):
            self._announce()
        if now_s - self._device.other_s > _OTHER_GONE_S:
            self._device.notices.clear(_OTHER, "no other device uses this name any more")
        self._more = True  # the store may have been unreadable for a while

    def _show_newest(self, now_s: float) -> None:
        """Publish state and picture of the last event that was sent, if they are not those at the broker."""
        newest = self._device.newest
        if newest is None or newest.key == self._state_of or now_s - self._state_s < _STATE_S:
            return
        assert not isinstance(newest.what, Gap)
        self._state_of, self._state_s = newest.key, now_s
        self._extras[self._topics.state] = (state_payload(newest.what), True)
        if self._device.settings.pictures and newest.key != self._device.shown:
            self._device.shown = newest.key
            picture = self._picture(newest.what, now_s)
            if picture is not None:
                self._extras[self._topics.picture] = (picture, True)

    def _picture(self, event: StoredEvent, now_s: float) -> bytes | None:
        broker_s = self._line.most_bytes
        most = _MAX_PICTURE if broker_s is None else min(_MAX_PICTURE, broker_s - _LARGE)
        doubt = self._device.picture_doubt
        for picture in event.pictures:
            if picture.kind != "best":
                continue
            if picture.size > most:
                self._device.notices.set(
                    self._topics.picture,
                    f"pictures of more than {most} bytes are not sent: lower max_side or quality in [pictures]",
                )
            elif doubt.allows(picture.size, now_s):
                return _read_picture(picture.path, most)
        return None

    def _patience_s(self) -> float:
        """Return how long nothing is due."""
        now_s = time.monotonic()
        cursor_s = self._device.feed.next_s()
        due_s = min(self._birth_s, self._health_s, now_s + (_IDLE_S if cursor_s is None else min(cursor_s, _IDLE_S)))
        if self._items and self._window.has_room():
            due_s = min(due_s, self._held_until_s)
        newest = self._device.newest
        if newest is not None and newest.key != self._state_of:
            due_s = min(due_s, self._state_s + _STATE_S)
        if not self._window.is_empty():
            due_s = min(due_s, now_s + 1.0)
        return max(0.0, due_s - now_s)

    def _check_answers(self) -> None:
        oldest_s = self._window.oldest_s()
        if oldest_s is not None and time.monotonic() - oldest_s > _ANSWER_S:
            raise ConnectionLost(f"the broker has not acknowledged a message for {_ANSWER_S:g} s")

    def _handle(self, happening: Happening) -> None:
        if isinstance(happening, Received):
            if happening.topic == self._topics.health:
                self._note_other(happening.payload, retained=happening.retained)
            elif happening.topic == HOME_ASSISTANT_STATUS and happening.payload == b"online":
                self._note_birth(retained=happening.retained)
            return
        sent = self._window.find(happening.message_id)
        if sent is not None:
            self._judge(sent, happening.refused)
        last = self._window.acknowledge(happening.message_id)
        if last is not None:
            self._device.feed.done(last)

    def _judge(self, sent: Sent, refused: str | None) -> None:
        """Raise ConnectionLost if the broker does not take events: they must come again. Others are left out."""
        if refused is not None:
            self._leave_out(sent.topic, refusal(sent.topic, refused, sent.size))
            return
        self._device.trust(sent.topic, sent.size)
        if not sent.size:
            self._device.memory.removed(sent.topic)

    def _note_birth(self, *, retained: bool) -> None:
        # A retained one comes with the subscription, and then all has just been published.
        if not retained and self._birth_s == float("inf"):
            soonest_s = max(time.monotonic(), self._greeted_s + _BIRTH_EVERY_S)
            self._birth_s = soonest_s + random.uniform(*_BIRTH_S)

    def _note_other(self, payload: bytes, *, retained: bool) -> None:
        """Note that another device publishes to our topics."""
        # What is retained may be from this device itself, before its card was replaced.
        owner = owner_of(payload)
        if owner is None or retained or owner == self._device.memory.owner:
            return
        self._device.other_s = time.monotonic()
        self._device.memory.share()
        self._device.notices.set(
            _OTHER,
            f"another device is called {self._device.name!r}, too, and publishes to the same topics: "
            "give one of them another name ([device] name)",
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
