"""Count for Prometheus: to a text file for node_exporter, or on a port of this machine."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.config.sending import Metrics
from edge.errors import MissingPackageError, UnavailableError
from edge.outputs.base import Fault
from edge.outputs.feed import Feed, Gap
from edge.outputs.harmless import harmless
from edge.outputs.service_status import ServiceStatus, read_service, service_problem
from edge.processes.outputs_messages import OutputState
from edge.storage import replace_file
from edge.store.records import StoredEvent

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_log = logging.getLogger(__name__)

# Prometheus usually fetches every 15 to 60 s. The file belongs on a file system in memory: 6,000 writes a day.
_EVERY_S = 15.0
_BATCH = 500
# Each label is a time series for ever. More are counted together.
_MOST_LABELS = 200
_OTHER = "(other)"
# Of the service's own counts, those that a graph is made of.
_COUNTS = {
    "results": "Results that were published.",
    "captured": "Frames from the camera.",
    "looked_at": "Frames that were looked at.",
    "dropped": "Frames that newer ones replaced.",
    "camera_faults": "Faults of the camera.",
    "engine_faults": "Faults of the engine.",
    "worker_starts": "Starts of the worker.",
}


class Counted:
    """What the outputs have seen since they started, and what the service reports. A collector of prometheus-client;
    any thread collects."""

    def __init__(self, status_file: Path | None, boot: str, states: Callable[[], Sequence[OutputState]]) -> None:
        self._status_file, self._boot, self._states = status_file, boot, states
        self._lock = threading.Lock()
        self._events: dict[str, int] = {}
        self._seconds: dict[str, float] = {}

    def add(self, stored: StoredEvent) -> None:
        """Count an event."""
        label = harmless(stored.event.label)
        lasted_s = max(0.0, stored.event.end_mono_s - stored.event.begin_mono_s)
        with self._lock:
            if label not in self._events and len(self._events) >= _MOST_LABELS:
                label = _OTHER
            self._events[label] = self._events.get(label, 0) + 1
            self._seconds[label] = self._seconds.get(label, 0.0) + lasted_s

    def collect(self) -> Iterator["Metric"]:
        """Yield all metrics, as prometheus-client's collectors do."""
        from prometheus_client.core import CounterMetricFamily

        events = CounterMetricFamily("fieldfare_events", "Events since the outputs started.", labels=["label"])
        seconds = CounterMetricFamily("fieldfare_event_seconds", "Seconds that they lasted.", labels=["label"])
        with self._lock:
            for label, number in self._events.items():
                events.add_metric([label], number)
                seconds.add_metric([label], self._seconds[label])
        yield events
        yield seconds
        yield from self._outputs()
        yield from self._service(read_service(self._status_file))

    def _outputs(self) -> Iterator["Metric"]:
        from prometheus_client.core import GaugeMetricFamily

        waiting = GaugeMetricFamily("fieldfare_output_waiting", "Events that wait to be sent.", labels=["output"])
        fault = GaugeMetricFamily("fieldfare_output_fault", "1 if nothing goes out at present.", labels=["output"])
        words = "1 if something is held back or left out."
        notice = GaugeMetricFamily("fieldfare_output_notice", words, labels=["output"])
        for state in self._states():
            waiting.add_metric([state.name], state.waiting)
            fault.add_metric([state.name], state.fault is not None)
            notice.add_metric([state.name], state.notice is not None)
        yield from (waiting, fault, notice)

    def _service(self, status: ServiceStatus | None) -> Iterator["Metric"]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        # A run by hand keeps no status: nothing is known of it, which is neither 0 nor 1.
        if self._status_file is not None:
            well = service_problem(status, self._boot) is None
            yield GaugeMetricFamily("fieldfare_up", "1 if the service runs as in its settings.", value=well)
        if status is None:
            return
        for name, words in _COUNTS.items():
            if name in status.counts:
                yield CounterMetricFamily(f"fieldfare_{name}", words, value=status.counts[name])
        yield GaugeMetricFamily("fieldfare_results_per_second", "Over the last ten seconds.", value=status.fps)
        gauges = {"board_temperature_celsius": ("Temperature of the board.", status.load.temperature_c)}
        if (kept := status.events) is not None:
            gauges |= {
                "stored_events": ("Events in the store.", kept.stored),
                "unstored_events": ("Events that wait for the recorder.", kept.waiting),
                "pictures_megabytes": ("What the pictures of events take.", kept.pictures_mb),
                "harvest_megabytes": ("What frames for the next training take.", kept.harvest_mb),
                "written_bytes_today": ("Written to disks since midnight.", kept.written_bytes),
            }
        for name, (words, value) in gauges.items():
            if value is not None:
                yield GaugeMetricFamily(f"fieldfare_{name}", words, value=value)


class MetricsOutput:
    """Metrics in a file, on a port, or both."""

    def __init__(self, metrics: Metrics, feed: Feed, counted: Counted) -> None:
        """Open the port, if one is set. Raises MissingPackageError or UnavailableError."""
        try:
            from prometheus_client import CollectorRegistry, start_http_server
            from prometheus_client.exposition import generate_latest
        except ImportError as error:
            message = f"[metrics] needs prometheus-client: pip install prometheus-client: {error}"
            raise MissingPackageError(message) from error
        self._file = Path(metrics.file) if metrics.file is not None else None
        self._feed, self._counted = feed, counted
        self._fault = Fault("metrics")
        self._bell = threading.Event()
        registry = CollectorRegistry()
        registry.register(counted)  # it calls `collect`
        self._text: Callable[[], bytes] = lambda: generate_latest(registry)
        self._server: Any = None
        if metrics.port is not None:
            try:
                self._server, _ = start_http_server(metrics.port, metrics.host, registry)
            except OSError as error:
                message = f"[metrics] port {metrics.port} of {metrics.host}: {error.strerror or error}"
                raise UnavailableError(message) from error

    @property
    def state(self) -> OutputState:
        """See Output.state."""
        return OutputState(name="metrics", fault=self._fault.why or self._feed.fault.why, waiting=self._feed.waiting)

    def wake(self) -> None:
        """See Output.wake. New events need not be counted at once."""
        self._bell.set()

    def run(self, stop: threading.Event) -> None:
        """See Output.run."""
        self._feed.again()
        try:
            while not stop.is_set():
                self._count()
                self._write()
                ends_s = time.monotonic() + _EVERY_S
                while not stop.is_set() and (left_s := ends_s - time.monotonic()) > 0:
                    stop.wait(left_s)
            # A short replay by hand ends before the next one is due.
            self._count()
            self._write()
        finally:
            self._feed.close()
            if stop.is_set() and self._server is not None:
                self._server.shutdown()
                self._server.server_close()

    def _count(self) -> None:
        while items := self._feed.next(_BATCH):
            for item in items:
                if not isinstance(item.what, Gap):
                    self._counted.add(item.what)
            self._feed.done(items[-1])

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            # For every user: node_exporter has one of its own.
            replace_file(self._file, self._text(), 0o644, synced=False)
        except OSError as error:
            self._fault.set(f"{self._file}: cannot write: {error.strerror or error}")
        else:
            self._fault.clear()
