"""Build the parts of the service that outlive its workers."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.config.settings import Settings
from edge.events.device import device_name
from edge.processes.listener import Listener
from edge.processes.side_jobs import SideJobs
from edge.sinks.base import Sink
from edge.supervision.announcer import Announcer
from edge.supervision.beside.company import Company
from edge.supervision.beside.starting import StartHelper, start_recorder
from edge.supervision.counting import Counting
from edge.supervision.edgetpu_watch import EdgeTpuWatch
from edge.supervision.escalation import Escalation
from edge.supervision.life_watch import LifeWatch
from edge.supervision.load.regulator import Regulator
from edge.supervision.load.sleep import Sleep
from edge.supervision.reboot import RebootHook
from edge.supervision.recovery import Restarts
from edge.supervision.states import ServiceState
from edge.supervision.status import Status, StatusFile, begin
from edge.supervision.systemd import STATUS, Place, SystemdNotifier
from edge.supervision.throughput import Publisher


@dataclass(frozen=True, slots=True)
class Parts:
    """What the supervisor works with. Each class documents itself; `sleep` is None if the camera never sleeps."""

    settings: Settings
    status: Status
    state: ServiceState
    publisher: Publisher
    announcer: Announcer
    listener: Listener
    jobs: SideJobs
    edgetpu: EdgeTpuWatch
    escalation: Escalation
    regulator: Regulator
    company: Company
    sleep: Sleep | None
    life_watch: LifeWatch
    counting: Counting
    restarts: Restarts

    def announce(self) -> None:
        """Report the state, and to systemd that the service is ready: it serves, sleeps, or reports what is missing."""
        self.announcer.set(self.state.state, self.state.why)
        if self.state.exit_status is None:
            self.announcer.ready()


@dataclass(frozen=True, slots=True)
class Helpers:
    """How the processes beside the worker are started. outputs: None if another service runs them."""

    recorder: StartHelper = start_recorder
    outputs: StartHelper | None = None


def build_parts(
    settings: Settings,
    sinks: Sequence[Sink],
    notifier: SystemdNotifier,
    place: Place,
    *,
    service: bool,
    max_frames: int | None,
    sleep: Sleep | None,
    helpers: Helpers,
) -> Parts:
    """Build them; no process is started. The arguments are those of Supervisor."""
    status, listener, jobs = begin(), Listener(), SideJobs()
    publisher = Publisher(sinks, status, max_frames)
    status_file = StatusFile(place.run / STATUS if place.run else None)
    hook = RebootHook.at(place.state, place.run, settings.recovery.reboots_a_day)
    device = device_name(settings.device, place.state)
    return Parts(
        settings=settings,
        status=status,
        state=ServiceState(service, settings.camera.endless),
        publisher=publisher,
        announcer=Announcer(status, publisher.tally, status_file, notifier),
        listener=listener,
        jobs=jobs,
        edgetpu=EdgeTpuWatch(settings, jobs, status.counts),
        escalation=Escalation(settings, hook, jobs, status.counts),
        regulator=Regulator(settings.load, settings.camera.fps),
        company=Company(
            settings, device, status, listener, start_recorder=helpers.recorder, start_outputs=helpers.outputs
        ),
        sleep=sleep if settings.camera.endless else None,
        life_watch=LifeWatch(settings),
        counting=Counting(status.counts),
        restarts=Restarts(),
    )
