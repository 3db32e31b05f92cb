"""Remove a device from Home Assistant and from the broker."""

import secrets
import time

from edge.config.sending import Mqtt
from edge.errors import UnavailableError
from edge.outputs.mqtt.connection import Acknowledged, Connection, ConnectionLost, broker_address, require_paho
from edge.outputs.mqtt.login import read_login
from edge.outputs.mqtt.memory import Known
from edge.outputs.mqtt.session import bells
from edge.outputs.mqtt.topics import Topics, discovery_topic

_ANSWER_S = 10.0


def remove_device(settings: Mqtt, device: str, known: Known | None) -> int:
    """Publish empty retained messages to all topics of a device; return how many.

    known: what the broker holds of it beside that, under other settings; None: nothing is known.

    Raises UnavailableError if the broker cannot be reached, MissingPackageError without paho-mqtt.
    """
    require_paho()
    topics = Topics(settings.topic, device)
    here = [discovery_topic(settings.discovery, device)] if settings.discovery else []
    before = [] if known is None else [*known.gone, *([] if known.announced is None else [known.announced])]
    gone = list(dict.fromkeys([*here, *topics.retained, *before]))
    bell, ringer = bells()
    try:
        # Not the client id of the running outputs, which would lose their connection.
        address = broker_address(settings, f"fieldfare-removal-{secrets.token_hex(4)}", None)
        connection = Connection(address, read_login(settings), version5=False, bell=bell)
        try:
            _clear(connection, gone)
            connection.disconnect()
        finally:
            connection.close()
    except ConnectionLost as error:
        raise UnavailableError(f"mqtt: {error}") from error
    finally:
        bell.close()
        ringer.close()
    return len(gone)


def _clear(connection: Connection, topics: list[str]) -> None:
    waiting = {connection.publish(topic, b"", retain=True) for topic in topics}
    ends_s = time.monotonic() + _ANSWER_S
    while waiting:
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            raise ConnectionLost("the broker does not acknowledge")
        waiting -= {
            happening.message_id for happening in connection.poll(left_s) if isinstance(happening, Acknowledged)
        }
