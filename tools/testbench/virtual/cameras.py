"""The Pi's own way to a camera: picamera2 and libcamera, on the kernel's vimc."""

from virtual.machine import Machine
from virtual.service import Service
from virtual.steps import Say

# vimc needs half a second for a frame; opening it takes libcamera a while, too.
_FIRST_S = 240.0
_ONLY_VIMC = "[Service]\nEnvironment=LIBCAMERA_PIPELINES_MATCH_LIST=vimc\n"
_SENSORS = "grep -l Sensor /sys/class/video4linux/v4l-*/name | sed 's|/name$||; s|.*/|/dev/|'"
_SCENERY = f"systemd-run --quiet --unit=bench-scenery-vimc --collect python3 -I /bench/guest/scenery.py 5 $({_SENSORS})"


class Cameras:
    """The step."""

    def __init__(self, machine: Machine, service: Service) -> None:
        """The service runs on vivid."""
        self._machine, self._service = machine, service

    def picamera2(self, say: Say) -> None:
        """Move the service to picamera2, wait for events, and move it back."""
        self._machine.run(f"modprobe vimc && udevadm settle && {_SCENERY}", timeout_s=120)
        self._service.drop_in("vimc", _ONLY_VIMC)
        self._use("picamera2")
        try:
            say(f"events after {self._service.wait_for_events(_FIRST_S):.1f} s")
            status = self._service.status()
            say(f"{status.get('source')}; {status['counts']['results']} results, {status['state']}")
        finally:
            self._machine.run("systemctl stop bench-scenery-vimc")
            self._use("/dev/video0")
        say(f"on vivid again: events after {self._service.wait_for_events(_FIRST_S):.1f} s")

    def _use(self, source: str) -> None:
        change = f"sed -i 's|^source = .*|source = \"{source}\"|' /etc/fieldfare/fieldfare.toml"
        self._machine.run(f"{change} && systemctl restart fieldfare", timeout_s=240)
