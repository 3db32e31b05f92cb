"""The sections of the outputs for events: each is off unless it is in the settings."""

from typing import Annotated

from msgspec import Meta

from edge.config.running import Pin
from edge.config.secret_files import SecretFile
from edge.config.sections import Section, Text

Port = Annotated[int, Meta(ge=1, le=65535)]
# MQTT's own wildcards, and $ for the broker's own topics, have no place in a topic to publish to.
_ADDRESS = r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\Z"
_LEVELS = r"[^\x00-\x1f#+$/]([^\x00-\x1f#+]*[^\x00-\x1f#+/])?"
_TOPIC = rf"^{_LEVELS}\Z"
# Not Literal[""] | Topic: msgspec then judges "" by the pattern, too.
_DISCOVERY = rf"^({_LEVELS})?\Z"
_TOPIC_WORDS = "a topic of 1 to 200 characters without +, # and control characters, with no / at either end"
Topic = Annotated[str, Meta(pattern=_TOPIC, max_length=200, description=_TOPIC_WORDS)]
Discovery = Annotated[
    str, Meta(pattern=_DISCOVERY, max_length=200, description=f'{_TOPIC_WORDS}, or "" for no discovery')
]


class Mqtt(Section, frozen=True, kw_only=True):
    """[mqtt]: events to a broker, at least once, in order, with Home Assistant's device discovery.

    - port: None: 8883 with TLS, else 1883.
    - password_file: holds the password, so that it is in no settings file; systemd's credentials work, too.
    - tls: encrypt; ca, certificate, key: files in PEM form, each of them turns tls on.
    - topic: all topics begin with TOPIC/DEVICE. discovery: Home Assistant's prefix, "" for none.
    - pictures: also publish the last event's picture.
    - max_waiting: events that may wait for the broker; older ones are left out, which a gap record states.
    """

    host: Text
    port: Port | None = None
    username: Text | None = None
    password_file: SecretFile | None = None
    tls: bool = False
    ca: Text | None = None
    certificate: Text | None = None
    key: Text | None = None
    topic: Topic = "fieldfare"
    discovery: Discovery = "homeassistant"
    pictures: bool = True
    max_waiting: Annotated[int, Meta(ge=100, le=100_000_000)] = 1_000_000

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("key must be given together with certificate, or neither")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.tls or any((self.ca, self.certificate))


class Metrics(Section, frozen=True, kw_only=True):
    """[metrics]: counts for Prometheus, as a text file for node_exporter, or on a port of this machine.

    host: the address that the port is opened on.
    """

    file: Text | None = None
    port: Port | None = None
    host: Text = "127.0.0.1"

    def __post_init__(self) -> None:
        if self.file is None and self.port is None:
            raise ValueError("file must be given, or port: otherwise nothing is written")


class EventLines(Section, frozen=True, kw_only=True):
    """[event_lines]: events as JSON lines to a file, rotated at max_mb megabytes; `keep` old files are kept."""

    file: Text
    max_mb: Annotated[int, Meta(ge=1, le=100_000)] = 64
    keep: Annotated[int, Meta(ge=0, le=1000)] = 4


class Hook(Section, frozen=True, kw_only=True):
    """[hook]: a program that is run for each event, with the event as JSON on its standard input. Never a shell.

    - command: the program and its arguments.
    - labels: only for these; none given: for all.
    - timeout_s: seconds after which it is killed. tries: how often a failing one is run for an event.
    """

    command: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=64)]
    labels: tuple[Text, ...] = ()
    timeout_s: Annotated[float, Meta(ge=0.1, le=3600)] = 10.0
    tries: Annotated[int, Meta(ge=1, le=10)] = 1


_LED = r"^[A-Za-z0-9][A-Za-z0-9_.:+-]*\Z"
_LED_WORDS = "the name of a folder in /sys/class/leds, such as ACT"


class Led(Section, frozen=True, kw_only=True):
    """[led]: a light that shows how the service is.

    - name: a light of the board, as /sys/class/leds has it.
    - pin: or one on a pin, as in Gpio. active_high: it is lit at the high level.
    """

    name: Annotated[str, Meta(pattern=_LED, max_length=100, description=_LED_WORDS)] | None = None
    pin: Pin | None = None
    active_high: bool = True

    def __post_init__(self) -> None:
        if (self.name is None) == (self.pin is None):
            raise ValueError("name must be given, or pin, but not both")


class Pages(Section, frozen=True, kw_only=True):
    """[pages]: where `fieldfare serve` listens. address: of this machine; others than 127.0.0.1 need a password.

    certificate, key: files in PEM form; None: those of `fieldfare serve certificate`, if it made some.
    """

    address: Annotated[str, Meta(pattern=_ADDRESS, max_length=45, description="an IP address")] = "127.0.0.1"
    port: Port = 8080
    certificate: Text | None = None
    key: Text | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("key must be given together with certificate, or neither")


class Gpio(Section, frozen=True, kw_only=True):
    """[gpio]: a pin that is on for `seconds` after each event. pin: as gpiozero names it, such as 17 or "BOARD11".

    labels: only for these; none given: for all. active_high: on is the high level.
    """

    pin: Pin
    labels: tuple[Text, ...] = ()
    seconds: Annotated[float, Meta(ge=0.01, le=3600)] = 1.0
    active_high: bool = True
