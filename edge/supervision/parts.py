"""Build the parts of the service that outlive its workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.config.request import SettingsRequest
from edge.config.running import Output
from edge.config.settings import Settings
from edge.events.device import device_name
from edge.processes.listener import Listener
from edge.processes.side_jobs import SideJobs
from edge.sinks.base import Sink
from edge.supervision.announcer import Announcer
from edge.supervision.beside.company import Company
from edge.supervision.beside.starting import StartHelper, start_power_watch, start_recorder
from edge.supervision.changing.changes import Changes
from edge.supervision.counting import Counting
from edge.supervision.edgetpu_watch import EdgeTpuWatch
from edge.supervision.escalation import Escalation
from edge.supervision.life_watch import LifeWatch
from edge.supervision.load.regulator import Regulator
from edge.supervision.load.sleep import Sleep
from edge.supervision.reboot import RebootHook
from edge.supervision.recovery import Restarts
from edge.supervision.resting.bedtime import why_asleep
from edge.supervision.resting.rest import Rest
from edge.supervision.states import ServiceState
from edge.supervision.status import Counts, Status, StatusFile, begin
from edge.supervision.systemd import STATUS, Place, SystemdNotifier
from edge.supervision.throughput import Publisher

if TYPE_CHECKING:
    from edge.supervision.resting.watch import PowerWatch
from edge.supervision.watchdog.feeding import Feeding
from edge.supervision.worker_watch import Life


@dataclass(frozen=True, slots=True)
class Parts:
    """What the supervisor works with. Each class documents itself; `sleep` is None if the camera never sleeps."""

    settings: Settings
    place: Place
    helpers: "Helpers"
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
    feeding: Feeding
    power: "PowerWatch | None"
    rest: Rest
    sleep: Sleep | None
    life_watch: LifeWatch
    counting: Counting
    restarts: Restarts

    def announce(self) -> None:
        """Report the state, and to systemd that the service is ready: it serves, sleeps, or reports what is missing."""
        self.announcer.set(self.state.state, self.state.why)
        if self.state.exit_status is None:
            self.announcer.ready()

    def tick(self, now: float) -> None:
        """Do the regular work beside the worker."""
        self.company.tick(now)
        if self.power is not None:
            self.power.tick(now)

    def feed(self, life: Life | None, now: float, *, rests: bool) -> None:
        """Feed systemd's watchdog unless something should have been repaired long ago. rests: there must be no
        worker."""
        of_worker = self.feeding.of_worker(
            life, self.settings, self.life_watch, self.regulator.limit_fps, tries=self.state.tries, rests=rests
        )
        self.feeding.look([*of_worker, *self.company.duties], now)

    def excuse(self, away_s: float) -> None:
        """Extend all deadlines by `away_s`, during which this process was not running."""
        self.life_watch.excuse(away_s)
        self.company.excuse(away_s)
        if self.power is not None:
            self.power.excuse(away_s)

    def why_asleep(self, now: float, *, working: bool) -> str | None:
        """Return why the camera must sleep, None if it must not. working: there is a worker."""
        return why_asleep(self.rest, self.sleep, self.company, self.status, now, working=working)

    def renewed(self, settings: Settings, changes: Changes, renewal: "Renewal") -> "Parts":
        """Return the parts for other settings: those whose sections are the same go on, the others begin anew."""
        sections, jobs, counts = changes.sections, self.jobs, self.status.counts
        sleep, edgetpu, escalation, regulator = self.sleep, self.edgetpu, self.escalation, self.regulator
        if sections & {"schedule", "device"}:
            sleep = renewal.sleep(settings)
        if sections & {"engine", "recovery"}:
            edgetpu = EdgeTpuWatch(settings, jobs, counts)
        if sections & {"camera", "recovery"}:
            escalation = _escalation(settings, self.place, jobs, counts)
        if sections & {"camera", "load"}:
            regulator = Regulator(settings.load, settings.camera.fps)
        power, rest = self.power, self.rest
        if "power" in sections:
            if power is not None:
                power.close()
            power = _power_watch(settings, self.listener, self.helpers)
            rest = _rest(settings, self.place, jobs, power)
        if "output" in sections:
            self.publisher.use(renewal.sinks(settings.output))
        device = device_name(settings.device, self.place.state)
        self.company.apply(settings, device, recorder=changes.recorder, outputs=changes.outputs)
        return replace(
            self,
            settings=settings,
            power=power,
            rest=rest,
            sleep=sleep,
            edgetpu=edgetpu,
            escalation=escalation,
            regulator=regulator,
            life_watch=LifeWatch(settings) if changes.worker else self.life_watch,
        )


@dataclass(frozen=True, slots=True)
class Helpers:
    """How the processes beside the worker are started. outputs: None if another service runs them."""

    recorder: StartHelper = start_recorder
    outputs: StartHelper | None = None
    power: StartHelper = start_power_watch


@dataclass(frozen=True, slots=True)
class Renewal:
    """What settings that are read again need, and only the command can build.

    request: what to read; None if nothing can be read again. sinks, sleep: as for a new Supervisor.
    """

    request: SettingsRequest | None
    sinks: Callable[[Output], Sequence[Sink]]
    sleep: Callable[[Settings], Sleep | None]


def _escalation(settings: Settings, place: Place, jobs: SideJobs, counts: Counts) -> Escalation:
    hook = RebootHook.at(place.state, place.run, settings.recovery.reboots_a_day)
    return Escalation(settings, hook, jobs, counts)


def _power_watch(settings: Settings, listener: Listener, helpers: Helpers) -> "PowerWatch | None":
    if settings.power is None:
        return None
    from edge.supervision.resting.watch import PowerWatch  # few devices have such a supply

    return PowerWatch(settings.power, listener, helpers.power)


def _rest(settings: Settings, place: Place, jobs: SideJobs, power: "PowerWatch | None") -> Rest:
    return Rest(place.run, jobs, power, off=settings.power is not None and settings.power.off)


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
    device = device_name(settings.device, place.state)
    power = _power_watch(settings, listener, helpers)
    announcer = Announcer(status, publisher.tally, status_file, notifier)
    return Parts(
        settings=settings,
        place=place,
        helpers=helpers,
        status=status,
        state=ServiceState(service, settings.camera.endless),
        publisher=publisher,
        announcer=announcer,
        feeding=Feeding(announcer, status.counts),
        listener=listener,
        jobs=jobs,
        edgetpu=EdgeTpuWatch(settings, jobs, status.counts),
        escalation=_escalation(settings, place, jobs, status.counts),
        regulator=Regulator(settings.load, settings.camera.fps),
        company=Company(
            settings, device, status, listener, start_recorder=helpers.recorder, start_outputs=helpers.outputs
        ),
        power=power,
        rest=_rest(settings, place, jobs, power),
        sleep=sleep if settings.camera.endless else None,
        life_watch=LifeWatch(settings),
        counting=Counting(status.counts),
        restarts=Restarts(),
    )
