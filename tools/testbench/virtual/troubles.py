"""What befalls the service in the field, while it works: killed, hung, starved, its disk full, its stick pulled."""

from collections.abc import Sequence

import host
from virtual.machine import Machine
from virtual.service import PARTS, Service
from virtual.steps import Say

# A hang of any process ends within this time (docs/recovery.md).
HANG_S = 30.0
# Hung at once, to save time: neither is judged by the other.
_HUNG_TOGETHER = (("supervisor",), ("worker",), ("recorder", "outputs"))
# Until events are acknowledged again, after whatever it was: all is emulated, and shares its processors.
BACK_S = 120.0
_FULL_S = 15.0
# For each of the processes: after how many seconds it was gone.
_GONE = """
up() {{ cut -d' ' -f1 /proc/uptime; }}
begin=$(up)
kill -{signal} {pids}
for pid in {pids}; do
    while [ -e /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status 2>/dev/null; do sleep 0.2; done
    echo $begin $(up)
done
"""
_HOG = (
    "systemd-run --quiet --collect --unit=bench-hog --property=MemorySwapMax=0 --property=OOMPolicy=kill "
    "python3 -c 'held = []\nwhile True: held.append(b\"x\" * (1 << 24))'"
)


# By the service's user, for whom the file system is full earlier than for root.
_FILLER = "/var/lib/fieldfare/filler"
_FILL = f"""
runuser -u fieldfare -- sh -c 'fallocate -l $(df --output=avail -B1 /var/lib | tail -1) {_FILLER}
cat /dev/zero >>{_FILLER}' 2>/dev/null
df -h /var/lib | tail -1
"""
_MEMORY = "/sys/fs/cgroup/system.slice/fieldfare.service/memory.stat"


class Troubles:
    """Each method is a step."""

    def __init__(self, machine: Machine, service: Service) -> None:
        """The service runs, and notes what it acknowledges."""
        self._machine, self._service = machine, service

    def kill(self, say: Say) -> None:
        """Kill each process at once, one after the other."""
        for name in PARTS:
            self._strike((name,), "KILL")
            say(f"{name} killed: events again after {self._back(name):.1f} s")
        self._judge(say)

    def hang(self, say: Say) -> None:
        """Stop each process: each must be ended within HANG_S."""
        slow = []
        for names in _HUNG_TOGETHER:
            for name, took_s in self._strike(names, "STOP").items():
                say(f"{name} hung: ended after {took_s:.1f} s")
                if took_s > HANG_S:
                    slow.append(f"{name} hung for {took_s:.1f} s")
            for name in names:
                say(f"{name}: events again {self._back(name):.1f} s later")
        self._judge(say)
        if slow:
            raise host.Failed(f"{', '.join(slow)}: at most {HANG_S:g} s are promised")

    def _strike(self, names: Sequence[str], signal: str) -> dict[str, float]:
        """Send a signal to these. Return how long each stayed, in seconds of the machine."""
        self._service.wait_until(
            lambda: self._service.parts().keys() >= set(names), BACK_S, f"{' and '.join(names)} run"
        )
        parts = self._service.parts()
        script = _GONE.format(signal=signal, pids=" ".join(str(parts[name]) for name in names))
        lines = self._machine.run(script, timeout_s=240).splitlines()
        stays = [float(ended) - float(began) for began, ended in map(str.split, lines)]
        return dict(zip(names, stays, strict=True))

    def _back(self, name: str) -> float:
        took_s = self._service.wait_until(lambda: name in self._service.parts(), BACK_S, f"{name} is back")
        return took_s + self._service.wait_for_events(BACK_S)

    def limit(self, say: Say) -> None:
        """Give the unit less memory than it needs: what that ends comes back once there is enough."""
        used = int(self._machine.run(f"grep ^anon' ' {_MEMORY} | cut -d' ' -f2"))
        before, ended_before = self._service.parts(), self._out_of_memory()
        limit = used * 6 // 10
        self._machine.run(f"systemctl set-property --runtime fieldfare MemoryMax={limit} MemorySwapMax=0")
        self._service.wait_until(lambda: self._out_of_memory() > ended_before, BACK_S, "the limit is felt")
        ended = self._out_of_memory() - ended_before
        say(f"{used >> 20} MiB used, limit {limit >> 20} MiB: {ended} processes ended by the kernel")
        self._machine.run("systemctl set-property --runtime fieldfare MemoryMax=80%")
        say(f"limit lifted: events again after {self._service.wait_for_events(BACK_S):.1f} s")
        if self._service.parts().get("supervisor") != before["supervisor"]:
            say("the supervisor was started anew")
        self._judge(say)

    def _out_of_memory(self) -> int:
        """Return how many processes the kernel has ended for a limit in this boot."""
        # From its log: the count of a unit begins anew when that is started anew, and is nowhere meanwhile.
        return int(self._machine.run("dmesg | grep -c 'Memory cgroup out of memory' || true"))

    def hog(self, say: Say) -> None:
        """Let another program take all memory: it goes, the service stays."""
        before = self._service.parts()
        self._machine.run(_HOG)
        gone = "systemctl is-active --quiet bench-hog && echo there || echo gone"
        took_s = self._service.wait_until(
            lambda: self._machine.run(gone, timeout_s=240) == "gone", 240, "the kernel ends the hog"
        )
        say(f"the kernel ended the hog after {took_s:.1f} s")
        say(f"events again after {self._service.wait_for_events(BACK_S):.1f} s")
        after = self._service.parts()
        lost = [name for name in PARTS if before.get(name) != after.get(name)]
        say(f"started anew: {', '.join(lost) or 'nothing'}")
        if "supervisor" in lost or "recorder" in lost:
            raise host.Failed("the kernel chose the service instead of what took the memory")
        self._judge(say)

    def full(self, say: Say) -> None:
        """Fill the disk, and make room again."""
        say(self._machine.run(_FILL, timeout_s=240))
        said = self._service.wait_until(lambda: bool(self._faults()), BACK_S, "a full disk is reported")
        say(f"reported after {said:.1f} s: {self._faults()}")
        if self._service.status().get("state") not in ("running", "degraded"):
            raise host.Failed(f"the camera stopped: {self._service.report()}")
        self._machine.run(f"rm {_FILLER}")
        say(f"room again: events again after {self._service.wait_for_events(BACK_S):.1f} s")
        self._service.wait_for_state(lambda _: not self._faults(), BACK_S, "the fault ends")
        # Pictures go first if there is no room, and the store learns of it when it can be written again.
        self._service.wait_until(self._service.pictures_settle, BACK_S, "the store knows which pictures are gone")
        say(f"{self._service.forgive_pictures()} events without their picture, as there was no room")
        self._judge(say)

    def _faults(self) -> str:
        events = self._service.status().get("events") or {}
        return str(events.get("fault") or events.get("notice") or "")

    def clock(self, say: Say) -> None:
        """Set the clock to 1970, and right again."""
        was = self._machine.run("date +%s")
        # Linux takes no time of day that is earlier than the boot is long ago.
        self._machine.run("date --set=1970-01-02T00:00:00Z")
        say(f"1970: events again after {self._service.wait_for_events(BACK_S, more=5):.1f} s")
        self._machine.run(f"date --set=@$(({was} + 60))")
        say(f"right again: events again after {self._service.wait_for_events(BACK_S, more=5):.1f} s")
        self._judge(say)

    def _judge(self, say: Say) -> None:
        verdict = self._service.verdict()
        say(
            f"{verdict['acknowledged']} events acknowledged, 0 lost, {verdict['stored']} in the store, "
            f"{verdict['pictures']} pictures"
        )
