"""Run all outputs that the settings name, each in a thread of its own, from one store."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from edge.config.settings import Settings
from edge.errors import ConfigError, FieldfareError
from edge.outputs.base import Output
from edge.outputs.cursor import Cursor
from edge.outputs.feed import Feed
from edge.outputs.only_one import claim
from edge.outputs.pulled import PulledOutput
from edge.outputs.service_status import boot_id
from edge.printable import were
from edge.processes.outputs_messages import OutputState
from edge.store.files import located

_log = logging.getLogger(__name__)

# An output that failed in an unforeseen way begins again after so many seconds; the last value stays.
_AGAIN_S = (5.0, 30.0, 300.0, 3600.0)
# MQTT publishes that it ends; the others end at once.
_END_S = 4.0
_DRAIN_LOOK_S = 0.1
SECTIONS = ("mqtt", "metrics", "event_lines", "hook", "gpio", "led")


class Places:
    """Folders and files beside the settings.

    status_file: the service's, None if there is none to read. memory: a folder in memory (/run), None if there is none.
    """

    def __init__(self, status_file: Path | None, memory: Path | None) -> None:
        self.status_file, self.memory = status_file, memory


class Outputs:
    """The outputs of the settings. Used by one thread, which must call `look` about once a second."""

    def __init__(self, settings: Settings, device: str, places: Places) -> None:
        """Build them. One that lacks its library or its pin is logged and left out.

        Raises ConfigError if there is no store or no output in the settings, UnavailableError if another process sends
        the events of this store, and the first one's error if all are left out.
        """
        if settings.events.store is None:
            raise ConfigError("events.store is missing: outputs send events, so name a store in [events]")
        self._settings, self._device, self._places = settings, device, places
        self._store = located(Path(settings.events.store))
        self._boot = boot_id()
        self._outputs: list[Output] = []
        self._feeds: list[Feed] = []  # of those that send each event soon
        self._left_out: list[OutputState] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._seen: tuple[object, ...] = ()
        self._crashed: dict[str, str] = {}
        self._lock: int | None = None
        self._build()

    def _build(self) -> None:
        makers: dict[str, Callable[[], Output]] = {
            "mqtt": self._mqtt,
            "metrics": self._metrics,
            "event_lines": self._event_lines,
            "hook": self._hook,
            "gpio": self._gpio,
            "led": self._led,
        }
        wanted = [name for name in SECTIONS if getattr(self._settings, name) is not None]
        if not wanted:
            raise ConfigError(f"no output is set: add one of {', '.join(f'[{name}]' for name in SECTIONS)}")
        self._lock = claim(self._folder)
        errors: list[FieldfareError] = []
        for name in wanted:
            try:
                self._outputs.append(makers[name]())
            except FieldfareError as error:
                errors.append(error)
                self._left_out.append(OutputState(name=name, fault=str(error)))
        if not self._outputs:
            self.close()
            raise errors[0]
        for left_out in errors:
            _log.error("%s; this output is off", left_out)

    def start(self) -> None:
        """Start their threads."""
        for output in self._outputs:
            thread = threading.Thread(target=self._keep_running, args=(output,), name=output.state.name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def states(self) -> tuple[OutputState, ...]:
        """Return the state of each; called by any thread."""
        states = [output.state for output in self._outputs]
        crashed = {state.name: self._crashed.get(state.name) for state in states}
        return (
            *(msgspec.structs.replace(state, fault=crashed[state.name] or state.fault) for state in states),
            *self._left_out,
        )

    def look(self) -> None:
        """Wake the outputs if the store has changed."""
        # Two calls of stat a second instead of a query by each output: idle, the process takes 0.03 % of a core.
        seen = tuple(map(_signature, (self._store, self._store.with_name(f"{self._store.name}-wal"))))
        if seen != self._seen:
            self._seen = seen
            for output in self._outputs:
                output.wake()

    def drain(self, seconds: float) -> None:
        """Send what is in the store by now; returns when nothing waits, or after `seconds`."""
        began_s = time.monotonic()
        while not all(feed.settled(began_s) for feed in self._feeds) and time.monotonic() - began_s < seconds:
            for output in self._outputs:
                output.wake()
            self._stop.wait(_DRAIN_LOOK_S)

    def close(self) -> None:
        """End them; returns after 4 s at most."""
        self._stop.set()
        for output in self._outputs:
            output.wake()
        ends_s = time.monotonic() + _END_S
        for thread in self._threads:
            thread.join(max(0.0, ends_s - time.monotonic()))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def report_left(self) -> None:
        """Log what was not sent; call it when they have ended."""
        for feed in self._feeds:
            if feed.left:
                _log.info("%s: %s not sent: the next start goes on with that", feed.name, were(feed.left, "event"))

    def summary(self) -> str:
        """Return one line for `systemctl status`."""
        return "; ".join(f"{state.name}: {state_words(state)}" for state in self.states())

    def _keep_running(self, output: Output) -> None:
        name, tries = output.state.name, 0
        while not self._stop.is_set():
            try:
                self._crashed.pop(name, None)
                output.run(self._stop)
            # Whatever it was, it must not end the other outputs; it is logged with its trace.
            except Exception as error:  # noqa: BLE001
                pause_s = _AGAIN_S[min(tries, len(_AGAIN_S) - 1)]
                tries += 1
                self._crashed[name] = f"unforeseen: {type(error).__name__}: {error}"
                _log.exception("%s: unforeseen; it begins again in %g s", name, pause_s)
                self._stop.wait(pause_s)

    def _cursor(self, name: str, before_saving: Callable[[], None] | None = None) -> Cursor:
        memory = self._places.memory
        copy = None if memory is None else memory / "cursors" / f"{name}.json"
        return Cursor(self._folder / f"{name}.json", copy, before_saving)

    @property
    def _folder(self) -> Path:
        return _folder_of(self._store)

    def _mqtt(self) -> Output:
        from edge.outputs.mqtt.memory import Memory
        from edge.outputs.mqtt.output import MqttOutput

        settings = self._settings.mqtt
        assert settings is not None
        feed = self._followed(Feed(self._store, "mqtt", self._cursor("mqtt"), max_waiting=settings.max_waiting))
        memory = Memory(known_file(self._store))
        status_file = self._places.status_file
        return MqttOutput(
            settings, self._device, feed, memory, boot=self._boot, status_file=status_file, others=self.states
        )

    def _metrics(self) -> Output:
        from edge.outputs.metrics import Counted, MetricsOutput

        assert self._settings.metrics is not None
        counted = Counted(self._places.status_file, self._boot, self.states)
        return MetricsOutput(self._settings.metrics, Feed(self._store, "metrics", begins="last"), counted)

    def _event_lines(self) -> Output:
        from edge.outputs.event_lines import EventLinesTaker

        assert self._settings.event_lines is not None
        taker = EventLinesTaker(self._settings.event_lines)
        feed = self._followed(Feed(self._store, "event_lines", self._cursor("event_lines", taker.sync)))
        return PulledOutput("event_lines", feed, taker)

    def _hook(self) -> Output:
        from edge.outputs.hook import HookTaker

        assert self._settings.hook is not None
        # Whoever adds a hook wants no message for each event of the last season.
        feed = self._followed(Feed(self._store, "hook", self._cursor("hook"), begins="last"))
        return PulledOutput("hook", feed, HookTaker(self._settings.hook))

    def _gpio(self) -> Output:
        from edge.outputs.gpio import GpioTaker, open_pin

        gpio = self._settings.gpio
        assert gpio is not None
        taker = GpioTaker(
            gpio, open_pin(gpio), boot=self._boot, durable_within_s=self._settings.events.durable_within_s
        )
        return PulledOutput("gpio", self._followed(Feed(self._store, "gpio", begins="last")), taker)

    def _led(self) -> Output:
        from edge.outputs.gpio import Pin, open_pin
        from edge.outputs.led.light import BoardLight
        from edge.outputs.led.output import LedOutput

        led = self._settings.led
        assert led is not None

        def take() -> Pin:
            return BoardLight(led.name) if led.name is not None else open_pin(led, "led")

        return LedOutput(take, self._places.status_file, self._boot)

    def _followed(self, feed: Feed) -> Feed:
        self._feeds.append(feed)
        return feed


def _folder_of(store: Path) -> Path:
    """Return the folder of the cursors: beside the store, so that it goes where that goes."""
    return store.with_name(f"{store.name}.outputs")


def known_file(store: Path) -> Path:
    """Return the file that holds what the broker of [mqtt] knows of this device."""
    return _folder_of(store) / "mqtt-known.json"


def state_words(state: OutputState) -> str:
    """Return how an output is, in a few words."""
    if state.fault is not None:
        return state.fault
    words = f"{state.waiting} waiting" if state.waiting else "up to date"
    return words if state.notice is None else f"{words}; {state.notice}"


def _signature(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
