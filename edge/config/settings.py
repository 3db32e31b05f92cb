"""All settings of the service, as they are sent to its processes."""

from edge.config.keeping import Device, Events, Harvest, Pictures, Schedule
from edge.config.locating import Locate
from edge.config.running import Camera, Decisions, Engine, Load, Output, Power, Recovery
from edge.config.sections import Section, Text
from edge.config.sending import EventLines, Gpio, Hook, Led, Metrics, Mqtt, Pages

# The kernel sends no message of more than 200 kB to the worker.
MAX_SENT = 1 << 17
# Stands for the bundle in the settings of a command that does not open it by them.
NO_BUNDLE = "(none)"


class Settings(Section, frozen=True, kw_only=True):
    """The whole file. bundle: a directory or a .fieldfare file."""

    bundle: Text
    camera: Camera = Camera()
    locate: Locate = Locate()
    engine: Engine = Engine()
    decision: Decisions = Decisions()
    output: Output = Output()
    load: Load = Load()
    recovery: Recovery = Recovery()
    power: Power | None = None
    device: Device = Device()
    events: Events = Events()
    pictures: Pictures = Pictures()
    harvest: Harvest = Harvest()
    schedule: Schedule = Schedule()
    mqtt: Mqtt | None = None
    metrics: Metrics | None = None
    event_lines: EventLines | None = None
    hook: Hook | None = None
    gpio: Gpio | None = None
    led: Led | None = None
    pages: Pages = Pages()
