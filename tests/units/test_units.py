"""The units as systemd reads them: one source, nothing to complain of, little exposed."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from systemd_tools import Analyze

from edge.config.loading import load_settings
from edge.errors import MissingInputError
from edge.inference.edgetpu_devices import CORAL_IDS
from edge.installing.layout import Layout
from edge.installing.origins.kit import BUNDLE
from edge.live.places import requests_of
from edge.supervision import reboot_grant
from edge.supervision.states import HOPELESS
from edge.supervision.systemd import POWEROFF, REQUEST
from tools import unit_exposure
from tools.make_units import made
from tools.unit_exposure import DROP_INS, MOST, Rated, rate, rated

ROOT = Path(__file__).resolve().parents[2]
UNITS, SECURITY = ROOT / "systemd", ROOT / "docs" / "security.md"
SERVICE, NETWORK = "fieldfare.service", "network-camera.conf"


def test_the_units_are_what_their_one_source_makes() -> None:
    texts = made()
    delivered = {path.name: path.read_text() for path in UNITS.iterdir() if path.suffix in (".service", ".path")}
    assert texts == delivered, "run: python tools/make_units.py"


@pytest.mark.parametrize("unit", sorted(made()))
def test_systemd_finds_nothing_to_say_about_a_unit(unit: str, systemd_analyze: Analyze) -> None:
    done = systemd_analyze("verify", UNITS / unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


LENT = [(unit, lent) for unit, drop_ins in DROP_INS.items() for lent in drop_ins]


@pytest.mark.parametrize(("unit", "lent"), LENT)
def test_nor_about_what_is_lent_to_one(
    unit: str, lent: tuple[str, ...], tmp_path: Path, systemd_analyze: Analyze
) -> None:
    # systemd reads a drop-in as if it stood at the end of the unit.
    (tmp_path / unit).write_text("\n".join((UNITS / name).read_text() for name in (unit, *lent)))
    done = systemd_analyze("verify", tmp_path / unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def rates(systemd_analyze: Analyze) -> list[Rated]:
    return list(rated())


class TestExposure:
    def test_a_unit_exposes_little(self, rates: list[Rated]) -> None:
        assert {one.name for one in rates} >= {name for name in made() if name.endswith(".service")}
        assert [one.name for one in rates if not one.lent and one.exposure > MOST] == []

    def test_the_outputs_expose_little_even_with_what_is_lent_to_them(self, rates: list[Rated]) -> None:
        lent = [one for one in rates if one.lent and "outputs" in one.unit]
        assert len(lent) == 4
        assert [one.name for one in lent if one.exposure > MOST] == []

    def test_nothing_exposes_more_than_is_documented_for_it(self, rates: list[Rated]) -> None:
        assert [one.name for one in rates if one.exposure > one.most] == []
        table = re.findall(
            r"^\| `(fieldfare[\w-]*\.service)` \| (`.+`) \| ([\d.]+) \|$", SECURITY.read_text(), re.MULTILINE
        )
        documented = {(unit, tuple(lent.strip("`").split("`, `"))): float(most) for unit, lent, most in table}
        assert documented == {(unit, lent): most for unit, lents in DROP_INS.items() for lent, most in lents.items()}

    def test_every_drop_in_of_ours_is_rated(self) -> None:
        """But for the one with a place of the owner's, which opens a folder and nothing else."""
        lent = {name for lents in DROP_INS.values() for names in lents for name in names}
        assert lent == {path.name for path in UNITS.glob("*-*.conf")} - {
            "data-elsewhere.conf",
            "journald-fieldfare.conf",
        }

    def test_a_camera_on_the_network_costs_two_directives(self, rates: list[Rated]) -> None:
        alone, lent = (next(one for one in rates if one.name == name) for name in (SERVICE, f"{SERVICE} + {NETWORK}"))
        costs = {name: cost for name, cost in lent.left_open.items() if name not in alone.left_open}
        assert set(costs) == {"RestrictAddressFamilies=~AF_(INET|INET6)", "IPAddressDeny="}
        assert sum(costs.values()) <= 0.41  # 0.3 and 0.1, as docs/security.md has them

    def test_a_camera_on_the_network_without_a_coral_stays_below_the_bound(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """As the comment in the drop-in has it."""
        for name in (SERVICE, NETWORK):
            text = (UNITS / name).read_text()
            (tmp_path / name).write_text(text.replace("#PrivateDevices=yes", "PrivateDevices=yes"))
        monkeypatch.setattr(unit_exposure, "UNITS", tmp_path)
        assert "\nPrivateDevices=yes\n" in (tmp_path / NETWORK).read_text()
        assert rate(SERVICE, [NETWORK]).exposure <= MOST

    def test_what_is_left_open_is_explained(self, rates: list[Rated]) -> None:
        """docs/security.md has a row for each directive that systemd would still have a unit set."""
        text = SECURITY.read_text()
        rows = text.partition("## What the units leave open")[2].partition("\n##")[0].replace("\\|", "¦")
        explained = set(re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE))
        left_open = {name.replace("|", "¦") for one in rates for name in one.left_open}
        assert explained == left_open


def test_the_pages_alone_have_a_network_and_the_outputs_alone_are_lent_one() -> None:
    families = {
        path.name: next(line for line in settings_of(path.name) if line.startswith("RestrictAddressFamilies="))
        for path in UNITS.glob("fieldfare*.service")
        if "fieldfare-reboot" not in path.name
    }
    assert families["fieldfare-outputs.service"] == "RestrictAddressFamilies=AF_UNIX"
    pages = {"fieldfare-pages.service", "fieldfare-pages@.service"}
    assert {unit for unit, line in families.items() if "INET" in line} == pages
    for unit in pages:
        assert "IPAddressAllow=localhost" in settings_of(unit), "this machine's own, until more is lent"
        assert not {"DeviceAllow=char-video4linux rw", "PrivateDevices=no"} & set(settings_of(unit))
    assert "fieldfare-outputs.service.d" in (UNITS / "outputs-network.conf").read_text()


def settings_of(unit: str) -> list[str]:
    return [line for line in (UNITS / unit).read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", ["fieldfare", "fieldfare-outputs", "fieldfare-pages"])
def test_an_instance_differs_from_the_service_in_its_names_only(name: str) -> None:
    renamed = [
        line.replace("@%i", "").replace("fieldfare/%i.toml", "fieldfare/fieldfare.toml")
        for line in settings_of(f"{name}@.service")
    ]
    assert [line.replace("/%i", "").replace(" %i", "").replace(".%i", "") for line in renamed] == settings_of(
        f"{name}.service"
    )


def test_the_unit_starts_it_as_a_service_and_does_not_start_again_what_no_repetition_mends() -> None:
    text = (UNITS / "fieldfare.service").read_text()
    assert "fieldfare run --service --no-outputs --config" in text
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert prevented
    assert set(map(int, prevented[1].split())) == {2, *HOPELESS} - {MissingInputError.exit_status}


def test_the_reboot_is_looked_for_where_it_is_asked_for() -> None:
    assert f"PathExists=/run/fieldfare/{REQUEST}" in settings_of("fieldfare-reboot.path")
    assert f"PathExists=/run/fieldfare/%i/{REQUEST}" in settings_of("fieldfare-reboot@.path")
    assert f"PathExists=/run/fieldfare/{POWEROFF}" in settings_of("fieldfare-poweroff.path")
    assert f"PathExists=/run/fieldfare/%i/{POWEROFF}" in settings_of("fieldfare-poweroff@.path")


def commands(unit: str) -> list[str]:
    """Return the commands of a unit as systemd runs them: lines joined, `$$` for `$`."""
    text = (UNITS / unit).read_text().replace("\\\n", "")
    return [
        line.removeprefix("ExecStart=").replace("$$", "$") for line in text.splitlines() if line[:10] == "ExecStart="
    ]


UNITS_THAT_TAKE = {REQUEST: "fieldfare-reboot.service", POWEROFF: "fieldfare-poweroff.service"}


def take_requests(run: Path, request: str = REQUEST) -> subprocess.CompletedProcess[str]:
    """Do what the unit that takes these requests does, in another folder."""
    *_, script = commands(UNITS_THAT_TAKE[request])
    words = shlex.split(script.replace("/run/fieldfare", str(run)))
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)


class TestTakingARequest:
    @pytest.mark.parametrize("request_name", [REQUEST, POWEROFF])
    @pytest.mark.parametrize("place", [".", "front"])
    def test_a_plain_file_is_one(self, tmp_path: Path, place: str, request_name: str) -> None:
        (tmp_path / place).mkdir(exist_ok=True)
        file = tmp_path / place / request_name
        file.write_bytes(b"no frame\x1b[31m for\n3 s <0>" + b"x" * 10_000)
        done = take_requests(tmp_path, request_name)
        assert done.returncode == 0
        assert not file.exists()
        assert done.stdout.count("\n") == 1
        assert done.stdout.startswith(str(tmp_path))
        assert done.stdout.replace("\n", "").isprintable()
        assert len(done.stdout) < 700

    @pytest.mark.parametrize("what", ["pipe", "link", "link to a folder", "folder"])
    def test_anything_else_goes_and_is_none(self, tmp_path: Path, what: str) -> None:
        run, kept = tmp_path / "run", tmp_path / "kept"
        run.mkdir()
        kept.mkdir()
        (kept / "file").write_text("secret")
        match what:
            case "pipe":
                os.mkfifo(run / REQUEST)
            case "link":
                (run / REQUEST).symlink_to(kept / "file")
            case "link to a folder":
                (run / REQUEST).symlink_to(kept)
            case _:
                (run / REQUEST / "deep/er").mkdir(parents=True)
                (run / REQUEST / "out").symlink_to(kept)
        done = take_requests(run)
        assert done.returncode == 1
        assert "not a plain file: removed, no reboot" in done.stdout
        assert "secret" not in done.stdout
        assert list(run.iterdir()) == []
        assert (kept / "file").read_text() == "secret"

    def test_without_one_there_is_no_reboot(self, tmp_path: Path) -> None:
        assert take_requests(tmp_path).returncode == 1


def test_root_does_nothing_but_power_off() -> None:
    taking, off = settings_of("fieldfare-poweroff.service"), settings_of("fieldfare-poweroff-now.service")
    assert {"User=fieldfare", "OnSuccess=fieldfare-poweroff-now.service"} <= set(taking)
    assert not any(line.startswith("User=") for line in off)
    assert "InaccessiblePaths=-/run/fieldfare -/var/lib/fieldfare" in off
    assert commands("fieldfare-poweroff-now.service") == ["/usr/bin/systemctl --no-block poweroff"]


@pytest.mark.parametrize(("at", "slash"), [("", ""), ("@", "/%i")])
def test_pages_and_service_find_each_others_files_and_only_their_own_are_theirs(at: str, slash: str) -> None:
    service, pages = settings_of(f"fieldfare{at}.service"), settings_of(f"fieldfare-pages{at}.service")
    (run,) = (line.partition("=")[2] for line in service if line.startswith("RuntimeDirectory="))
    (requests,) = (line.partition("=")[2] for line in pages if line.startswith("RuntimeDirectory="))
    assert run == f"fieldfare{slash}"
    assert Path("/run", requests) == requests_of(Path("/run", run))
    assert any(line.endswith(f"--run-dir /run/{run}") for line in pages)
    assert {"ProtectSystem=strict", "User=fieldfare", "UMask=0027"} <= set(service) & set(pages)
    # A stick's mount, for exports, and never the service's folder: a reboot is requested there.
    assert [line for line in pages if line.startswith("ReadWritePaths")] == ["ReadWritePaths=-/media -/mnt"]


def test_what_an_earlier_run_requested_is_not_taken_for_a_new_request() -> None:
    before = next(line for line in settings_of(SERVICE) if line.startswith("ExecStartPre="))
    assert before.endswith(f"/run/fieldfare/{REQUEST} /run/fieldfare/{POWEROFF}")


def test_root_does_nothing_but_count_and_reboot() -> None:
    """What the service's user can write is for the unit without privileges; the other starts after its success only."""
    taking, rebooting = settings_of("fieldfare-reboot.service"), settings_of("fieldfare-reboot-now.service")
    assert "User=fieldfare" in taking
    assert "OnSuccess=fieldfare-reboot-now.service" in taking
    assert not any(line.startswith(("ExecStart=!", "ExecStart=+")) for line in taking)
    assert not any(line.startswith("User=") for line in rebooting)
    assert "InaccessiblePaths=-/run/fieldfare -/var/lib/fieldfare" in rebooting
    assert {"StateDirectory=fieldfare-reboot", "StateDirectoryMode=0700"} <= set(rebooting)
    first, second = commands("fieldfare-reboot-now.service")
    assert first == f"/usr/bin/env python3 -I -m {reboot_grant.__name__}"
    assert second == "/usr/bin/systemctl --no-block reboot"
    assert any(line.startswith(f"Environment={reboot_grant.A_DAY}=") for line in rebooting)


def test_a_request_of_one_kind_is_none_of_the_other(tmp_path: Path) -> None:
    (tmp_path / REQUEST).touch()
    assert take_requests(tmp_path, POWEROFF).returncode == 1
    assert (tmp_path / REQUEST).exists()


@pytest.mark.parametrize("unit", UNITS_THAT_TAKE.values())
def test_no_flood_of_requests_makes_the_path_unit_give_up(unit: str) -> None:
    """Its service takes a while each time, so that it never reaches its limit of starts."""
    taking = settings_of(unit)
    limit = {key: int(value) for key, _, value in (line.partition("=") for line in taking) if key.startswith("StartL")}
    pause = re.fullmatch(r"/usr/bin/sleep (\d+)", commands(unit)[0])
    assert pause
    assert int(pause[1]) * limit["StartLimitBurst"] > limit["StartLimitIntervalSec"]


def test_the_bundle_is_roots() -> None:
    settings = load_settings(UNITS / "fieldfare.toml")
    assert settings.bundle == "/etc/fieldfare/bundle.fieldfare"
    # Where the installer, which root runs, puts it.
    assert settings.bundle == str(Layout(Path("/")).settings / BUNDLE)


@pytest.mark.parametrize("unit", ["fieldfare.service", "fieldfare@.service"])
def test_an_instance_cannot_reach_into_another(unit: str) -> None:
    assert {"PrivateUsers=yes", "StateDirectoryMode=0750", "ProtectSystem=strict"} <= set(settings_of(unit))


def test_the_rules_open_both_faces_of_the_coral() -> None:
    rules = (UNITS / "60-fieldfare-coral.rules").read_text()
    for vendor, product in CORAL_IDS:
        assert re.search(rf'idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}".*GROUP="plugdev"', rules)
