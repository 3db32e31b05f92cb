"""One connection to a broker, with paho-mqtt as transport.

A new client is made for each connection, so that paho's own queue and session are never relied on: what was not
acknowledged comes from the store again.
"""

import contextlib
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.config.sending import Mqtt
from edge.errors import MissingPackageError
from edge.outputs.mqtt.login import Login
from edge.outputs.mqtt.remedies import unanswered, unreachable, unwelcome
from edge.printable import one_line

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_PORT, _TLS_PORT = 1883, 8883
# The broker publishes the last will after 1.5 times this silence.
_KEEPALIVE_S = 30
_CONNECT_S, _ANSWER_S = 10.0, 10.0
# What a message to us may hold. A broker of MQTT 5 never sends a larger one, whoever published it.
_MAX_PACKET = 16 << 10
_REFUSED = 128


class ConnectionLost(Exception):  # noqa: N818 - the ordinary end of a connection
    """The connection could not be made, or has ended.

    old_protocol: the broker may know no MQTT 5. taken_over: another client has the same id. too_large: the broker
    does not take messages as large as one that was sent.
    """

    def __init__(
        self, why: str, *, old_protocol: bool = False, taken_over: bool = False, too_large: bool = False
    ) -> None:
        super().__init__(one_line(why))
        self.old_protocol, self.taken_over, self.too_large = old_protocol, taken_over, too_large


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message arrived at the broker. refused: why it did not take it, None if it did."""

    message_id: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker: from anybody, so it may hold anything."""

    topic: str
    payload: bytes
    retained: bool


Happening = Acknowledged | Received


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is, and who we are. will_topic: gets `offline` if the connection breaks; None: none does."""

    host: str
    port: int
    client_id: str
    will_topic: str | None

    @property
    def name(self) -> str:
        """The broker, for messages."""
        return f"{self.host}:{self.port}"


def broker_address(settings: Mqtt, client_id: str, will_topic: str | None) -> Address:
    """Return the address in the settings, with the usual port if they name none."""
    port = settings.port or (_TLS_PORT if settings.uses_tls else _PORT)
    return Address(settings.host, port, client_id, will_topic)


def require_paho() -> None:
    """Raise MissingPackageError unless paho-mqtt 2 is there."""
    try:
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: F401 - paho-mqtt 1 has no such module
    except ImportError as error:
        message = "[mqtt] needs paho-mqtt 2.0 or newer: pip install '.[device,outputs]' in the clone of Fieldfare"
        raise MissingPackageError(f"{message}: {error}") from error


class Connection:
    """A connection that is made. Used by one thread."""

    def __init__(self, address: Address, login: Login, *, version5: bool, bell: socket.socket) -> None:
        """Connect, and wait for the broker's answer: 20 s at most, and name servers' own time. Raises ConnectionLost.

        bell: what `poll` also waits for.
        """
        self._address, self._login, self._bell, self._version5 = address, login, bell, version5
        self._happenings: list[Happening] = []
        self._answers: list[tuple[bool, str]] = []
        self._ended: ConnectionLost | None = None
        self.most_in_flight = 65535
        self.most_bytes: int | None = None
        self._client = self._made()
        try:
            self._connect()
            self._wait_for_answer()
        except BaseException:
            self.close()
            raise
        self.made_s = time.monotonic()

    def _made(self) -> "Client":
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        protocol = MQTTProtocolVersion.MQTTv5 if self._version5 else MQTTProtocolVersion.MQTTv311
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._address.client_id,
            protocol=protocol,
            clean_session=None if self._version5 else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        if self._login.username is not None:
            client.username_pw_set(self._login.username, self._login.password)
        if self._login.tls is not None:
            client.tls_set_context(self._login.tls)
        if self._address.will_topic is not None:
            client.will_set(self._address.will_topic, b"offline", qos=1, retain=True)
        # The window is ours: paho must never queue.
        client.max_inflight_messages_set(0)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        return client

    def _connect(self) -> None:
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        more: dict[str, Any] = {}
        if self._version5:
            properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = _MAX_PACKET
            more = {"clean_start": True, "properties": properties}
        try:
            self._client.connect(self._address.host, self._address.port, _KEEPALIVE_S, **more)
            # Without it a message waits up to 40 ms for the acknowledgement of the one before.
            if self._client.socket() is not None:  # else it broke already, which _wait_for_answer finds out
                self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, ValueError, UnicodeError) as error:  # also ssl.SSLError
            raise self._lost(unreachable(error, encrypted=self._encrypted)) from error

    def _wait_for_answer(self) -> None:
        ends_s, hint = time.monotonic() + _ANSWER_S, unanswered(encrypted=self._encrypted)
        while not self._answers:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise self._lost(f"no answer to the connection: {hint}", old_protocol=self._version5)
            try:
                self._move(left_s, listen_to_bell=False)
            except ConnectionLost as error:
                if self._answers:  # it refused, and closed the connection right away
                    break
                # Some old brokers just close a connection of MQTT 5.
                raise ConnectionLost(f"{error} before an answer: {hint}", old_protocol=self._version5) from error
        accepted, words = self._answers[0]
        if not accepted:
            old = self._version5 and words == "Unsupported protocol version"
            hint = unwelcome(words, username=self._login.username)
            raise self._lost(f"the broker refuses the connection: {words}: {hint}", old_protocol=old)

    @property
    def _encrypted(self) -> bool:
        return self._login.tls is not None

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int:
        """Send a message, at least once, and return its id. Raises ConnectionLost."""
        from paho.mqtt.enums import MQTTErrorCode

        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ended or self._lost("the connection broke")
        return sent.mid

    def subscribe(self, topic: str) -> None:
        """Receive what is published to a topic. Raises ConnectionLost."""
        from paho.mqtt.enums import MQTTErrorCode

        code, _ = self._client.subscribe(topic, qos=0)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ended or self._lost("the connection broke")

    def poll(self, timeout_s: float) -> list[Happening]:
        """Wait for what happens, the bell included, and return it. Raises ConnectionLost."""
        self._move(timeout_s, listen_to_bell=True)
        happenings, self._happenings = self._happenings, []
        return happenings

    def disconnect(self) -> None:
        """End it in order: no last will is published."""
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()

    def close(self) -> None:
        """End it; safe to call twice."""
        found = self._client.socket()
        if found is not None:
            with contextlib.suppress(OSError):
                found.close()

    def _socket(self) -> socket.socket:
        found: Any = self._client.socket()
        if found is None:
            raise self._ended or self._lost("the connection broke")
        assert isinstance(found, socket.socket)  # no WebSocket
        return found

    def _move(self, timeout_s: float, *, listen_to_bell: bool) -> None:
        """Read and write what is possible, after at most `timeout_s`."""
        ours, waits = self._socket(), select.poll()
        buffered = isinstance(ours, ssl.SSLSocket) and ours.pending() > 0
        waits.register(ours, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        if listen_to_bell:
            waits.register(self._bell, select.POLLIN)
        ready = dict(waits.poll(0 if buffered else max(0.0, timeout_s) * 1000))
        if ready.get(self._bell.fileno()):
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(64)
        happened = ready.get(ours.fileno(), 0)
        try:
            if buffered or happened & ~select.POLLOUT:
                self._client.loop_read()
            if happened & select.POLLOUT:
                self._client.loop_write()
            self._client.loop_misc()
        # Bytes that are no MQTT can make paho raise anything; only the broker can send them.
        except Exception as error:
            raise self._lost(f"not understood: {type(error).__name__}: {error}") from error
        if self._ended is not None:
            raise self._ended

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        self._answers.append((not reason.is_failure, str(reason)))
        self.most_in_flight = getattr(properties, "ReceiveMaximum", 65535)
        self.most_bytes = getattr(properties, "MaximumPacketSize", None)

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        words = str(reason)
        if flags.is_disconnect_packet_from_server:
            self._ended = self._lost(
                f"the broker ends the connection: {words}",
                taken_over="taken over" in words,
                too_large=words == "Packet too large",
            )
        else:
            self._ended = self._lost("the connection broke")

    def _on_publish(self, _client: Any, _data: Any, message_id: int, reason: Any, _properties: Any) -> None:
        refused = str(reason) if reason.is_failure else None
        self._happenings.append(Acknowledged(message_id, refused))

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # nothing that was subscribed to
            return
        self._happenings.append(Received(topic, message.payload, message.retain))

    def _lost(self, why: str, **flags: bool) -> ConnectionLost:
        return ConnectionLost(f"{self._address.name}: {why}", **flags)
