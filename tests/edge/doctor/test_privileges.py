"""Root opens nothing that another user may have put there: children run as the service's user."""

import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.board import Board
from edge.doctor import cameras, privileges
from edge.doctor.access import READ, refusal
from edge.doctor.case import Case
from edge.doctor.children import Outcome, probe, try_command
from edge.doctor.privileges import Careful, careful, opened, service_account
from edge.processes.process import Account, Command, module_command

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
OTHER = Account("other", 12345, 12346, (12347,))


@pytest.mark.parametrize("user", ["root", "0", "nobody-has-this-name", "99999999999999999999"])
def test_it_is_never_root(user: str) -> None:
    account = service_account(user, ["no-such-group"])
    assert account.uid != 0
    assert 0 not in account.groups


def test_a_number_is_a_user_too() -> None:
    nobody = pwd.getpwnam("nobody")
    assert service_account(str(nobody.pw_uid), ["12345"]).name == "nobody"
    assert 12345 in service_account("nobody", ["12345"]).groups


@pytest.mark.parametrize(
    ("name", "arguments", "files"),
    [
        ("bundle", ["birds"], ["birds"]),
        ("compiled", ["birds"], ["birds"]),
        ("golden", ["birds", {"device": "cpu"}], ["birds"]),
        ("golden", ["birds", {"edgetpu_library": "/srv/lib.so"}], ["birds", "/srv/lib.so"]),
        ("golden", ["birds", {"edgetpu_library": "libedgetpu.so.1"}], ["birds"]),
        ("delegate", ["/srv/lib.so", "", "auto"], ["/srv/lib.so"]),
        ("delegate", ["libedgetpu.so.1", "", "auto"], []),
        ("frame", [{"source": "/srv/photos"}], ["/srv/photos"]),
        ("frame", [{"source": "synthetic", "script": "@/srv/s"}], ["/srv/s"]),
        ("frame", [{"source": "picamera2", "script": None}], []),
        ("libraries", [["numpy"]], []),
        ("pi_cameras", [], []),
    ],
)
def test_what_a_child_opens(name: str, arguments: list[Any], files: list[str]) -> None:
    assert opened(name, arguments) == files


@as_root
def test_a_child_has_given_up_root_and_its_groups(tmp_path: Path) -> None:
    script = 'printf \'["%s", "%s", "%s", "%s", "%s"]\' "$(id -u)" "$(id -ru)" "$(id -g)" "$(id -G)" "$HOME $USER"'
    outcome = try_command(Command(["/bin/sh", "-c", script]), 20, account=OTHER)
    assert outcome == Outcome("answered", ["12345", "12345", "12346", "12346 12347", "/ other"])


@as_root
def test_a_child_cannot_become_root_again() -> None:
    shown = "$(grep -hE '^(Uid|CapPrm)' /proc/self/status | tr -s '\\t\\n' '  ')"
    outcome = try_command(Command(["/bin/sh", "-c", f"""printf '"%s"' "{shown}\""""]), 20, account=OTHER)
    # Real, effective, saved and of the file system; and what it is permitted.
    assert outcome.answer.split() == ["Uid:", *["12345"] * 4, "CapPrm:", "0" * 16]


class Asked:
    """Stands in for children.probe: keeps as whom it was called."""

    def __init__(self) -> None:
        self.accounts: list[Account | None] = []

    def __call__(self, name: str, arguments: Any, timeout_s: float, *, account: Account | None = None) -> Outcome:
        self.accounts.append(account)
        return Outcome("answered")


Probing = Callable[..., tuple[Careful, Asked]]


@pytest.fixture
def probing(monkeypatch: pytest.MonkeyPatch) -> Probing:
    """Make a Careful for another user; `runs`: whether that user can run this Python."""

    def make(*, runs: bool = True) -> tuple[Careful, Asked]:
        asked = Asked()
        monkeypatch.setattr(privileges, "probe", asked)
        monkeypatch.setattr(privileges, "_program", lambda: [Path("/")] if runs else [Path("/root-only/python")])
        if not runs:
            real = refusal
            shut = Path("/root-only")
            monkeypatch.setattr(
                privileges, "refusal", lambda path, *rest: shut if shut in path.parents else real(path, *rest)
            )
        return Careful(OTHER), asked

    return make


@as_root
class TestAsWhom:
    @pytest.fixture
    def open_place(self) -> Iterator[Path]:
        """A bundle that everybody can read, such as in /var/lib; pytest's own folders are closed to others."""
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            (Path(name) / "birds").touch(0o644)
            yield Path(name) / "birds"

    def test_the_services_user_opens_cameras_and_libraries(self, probing: Probing) -> None:
        calls, asked = probing()
        for name, arguments in (("libraries", [["numpy"]]), ("pi_cameras", []), ("frame", [{"source": "picamera2"}])):
            calls(name, arguments, 1)
        assert asked.accounts == [OTHER] * 3

    @pytest.mark.parametrize("owner", [0, 12345, 54321])
    def test_the_services_user_opens_what_it_can(self, probing: Probing, open_place: Path, owner: int) -> None:
        os.chown(open_place, owner, owner)
        calls, asked = probing()
        calls("golden", [str(open_place), {}], 1)
        assert asked.accounts == [OTHER]

    def test_what_only_root_can_read_and_write_root_opens(self, probing: Probing, open_place: Path) -> None:
        open_place.chmod(0o600)
        calls, asked = probing()
        calls("golden", [str(open_place), {}], 1)
        assert asked.accounts == [None]

    def test_what_another_user_keeps_for_itself_is_not_opened_by_root(self, probing: Probing, open_place: Path) -> None:
        open_place.chmod(0o600)
        os.chown(open_place, 54321, 54321)
        calls, asked = probing()
        calls("bundle", [str(open_place)], 1)
        assert asked.accounts == [OTHER]  # and gets its "permission denied"

    def test_a_fieldfare_that_only_root_can_run_opens_only_what_is_roots(
        self, probing: Probing, open_place: Path
    ) -> None:
        calls, asked = probing(runs=False)
        assert calls("golden", [str(open_place), {}], 1).ending == "answered"
        assert asked.accounts == [None]
        os.chown(open_place, 12345, 12345)
        outcome = calls("golden", [str(open_place), {}], 1)
        assert outcome.ending == "refused"
        assert f"others than root may replace {open_place}" in outcome.why
        assert asked.accounts == [None]


def test_everybody_else_stays_who_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    case = Case(etc=tmp_path, board=Board(), call=lambda _: "[Service]\nUser=nobody\n")
    assert careful(case).probe is probe
    account = careful(case).account
    assert account is not None
    assert account.name == "nobody"
    assert careful(replace(case, call=lambda _: "[Service]\nUser=nobody-has-this-name\n")).account is None


def test_root_gets_careful_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    chosen = careful(Case(etc=tmp_path, board=Board(), call=lambda _: "[Service]\nUser=nobody\n"))
    assert isinstance(chosen.probe, Careful)
    assert chosen.account is not None
    assert chosen.account.name == "nobody"


def test_a_child_that_cannot_be_started_is_a_refusal() -> None:
    outcome = try_command(Command(["/nowhere/python"]), 5)
    assert outcome == Outcome("refused", why="no process can be started to try it: No such file or directory")


@as_root
def test_the_golden_run_itself_gives_up_root(tmp_path: Path) -> None:
    """With this Python, if others than root can run it."""
    command = module_command("edge.doctor.probe", ["libraries"])
    if any(refusal(place, OTHER, READ) for place in privileges._program()):
        pytest.skip("this Python is in a place that only root may enter")
    assert try_command(command, 60, given=b'[["os"]]', account=OTHER).ending == "answered"


@as_root
@pytest.mark.parametrize(("mode", "kind"), [(0o660, "warning"), (0o666, "ok")])
def test_root_judges_devices_by_the_services_user(tmp_path: Path, mode: int, kind: str) -> None:
    (tmp_path / "video0").touch()
    (tmp_path / "video0").chmod(mode)
    case = Case(dev=tmp_path, board=Board(), call=lambda _: None, account=OTHER)
    finding = next(one for one in cameras.permissions(case) if one.id == "devices")
    assert finding.kind == kind
    assert "open to other" in finding.seen
