"""Against a real broker: mosquitto, as Debian has it."""

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_store import FakeStore
from real_broker import Broker
from waiting import wait_until

from edge.config.sending import Mqtt
from edge.outputs.cursor import Cursor
from edge.outputs.feed import Feed
from edge.outputs.mqtt.memory import Memory
from edge.outputs.mqtt.output import MqttOutput
from edge.outputs.mqtt.pauses import Pauses
from edge.outputs.mqtt.removal import remove_device
from tools.mqtt_bench.keys import Keys

pytest.importorskip("paho.mqtt.enums", reason="paho-mqtt 2 is not installed")
pytestmark = pytest.mark.process


class Client:
    """Somebody else at the broker, who sees everything."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client as Paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.seen: list[tuple[str, bytes]] = []
        self.client = Paho(CallbackAPIVersion.VERSION2)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.on_message = lambda _client, _data, message: self.seen.append((message.topic, message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_until(self.client.is_connected)

    def last(self, topic: str) -> bytes | None:
        return next((payload for name, payload in reversed(self.seen) if name == topic), None)

    def numbers(self) -> list[int]:
        return [json.loads(payload)["number"] for topic, payload in self.seen if topic == "fieldfare/barn/event"]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Running:
    """An MqttOutput in a thread of its own."""

    def __init__(self, store: FakeStore, port: int, folder: str = "a", *, old: bool = False, **settings: Any) -> None:
        state = store.path.parent / folder
        feed = Feed(store.path, "mqtt", Cursor(state / "mqtt.json", None), open_store=store.open)
        self.memory = Memory(state / "known.json")
        self.output = MqttOutput(
            Mqtt(**{"host": "127.0.0.1", "port": port, **settings}),
            "barn",
            feed,
            self.memory,
            boot="",
            status_file=None,
            others=tuple,
        )
        self.output._pauses = _Short()
        self.output._version5 = not old
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.output.run, args=(self._stop,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self.output.wake()
        self._thread.join(10)
        assert not self._thread.is_alive()


class _Short(Pauses):
    def after(self, lasted_s: float) -> float:
        return super().after(lasted_s) / 20


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    client = Client(broker.port)
    yield client
    client.close()


def test_from_the_first_event_to_the_end(store: FakeStore, broker: Broker, client: Client) -> None:
    store.add(*["fox", "hare"] * 100)
    running = Running(store, broker.port)
    wait_until(lambda: len(client.numbers()) == 200)
    store.add("cat")
    running.output.wake()
    wait_until(lambda: len(client.numbers()) == 201)
    assert client.numbers() == list(range(1, 202))
    assert client.last("fieldfare/barn/status") == b"online"
    running.close()
    wait_until(lambda: client.last("fieldfare/barn/status") == b"offline")
    assert json.loads((store.path.parent / "a" / "mqtt.json").read_text())["number"] == 201


def test_a_broker_that_comes_and_goes(
    store: FakeStore, broker: Broker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge.outputs")
    store.add("fox")
    running = Running(store, broker.port)
    wait_until(lambda: client.numbers() == [1])
    broker.kill()
    wait_until(lambda: running.output.state.fault is not None)
    store.add("hare")
    broker.start()
    wait_until(lambda: 2 in client.numbers())
    wait_until(lambda: running.output.state.fault is None)
    running.close()
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) <= 2


def test_the_last_will_reports_a_device_that_died(store: FakeStore, broker: Broker, client: Client) -> None:
    from edge.outputs.mqtt.connection import Address, Connection
    from edge.outputs.mqtt.login import Login
    from edge.outputs.mqtt.session import bells

    bell, ringer = bells()
    address = Address("127.0.0.1", broker.port, "dying", "fieldfare/barn/status")
    connection = Connection(address, Login(None, None), version5=True, bell=bell)
    connection.close()
    wait_until(lambda: client.last("fieldfare/barn/status") == b"offline")
    bell.close()
    ringer.close()


@pytest.mark.parametrize("same_card", [True, False])
def test_two_devices_of_one_name_make_no_war_and_are_reported(
    store: FakeStore, broker: Broker, client: Client, caplog: pytest.LogCaptureFixture, same_card: bool
) -> None:
    caplog.set_level(logging.WARNING, "edge.outputs")
    store.add("fox")
    one = Running(store, broker.port, "a")
    wait_until(lambda: client.last("fieldfare/barn/status") == b"online")
    if same_card:
        (store.path.parent / "b").mkdir()
        (store.path.parent / "b" / "known.json").write_bytes((store.path.parent / "a" / "known.json").read_bytes())
    other = Running(store, broker.port, "b")
    wait_until(lambda: "another device" in caplog.text)
    if same_card:
        wait_until(lambda: one.memory.owner != other.memory.owner)
    wait_until(lambda: one.output.state.fault is None and other.output.state.fault is None)
    store.add("hare")
    one.output.wake()
    other.output.wake()
    wait_until(lambda: client.numbers().count(2) == 2)
    one.close()
    other.close()


@pytest.mark.parametrize("old", [True, False])
def test_wrong_passwords_are_refused_in_one_line_and_right_ones_taken(
    store: FakeStore, broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture, old: bool
) -> None:
    import subprocess

    caplog.set_level(logging.WARNING, "edge.outputs")
    broker.kill()
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(users), "me", "right one"], check=True, capture_output=True)
    broker.config.write_text(
        broker.config.read_text().replace("allow_anonymous true", f"allow_anonymous false\npassword_file {users}")
    )
    broker.start()
    password = tmp_path / "password"
    password.write_text("the wrong one\n")
    store.add("fox")
    running = Running(store, broker.port, old=old, username="me", password_file=str(password))
    wait_until(lambda: running.output.state.fault is not None)
    assert "refuses the connection" in str(running.output.state.fault)
    assert "the wrong one" not in caplog.text
    password.write_text("right one\n")
    wait_until(lambda: running.output.state.waiting == 0)
    running.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ca": "ours.pem"}, None),
        ({"ca": "stranger.pem"}, "the broker's certificate is refused"),
        ({"tls": True}, "the broker's certificate is refused"),
        ({}, "if the broker wants TLS, set ca"),
        ({"ca": "missing.pem"}, "[mqtt] ca missing.pem: cannot be used: No such file or directory"),
        ({"ca": "ours.pem", "certificate": "ours.pem", "key": "stranger.key"}, "[mqtt] certificate, key ours.pem"),
    ],
)
# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_certificates_are_taken_or_refused_in_one_line(
    store: FakeStore,
    broker: Broker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
    words: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.WARNING, "edge.outputs")
    keys = Keys(tmp_path)
    authority = keys.authority("ours")
    keys.authority("stranger")
    certificate, key = keys.signed("localhost", "ours")
    broker.kill()
    with broker.config.open("a") as file:
        file.write(f"certfile {certificate}\nkeyfile {key}\ncafile {authority}\n")
    broker.start()
    store.add("fox")
    running = Running(store, broker.port, host="localhost", **settings)
    if words is None:
        wait_until(lambda: running.output.state.waiting == 0)
        assert not caplog.records
    else:
        wait_until(lambda: running.output.state.fault is not None)
        assert words in str(running.output.state.fault)
        assert running.output.state.waiting == 1
    running.close()


@pytest.mark.parametrize("old", [True, False])
def test_a_broker_that_does_not_take_the_document_gets_the_events_all_the_same(
    store: FakeStore, broker: Broker, caplog: pytest.LogCaptureFixture, old: bool
) -> None:
    caplog.set_level(logging.WARNING, "edge.outputs")
    broker.kill()
    with broker.config.open("a") as file:
        file.write("max_packet_size 2000\n")
    broker.start()
    store.add(*["fox"] * 30)
    running = Running(store, broker.port, old=old)
    wait_until(lambda: "max_packet_size" in str(running.output.state.notice))
    wait_until(lambda: running.output.state.fault is None and running.output.state.waiting == 0)
    # Three times it is blamed, and once it is held back; no other device is suspected.
    assert len(caplog.records) <= 2, caplog.text
    assert "client id" not in caplog.text
    running.close()


def test_a_huge_message_of_somebody_else_never_comes(store: FakeStore, broker: Broker, client: Client) -> None:
    running = Running(store, broker.port)
    wait_until(lambda: client.last("fieldfare/barn/status") == b"online")
    for payload in (b"x" * 5_000_000, b"online\x00", b"\xff" * 1000):
        client.client.publish("homeassistant/status", payload, qos=0)
        client.client.publish("fieldfare/barn/health", payload, qos=0)
    store.add("fox")
    running.output.wake()
    wait_until(lambda: client.numbers() == [1])
    assert running.output.state.fault is None
    running.close()


def test_a_device_is_removed_with_all_that_is_retained(store: FakeStore, broker: Broker, client: Client) -> None:
    store.add("fox")
    running = Running(store, broker.port)
    wait_until(lambda: client.numbers() == [1] and client.last("fieldfare/barn/state") is not None)
    running.close()
    assert remove_device(Mqtt(host="127.0.0.1", port=broker.port), "barn", running.memory.known) == 5
    late = Client(broker.port)
    late.client.publish("end", b"", qos=1)
    wait_until(lambda: late.last("end") is not None)
    assert [topic for topic, _ in late.seen] == ["end"]
    late.close()
