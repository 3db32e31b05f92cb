"""What systemd does at a change: hand a password over (LoadCredential), have settings read again (ExecReload).

The camera is one on the network for that, at this machine's own address, and wants a password.
"""

import secrets

import host
from virtual.agent import Answer
from virtual.machine import Machine
from virtual.service import Service
from virtual.steps import Say
from virtual.troubles import BACK_S

_SETTINGS = "/etc/fieldfare/fieldfare.toml"
_SECRET = "/etc/credstore/fieldfare.camera-password"
_PORT = 8080
_SOURCE = f"""\
source = "http://viewer@127.0.0.1:{_PORT}/snapshot.jpg"
password_file = "credential:camera-password"
"""
_DROP_INS = "/etc/systemd/system/fieldfare.service.d"
_CAMERA = (
    "systemd-run --quiet --collect --unit=bench-web-camera "
    f"python3 -I /bench/guest/web_camera.py {_PORT} viewer {_SECRET} 0.8"
)
_OPEN_NETWORK = (
    f"mkdir -p {_DROP_INS} && cp /opt/fieldfare/current/systemd/network-camera.conf {_DROP_INS}/ "
    "&& systemctl daemon-reload"
)
_TIDY = f"systemctl stop bench-web-camera; rm {_SECRET} {_DROP_INS}/network-camera.conf; systemctl daemon-reload"
# Where a password must not be. (A process may end while it is looked at.)
_SHOWN = f"""
/opt/fieldfare/bin/fieldfare status
journalctl -b --no-pager
cat {_SETTINGS} /run/fieldfare/status.json
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '
"""
_HANDED_OVER = "/run/credentials/fieldfare.service/camera-password"


class Changes:
    """The step."""

    def __init__(self, machine: Machine, service: Service) -> None:
        """The service runs on vivid."""
        self._machine, self._service = machine, service
        self._supervisor: int | None = None

    def change(self, say: Say) -> None:
        """Move the service to a camera with a password, refuse it wrong settings, and move it back without a stop."""
        was = self._machine.run(f"cat {_SETTINGS}")
        try:
            self._use_network(was, say)
        finally:
            self._write(was)
            answer = self._machine.ask("systemctl reload-or-restart fieldfare", timeout_s=240)
            self._machine.run(_TIDY)
        self._check_reload(answer, say)
        say(f"on vivid again: events after {self._service.wait_for_events(BACK_S):.1f} s")
        if self._service.parts().get("supervisor") != self._supervisor:
            raise host.Failed("the service was started anew by a reload")
        verdict = self._service.verdict()
        say(f"{verdict['acknowledged']} events acknowledged, 0 lost, {verdict['stored']} in the store")

    def _use_network(self, was: str, say: Say) -> None:
        password = secrets.token_urlsafe(12)
        self._move_to_the_network(was, password)
        say(f"camera on the network: events after {self._service.wait_for_events(BACK_S):.1f} s")
        self._supervisor = self._service.parts().get("supervisor")
        self._check_secrecy(password, say)
        self._refuse(say)

    def _move_to_the_network(self, was: str, password: str) -> None:
        self._machine.run(
            f"install -d -m 700 /etc/credstore && printf %s {password} | install -m 600 /dev/stdin {_SECRET}"
        )
        self._machine.run(f"{_OPEN_NETWORK} && {_CAMERA}", timeout_s=120)
        address = (
            f'source = "http://viewer@127.0.0.1:{_PORT}/snapshot.jpg"\npassword_file = "credential:camera-password"'
        )
        self._write(was.replace('source = "/dev/video0"', address))
        answer = self._machine.ask("systemctl restart fieldfare", timeout_s=240)
        if answer.status:
            raise host.Failed(f"no start with a camera on the network: {answer.errors}\n{self._service.report()}")

    def _check_secrecy(self, password: str, say: Say) -> None:
        """The password must be with systemd and the service, and with nobody else."""
        listed = self._machine.run(f"stat -c '%n %A %U' {_SECRET} {_HANDED_OVER}").splitlines()
        say(f"LoadCredential: {'; '.join(listed)}")
        if self._machine.ask(f"runuser -u fieldfare -- cat {_SECRET}").status == 0:
            raise host.Failed(f"the service's user can read {_SECRET}")
        shown = self._machine.run(_SHOWN, timeout_s=120)
        if password in shown:
            raise host.Failed("the password is in the journal, the status, the settings or a command line")
        say("the password is in no journal, status, settings or command line")

    def _refuse(self, say: Say) -> None:
        """Settings that are wrong must be refused, with the reason, and the service go on by those before."""
        self._machine.run(f"sed -i 's/^gap_s = .*/gap_s = -1/' {_SETTINGS}")
        answer = self._machine.ask("systemctl reload fieldfare", timeout_s=240)
        reloaded = self._service.status().get("reloaded") or {}
        if answer.status == 0 or reloaded.get("applied", True):
            raise host.Failed(f"wrong settings were not refused: {answer.status}, {reloaded}")
        words = "; ".join([reloaded["words"], *reloaded["faults"]])
        say(f"ExecReload, wrong settings: status {answer.status}, {words}")
        say(f"events go on: {self._service.wait_for_events(BACK_S):.1f} s")

    def _check_reload(self, answer: Answer, say: Say) -> None:
        reloaded = self._service.status().get("reloaded") or {}
        if answer.status or not reloaded.get("applied"):
            raise host.Failed(f"settings were refused: {answer.errors}{reloaded}\n{self._service.report()}")
        say(f"ExecReload, right settings: {reloaded['words']}")

    def _write(self, text: str) -> None:
        self._machine.run(f"cat >{_SETTINGS} <<'END'\n{text}\nEND")
