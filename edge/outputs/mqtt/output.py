"""Keep a connection to a broker, and send events over it."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.config.sending import Mqtt
from edge.errors import UnavailableError
from edge.outputs.base import Fault
from edge.outputs.feed import Feed
from edge.outputs.mqtt.connection import Address, Connection, ConnectionLost, broker_address, require_paho
from edge.outputs.mqtt.device import Device
from edge.outputs.mqtt.discovery import EventTypes
from edge.outputs.mqtt.login import read_login
from edge.outputs.mqtt.memory import Memory
from edge.outputs.mqtt.pauses import Pauses
from edge.outputs.mqtt.payloads import health_payload
from edge.outputs.mqtt.session import Session, bells
from edge.outputs.mqtt.topics import Topics
from edge.outputs.service_status import read_service, service_problem
from edge.processes.outputs_messages import OutputState

_log = logging.getLogger(__name__)

# For what is in flight, before the end.
_GOODBYE_S = 2.0
# Connections that the broker ended at once, in a row, as if another client had the same id.
_WAR = 3
_WAR_S = 10.0


class MqttOutput:
    """Events to a broker. `close` of the feed is its own."""

    def __init__(
        self,
        settings: Mqtt,
        device: str,
        feed: Feed,
        memory: Memory,
        *,
        boot: str,
        status_file: Path | None,
        others: Callable[[], Sequence[OutputState]],
    ) -> None:
        """boot: this boot's id. status_file: the service's. others: states of all outputs. Raises MissingPackageError
        without paho-mqtt 2."""
        require_paho()
        self._settings, self._feed, self._memory = settings, feed, memory
        self._boot, self._status_file, self._others = boot, status_file, others
        self._fault = Fault("mqtt")
        self._bell, self._ringer = bells()
        topics = Topics(settings.topic, device)
        self._device = Device(settings, device, topics, memory, feed, self._health, EventTypes(()))
        self._session: Session | None = None
        self._pauses = Pauses()
        self._version5 = True
        self._short = 0
        self._was_large = False

    @property
    def state(self) -> OutputState:
        """See Output.state."""
        fault = self._fault.why or self._feed.fault.why
        connecting = "not connected yet" if fault is None and self._session is None else None
        return OutputState(
            name="mqtt",
            fault=fault,
            notice=self._device.notices.why or connecting,
            waiting=self._feed.waiting,
        )

    def wake(self) -> None:
        """See Output.wake."""
        session = self._session
        if session is not None:
            session.look()
        with contextlib.suppress(OSError):  # it rings already, or has ended
            self._ringer.send(b"x")

    def run(self, stop: threading.Event) -> None:
        """See Output.run."""
        try:
            self._remember()
            while not stop.is_set():
                self._pause(self._pauses.after(self._connect_once(stop)), stop)
        finally:
            self._feed.close()
            if stop.is_set():
                self._bell.close()
                self._ringer.close()

    def _remember(self) -> None:
        """Look for what the store holds already."""
        self._feed.look()
        for label in self._feed.labels():
            self._device.types.add(label)
        self._device.newest = self._feed.newest()

    def _connect_once(self, stop: threading.Event) -> float:
        """Make a connection and serve it until it ends; return how long it lasted."""
        connection = None
        try:
            connection = Connection(
                self._address(), read_login(self._settings), version5=self._version5, bell=self._bell
            )
            self._serve(connection, stop)
        except (ConnectionLost, UnavailableError) as error:
            self._fault.set(str(error))
            if isinstance(error, ConnectionLost):
                self._learn(error, connection)
        finally:
            self._session = None
            self._feed.again()
            if connection is not None:
                connection.close()
        return 0.0 if connection is None else time.monotonic() - connection.made_s

    def _serve(self, connection: Connection, stop: threading.Event) -> None:
        session, self._was_large = Session(connection, self._device), False
        try:
            session.greet()
            self._session = session
            self._fault.clear("connected again")
            session.serve(stop)
            session.say_goodbye(_GOODBYE_S)
            connection.disconnect()
        except ConnectionLost as error:
            self._was_large = session.lost(too_large=error.too_large)
            raise

    def _learn(self, error: ConnectionLost, connection: Connection | None) -> None:
        """Draw conclusions from the end of a connection for the next one."""
        if connection is None:
            if error.old_protocol:
                self._version5 = False
            elif not self._version5:
                self._version5 = True
            return
        short = time.monotonic() - connection.made_s < _WAR_S and not self._was_large
        self._short = self._short + 1 if short else 0
        if error.taken_over or self._short >= _WAR:
            # A copy of this card, with the same random name, would take the connection back for ever.
            self._short = 0
            self._memory.renew_owner()
            _log.warning(
                "mqtt: the broker keeps ending the connection, as if another device had our client id: now %s",
                self._address().client_id,
            )

    def _address(self) -> Address:
        # 23 characters are what each broker must take; all known ones take more.
        client_id = f"fieldfare-{self._device.name[:40]}-{self._memory.owner}"
        return broker_address(self._settings, client_id, self._device.topics.status)

    def _pause(self, seconds: float, stop: threading.Event) -> None:
        """Wait before the next connection; meanwhile what waits is counted, and the cursor is written."""
        ends_s = time.monotonic() + seconds
        while not stop.is_set() and (left_s := ends_s - time.monotonic()) > 0:
            self._feed.look()
            self._feed.tick()
            stop.wait(min(left_s, 5.0))

    def _health(self) -> bytes:
        status = read_service(self._status_file)
        problem = service_problem(status, self._boot) if self._status_file is not None else None
        faults = [f"{state.name}: {state.fault}" for state in self._others() if state.fault is not None]
        return health_payload(self._memory.owner, problem or next(iter(faults), None), self._feed.waiting, status)
