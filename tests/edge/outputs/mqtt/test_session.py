"""One connection's messages, against a line that is scripted."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_store import FakeStore

from edge.config.sending import Mqtt
from edge.outputs.cursor import Cursor
from edge.outputs.feed import Feed
from edge.outputs.mqtt import session as sessions
from edge.outputs.mqtt.connection import Acknowledged, ConnectionLost, Happening, Received
from edge.outputs.mqtt.device import Device
from edge.outputs.mqtt.discovery import EventTypes
from edge.outputs.mqtt.memory import Memory
from edge.outputs.mqtt.payloads import health_payload
from edge.outputs.mqtt.session import Session
from edge.outputs.mqtt.topics import HOME_ASSISTANT_STATUS, Topics
from edge.store.records import StoredPicture

PICTURE = "fieldfare/barn/picture"
CONFIG = "homeassistant/device/fieldfare_barn/config"


class ScriptedLine:
    """A broker that acknowledges at once, or as `answer` has it, and ends the session once nothing more comes."""

    def __init__(self, stop: threading.Event) -> None:
        self.most_in_flight, self.most_bytes = 65535, None
        self.sent: list[tuple[str, bytes, bool]] = []
        self.subscribed: list[str] = []
        self.most_open = 0
        self.incoming: list[Happening] = []
        self.answer: Callable[[int, str], list[Happening]] = lambda number, _: [Acknowledged(number, None)]
        self._stop, self._open, self._idle = stop, dict[int, str](), 0
        self.patience = 2

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int:
        self.sent.append((topic, payload, retain))
        number = len(self.sent)
        self._open[number] = topic
        self.most_open = max(self.most_open, len(self._open))
        return number

    def subscribe(self, topic: str) -> None:
        self.subscribed.append(topic)

    def poll(self, timeout_s: float) -> list[Happening]:
        happenings = self.incoming
        self.incoming = []
        for number, topic in list(self._open.items()):
            found = self.answer(number, topic)
            happenings += found
            if found:
                del self._open[number]
        self._idle = 0 if happenings else self._idle + 1
        if self._idle > self.patience:
            self._stop.set()
        if not happenings:
            time.sleep(min(timeout_s, 0.05))
        return happenings

    @property
    def oldest(self) -> int:
        return min(self._open)

    def payloads(self, topic: str) -> list[Any]:
        return [json.loads(payload) if payload else None for name, payload, _ in self.sent if name.endswith(topic)]


class Scene:
    """A session of the device `barn`, on a store in memory."""

    def __init__(self, store: FakeStore, **settings: Any) -> None:
        self.store, self.stop = store, threading.Event()
        folder = store.path.parent
        self.memory = Memory(folder / "known.json")
        mqtt = Mqtt(host="broker", **settings)
        feed = Feed(
            store.path, "mqtt", Cursor(folder / "mqtt.json", None), max_waiting=mqtt.max_waiting, open_store=store.open
        )
        health = lambda: health_payload(self.memory.owner, None, feed.waiting, None)  # noqa: E731
        types = EventTypes(feed.labels())
        self.device = Device(mqtt, "barn", Topics(mqtt.topic, "barn"), self.memory, feed, health, types)
        self.line = ScriptedLine(self.stop)

    def serve(self) -> ScriptedLine:
        self.stop.clear()
        session = Session(self.line, self.device)
        session.greet()
        session.serve(self.stop)
        return self.line

    def again(self) -> ScriptedLine:
        """As after a broken connection."""
        self.device.feed.again()
        self.line = ScriptedLine(self.stop)
        return self.serve()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_DISCOVERY_S", 0.0)
    monkeypatch.setattr(sessions, "_STATE_S", 0.0)


def test_the_greeting_comes_first_then_the_events_in_order(store: FakeStore) -> None:
    store.add("fox", "hare", "fox")
    line = Scene(store).serve()
    assert [topic for topic, _, _ in line.sent[:2]] == [CONFIG, "fieldfare/barn/status"]
    assert line.sent[1] == ("fieldfare/barn/status", b"online", True)
    assert [event["number"] for event in line.payloads("/event")] == [1, 2, 3]
    assert [event["event_type"] for event in line.payloads("/event")] == ["fox", "hare", "fox"]
    assert line.payloads("/state")[-1]["number"] == 3


def test_only_events_and_gaps_are_not_retained(store: FakeStore) -> None:
    store.add(*["fox"] * 300)
    scene = Scene(store, max_waiting=100)
    line = scene.serve()
    for topic, _, retained in line.sent:
        assert retained == (topic not in ("fieldfare/barn/event", "fieldfare/barn/gap"))
    assert line.payloads("/gap") == [{"gap": {"from": 1, "to": 200, "events": 200}}]


def test_never_more_than_twenty_are_in_flight(store: FakeStore) -> None:
    store.add(*["fox"] * 500)
    scene = Scene(store)
    assert scene.serve().most_open == 20
    scene.store.add(*["fox"] * 100)
    scene.line = ScriptedLine(scene.stop)
    scene.line.most_in_flight = 3  # the broker's own limit
    assert scene.serve().most_open == 3


def test_greetings_new_labels_and_the_farewell_keep_to_the_window_too(store: FakeStore) -> None:
    store.add(*["fox"] * 30, "hare", "cat")
    for most in (1, 20):
        scene = Scene(store, pictures=False)
        scene.line.most_in_flight = most

        def answer(number: int, topic: str, line: ScriptedLine = scene.line) -> list[Happening]:
            return [Acknowledged(number, None)] if number == line.oldest else []

        scene.line.answer = answer
        scene.device.types = EventTypes(("fox",))
        session = Session(scene.line, scene.device)
        session.greet()
        session.serve(scene.stop)
        session.say_goodbye(5.0)
        assert scene.line.most_open <= most
        assert [event["event_type"] for event in scene.line.payloads("/event")[-2:]] in (["hare", "cat"], [])
        assert scene.line.sent[-1][1] == b"offline"
        scene.stop.clear()


def test_what_was_not_acknowledged_comes_again_in_order(store: FakeStore) -> None:
    store.add(*["fox"] * 50)
    scene = Scene(store)
    lost = [7]

    def answer(number: int, topic: str) -> list[Happening]:
        if topic.endswith("/event") and lost:
            lost[0] -= 1
            if lost[0] == 0:
                lost.clear()
                raise ConnectionLost("the connection broke")
        return [Acknowledged(number, None)]

    scene.line.answer = answer
    with pytest.raises(ConnectionLost):
        scene.serve()
    first = [event["number"] for event in scene.line.payloads("/event")]
    # Six were acknowledged, but the answers of one poll were lost with the connection.
    second = [event["number"] for event in scene.again().payloads("/event")]
    assert second[0] <= first[-1] + 1
    assert second == list(range(second[0], 51))
    assert set(first) | set(second) == set(range(1, 51))


def test_a_broker_that_never_acknowledges_is_given_up(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_ANSWER_S", 0.1)
    store.add("fox")
    scene = Scene(store)
    scene.line.answer, scene.line.patience = lambda _number, _topic: [], 1000
    with pytest.raises(ConnectionLost, match="not acknowledged"):
        scene.serve()


def test_events_that_the_broker_refuses_stay_and_other_messages_do_not_matter(
    store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.add("fox")
    scene = Scene(store)
    scene.line.answer = lambda number, topic: [Acknowledged(number, None if "event" in topic else "Not authorized")]
    scene.serve()
    assert scene.device.feed.waiting == 0
    assert "does not take messages to homeassistant" in caplog.text
    store.add("hare")
    scene.line.answer = lambda number, topic: [Acknowledged(number, "Not authorized" if "event" in topic else None)]
    with pytest.raises(ConnectionLost, match="does not take messages to fieldfare/barn/event: Not authorized"):
        scene.serve()
    assert scene.device.feed.waiting == 1


def test_a_new_label_is_announced_before_its_first_event(store: FakeStore) -> None:
    store.add("fox")
    scene = Scene(store)
    scene.serve()
    store.add("hare")
    line = scene.again()
    topics = [topic for topic, _, _ in line.sent]
    documents = line.payloads("/config")
    assert "hare" not in documents[0]["components"]["event"]["event_types"]
    assert "hare" in documents[-1]["components"]["event"]["event_types"]
    assert len(topics) - topics[::-1].index(CONFIG) - 1 < topics.index("fieldfare/barn/event")


def test_when_home_assistant_starts_everything_is_published_again(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_BIRTH_S", (0.0, 0.0))
    monkeypatch.setattr(sessions, "_BIRTH_EVERY_S", 0.0)
    store.add("fox")
    scene = Scene(store)
    scene.serve()
    scene.line = ScriptedLine(scene.stop)
    scene.line.incoming = [Received(HOME_ASSISTANT_STATUS, b"online", retained=False)] * 50
    line = scene.serve()
    assert len(line.payloads("/config")) == 2
    assert len([1 for topic, payload, _ in line.sent if payload == b"online"]) >= 2
    assert len(line.payloads("/state")) == 2
    assert line.payloads("/event") == []


@pytest.mark.parametrize(
    "payload", [b"", b"ONLINE", b"offline", b"online ", b"\xff" * 100, b"x" * 100_000, b"<b>", b'{"owner": 1}', b"["]
)
def test_nothing_else_on_a_subscribed_topic_changes_anything(
    store: FakeStore, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(store)
    expected = scene.serve().sent
    scene.line = ScriptedLine(scene.stop)
    topics = (HOME_ASSISTANT_STATUS, "fieldfare/barn/health")
    scene.line.incoming = [Received(topic, payload, retained=False) for topic in topics]
    assert scene.serve().sent == expected
    assert scene.line.subscribed == ["fieldfare/barn/health", HOME_ASSISTANT_STATUS]
    assert not caplog.records


def test_another_device_of_the_same_name_is_reported_once(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(store)
    other = health_payload("someone", None, 0, None)
    ours = health_payload(scene.memory.owner, None, 0, None)
    scene.line.incoming = [
        Received("fieldfare/barn/health", ours, retained=False),
        Received("fieldfare/barn/health", other, retained=True),
    ]
    scene.serve()
    assert not caplog.records
    scene.line.incoming = [Received("fieldfare/barn/health", other, retained=False)] * 20
    scene.serve()
    assert [record.message for record in caplog.records] == [
        "mqtt: another device is called 'barn', too, and publishes to the same topics: "
        "give one of them another name ([device] name)"
    ]


def test_another_device_that_has_gone_is_no_longer_reported(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(store)
    scene.line.incoming = [Received("fieldfare/barn/health", health_payload("someone", None, 0, None), retained=False)]
    scene.serve()
    assert "another device is called 'barn'" in str(scene.device.notices.why)
    scene.again()
    assert scene.device.notices.why is not None
    monkeypatch.setattr(sessions, "_OTHER_GONE_S", 0.0)
    scene.again()
    assert scene.device.notices.why is None


def picture(path: Path, size: int) -> StoredPicture:
    path.write_bytes(b"\xff\xd8" + bytes(size - 2))
    return StoredPicture(
        kind="best", path=path, size=size, width=640, height=480, captured_mono_s=1, captured_wall_s=1, sha256=""
    )


def test_the_last_picture_is_published_if_it_is_small_and_there(store: FakeStore, tmp_path: Path) -> None:
    import msgspec

    store.add("fox", "hare", "cat")
    kept, large, gone = picture(tmp_path / "a", 1000), picture(tmp_path / "b", 600_000), picture(tmp_path / "c", 1000)
    gone.path.unlink()
    scene = Scene(store)
    for number, shown in ((0, kept), (1, large), (2, gone)):
        store.events[number:] = [msgspec.structs.replace(store.events[number], pictures=(shown,))]
        line = scene.again()
        sent = [payload for topic, payload, _ in line.sent if topic == "fieldfare/barn/picture"]
        assert sent == ([kept.path.read_bytes()] if shown is kept else [])
        store.add("next")


def test_a_picture_larger_than_the_broker_takes_is_not_sent(store: FakeStore, tmp_path: Path) -> None:
    import msgspec

    store.add("fox")
    store.events[0] = msgspec.structs.replace(store.events[0], pictures=(picture(tmp_path / "a", 5000),))
    scene = Scene(store)
    scene.line.most_bytes = 3000
    assert not [topic for topic, _, _ in scene.serve().sent if topic.endswith("/picture")]


def test_without_pictures_the_entity_and_the_retained_one_are_removed(store: FakeStore) -> None:
    line = Scene(store, pictures=False).serve()
    first, second = line.payloads("/config")
    assert first["components"]["picture"] == {"platform": "image"}
    assert "picture" not in second["components"]
    assert ("fieldfare/barn/picture", b"", True) in line.sent


def test_discovery_that_was_switched_off_or_moved_is_removed(store: FakeStore) -> None:
    Scene(store).serve()
    line = Scene(store, discovery="ha").serve()
    assert line.sent[0] == (CONFIG, b"", True)
    assert line.sent[1][0] == "ha/device/fieldfare_barn/config"
    line = Scene(store, discovery="").serve()
    assert line.sent[0] == ("ha/device/fieldfare_barn/config", b"", True)
    assert line.subscribed == ["fieldfare/barn/health"]
    line = Scene(store, discovery="").serve()
    assert line.sent[0][0] == "fieldfare/barn/status"


def test_at_the_end_it_is_offline(store: FakeStore) -> None:
    scene = Scene(store)
    session = Session(scene.line, scene.device)
    session.greet()
    session.say_goodbye(5.0)
    assert scene.line.sent[-1] == ("fieldfare/barn/status", b"offline", True)


def with_picture(store: FakeStore, path: Path, size: int) -> None:
    """Add an event with a picture of this size."""
    import msgspec

    store.add("fox")
    store.events[-1] = msgspec.structs.replace(store.events[-1], pictures=(picture(path, size),))


class Weak:
    """A broker that drops the connection on any message of more than `most` bytes, and so never acknowledges it."""

    def __init__(self, scene: Scene, most: int) -> None:
        self.scene, self.most = scene, most
        self.breaks = 0

    def serve(self) -> ScriptedLine:
        scene = self.scene
        scene.device.feed.again()
        line = scene.line = ScriptedLine(scene.stop)

        def answer(number: int, topic: str) -> list[Happening]:
            if len(line.sent[number - 1][1]) > self.most:
                raise ConnectionLost("the connection broke")
            return [Acknowledged(number, None)]

        line.answer = answer
        scene.stop.clear()
        session = Session(line, scene.device)
        try:
            session.greet()
            session.serve(scene.stop)
        except ConnectionLost as error:
            self.breaks += 1
            session.lost(too_large=error.too_large)
        return line


def test_pictures_that_break_connections_are_held_back_and_come_back(
    store: FakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(store)
    broker = Weak(scene, most=50_000)
    for number in range(5):
        with_picture(store, tmp_path / f"{number}", 100_000)
        broker.serve()
    assert broker.breaks == 3, "the third is the last"
    assert "pictures of more than 50000 bytes are held back" in str(scene.device.notices.why)
    assert scene.device.feed.waiting == 0
    with_picture(store, tmp_path / "small", 40_000)
    assert [topic for topic, _, _ in broker.serve().sent].count(PICTURE) == 1
    assert scene.device.notices.why is not None
    # The broker's limit is raised, and the time is over.
    broker.most = 1_000_000
    monkeypatch.setattr(scene.device.picture_doubt, "_until_s", 0.0)
    with_picture(store, tmp_path / "large", 100_000)
    assert [topic for topic, _, _ in broker.serve().sent].count(PICTURE) == 1
    assert scene.device.notices.why is None


def test_a_document_that_breaks_connections_does_not_hold_up_events_and_comes_back(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("fox")
    scene = Scene(store)
    broker = Weak(scene, most=2000)
    for _ in range(4):
        broker.serve()
    assert broker.breaks == 3
    assert scene.device.feed.waiting == 0
    assert "the discovery document of" in str(scene.device.notices.why)
    broker.most = 1_000_000
    assert CONFIG not in [topic for topic, _, _ in broker.serve().sent]
    # Within one long connection: at the next report of its health.
    monkeypatch.setattr(scene.device.document_doubt, "_until_s", time.monotonic() + 0.2)
    monkeypatch.setattr(sessions, "_HEALTH_S", 0.1)
    line = scene.line = ScriptedLine(scene.stop)
    line.patience = 1000

    def end_with_it(number: int, topic: str) -> list[Happening]:
        if topic == CONFIG:
            line.patience = 0
            monkeypatch.setattr(sessions, "_HEALTH_S", 60.0)
        return [Acknowledged(number, None)]

    line.answer = end_with_it
    scene.serve()
    assert [topic for topic, _, _ in line.sent].count(CONFIG) == 1
    assert scene.device.notices.why is None


@pytest.mark.parametrize("most", [1500, 2400])
def test_a_document_larger_than_the_broker_takes_is_left_out_and_reported(store: FakeStore, most: int) -> None:
    store.add("fox")
    scene = Scene(store)
    scene.line.most_bytes = most
    line = scene.serve()
    assert CONFIG not in [topic for topic, _, _ in line.sent]
    assert [event["number"] for event in line.payloads("/event")] == [1]
    assert f"the broker takes at most {most}: raise its limit (max_packet_size)" in str(scene.device.notices.why)
    scene.again()
    assert scene.device.notices.why is None


def test_an_event_larger_than_the_broker_takes_is_a_fault_and_not_lost(store: FakeStore) -> None:
    store.add("fox")
    scene = Scene(store, discovery="")
    scene.line.most_bytes = 300
    with pytest.raises(
        ConnectionLost, match=r"to fieldfare/barn/event has \d+ bytes, and the broker takes at most 300"
    ):
        scene.serve()
    assert scene.device.feed.waiting == 1


def test_pictures_larger_than_all_that_are_sent_are_reported(store: FakeStore, tmp_path: Path) -> None:
    with_picture(store, tmp_path / "a", 600_000)
    scene = Scene(store)
    scene.serve()
    assert "pictures of more than 524288 bytes are not sent: lower max_side or quality" in str(scene.device.notices.why)
    with_picture(store, tmp_path / "b", 1000)
    scene.again()
    assert scene.device.notices.why is None


@pytest.mark.parametrize("in_place", [True, False])
def test_the_last_event_of_another_store_is_published_though_it_has_the_same_number(
    store: FakeStore, in_place: bool
) -> None:
    store.add("fox")
    scene = Scene(store)
    line = scene.line
    replaced: list[bool] = []

    def answer(number: int, topic: str) -> list[Happening]:
        if topic.endswith("/state") and not replaced:
            replaced.append(True)
            (store.overwrite if in_place else store.create)()
            store.add("hare")
            line.patience = 30
            session.look()
        return [Acknowledged(number, None)]

    line.answer = answer
    session = Session(line, scene.device)
    session.greet()
    session.serve(scene.stop)
    assert [(event["number"], event["label"]) for event in line.payloads("/state")] == [(1, "fox"), (1, "hare")]


def unanswered(*topics: str) -> Callable[[int, str], list[Happening]]:
    """A broker that acknowledges all but these."""
    return lambda number, topic: [] if topic in topics else [Acknowledged(number, None)]


def test_a_removal_is_remembered_until_the_broker_has_acknowledged_it(store: FakeStore) -> None:
    Scene(store).serve()
    for _ in range(2):
        scene = Scene(store, discovery="")  # as after a restart: it reads its file again
        scene.line.answer = unanswered(CONFIG)
        scene.serve()
        assert scene.line.sent[0] == (CONFIG, b"", True)
    scene = Scene(store, discovery="")
    scene.line.answer = lambda number, topic: [Acknowledged(number, "Not authorized" if topic == CONFIG else None)]
    scene.serve()
    assert scene.memory.known.gone == (CONFIG,)
    assert Scene(store, discovery="").serve().sent[0] == (CONFIG, b"", True)
    assert Scene(store, discovery="").serve().sent[0][0] == "fieldfare/barn/status"
