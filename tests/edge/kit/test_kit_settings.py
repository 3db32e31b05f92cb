"""What a device could not run by is found when its kit is made, in one line, and not in the field."""

import pytest
from made_kits import Workshop

from edge.bundle.store import Bundle, open_bundle
from edge.config.loading import load_settings
from edge.kit import checking
from edge.kit.delivered import settings_path, unit_files

MQTT = '[mqtt]\nhost = "h"\nusername = "u"\n'
STORE = 'events.store = "/var/lib/fieldfare/events.db"\n'


def refused(workshop: Workshop, text: str) -> str:
    """Return the line with which these settings are refused."""
    status, _, errors = workshop.build("--config", workshop.settings(text), "--out", workshop.folder / "kit.tar")
    assert status == 78
    assert not (workshop.folder / "kit.tar").exists()
    return errors


def made(workshop: Workshop, text: str, *words: object) -> str:
    """Return the notes about a kit with these settings."""
    status, _, errors = workshop.build("--config", workshop.settings(text), "--out", workshop.folder / "kit", *words)
    assert status == 0
    return errors


def test_the_delivered_settings_suit_every_bundle(workshop: Workshop) -> None:
    settings = load_settings(settings_path())
    checking.check_settings(settings, open_bundle(workshop.bundle), unit_files(), closed_allowed=False)


def test_settings_go_along_as_they_are(workshop: Workshop) -> None:
    path = workshop.settings("# mine, with an accent: é\r\n[camera]\r\nfps = 5\r\n")
    kit = workshop.built("--config", path, out="kit")
    assert (kit / "fieldfare.toml").read_bytes() == path.read_bytes()


def test_the_bundle_must_be_where_the_kit_puts_it(workshop: Workshop) -> None:
    path = workshop.folder / "fieldfare.toml"
    path.write_text('bundle = "/var/lib/fieldfare/birds"\n')
    status, _, errors = workshop.build("--config", path, "--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (78, 1)
    assert "must be '/etc/fieldfare/bundle.fieldfare'" in errors


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[decision.thresholds]\ngren = 0.9\n", "did you mean 'green'"),
        ('[decision]\nbackground = ["sky"]\n', "decision.background"),
        (f'{STORE}[hook]\ncommand = ["/usr/bin/true"]\nlabels = ["fox"]\n', "hook.labels"),
        (f'{STORE}[gpio]\npin = 17\nlabels = ["fox"]\n', "gpio.labels"),
        ("[camera]\nfps = 0\n", "camera.fps"),
        ("[kamera]\nfps = 1\n", "kamera"),
        ('camera.source = "file:///dev/sda"\n', "it begins with rtsp, rtsps, http, https"),
        ('camera.source = "ftp://cam/1"\n', "it begins with rtsp, rtsps, http, https"),
    ],
)
def test_labels_and_values_are_checked_against_the_bundle(workshop: Workshop, text: str, named: str) -> None:
    errors = refused(workshop, text)
    assert errors.count("\n") == 1
    assert named in errors


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('events.store = "/home/pi/events.db"\n', "/home"),  # not seen by the service
        ('events.store = "/usr/share/events.db"\n', "may only read"),
        ('events.store = "/etc/fieldfare/events.db"\n', "is root's"),
        ('events.store = "events.db"\n', "write the whole path"),
        (
            'camera.source = "rtsp://me@cam/1"\ncamera.password_file = "camera.txt"\n',
            "takes that for /camera.txt: write the",
        ),
        (f'{STORE}{MQTT}password_file = "secrets/mqtt"\n', "takes that for /secrets/mqtt: write the whole path"),
        (f'{STORE}{MQTT}password_file = "mqtt-pass"\n', "takes that for /mqtt-pass: write the whole path"),
        (f'{STORE}{MQTT}ca = "ca.pem"\n', "takes that for /ca.pem: write the whole path"),
        ('output.jsonl = "/mnt/stick/results.jsonl"\n', "may only read"),
        (f'{STORE}pictures.folder = "/media/stick/pictures"\n', "may only read"),
        (f'{STORE}device.taxonomy = "/root/taxonomy.csv"\n', "/root"),
        (f'{STORE}[event_lines]\nfile = "/srv/events.jsonl"\n', "may only read"),
        (f'{STORE}[metrics]\nfile = "/tmp/fieldfare.prom"\n', "has its own /tmp"),
        ('camera.source = "/home/pi/birds.mp4"\n', "/home"),
        (
            f'{STORE}[mqtt]\nhost = "h"\nusername = "u"\npassword_file = "credential:mqtt-pass"\n',
            "hands over credential:mqtt-password",
        ),
        ('[power]\nfile = "/home/pi/ups"\n', "name a file in /sys or /run"),
        ('[power]\nfile = "/tmp/ups"\nvalue = "off"\n', "has its own /tmp"),
    ],
)
def test_places_that_the_unit_does_not_open(workshop: Workshop, text: str, named: str) -> None:
    errors = refused(workshop, text)
    assert errors.count("\n") == 1
    assert named in errors


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('camera.source = "/dev/sda"\n', "source /dev/sda: no camera that fieldfare.service opens"),
        ('camera.source = "/dev/watchdog"\n', "no camera"),
        ('camera.source = "/dev/ttyUSB0"\n', "no camera"),
        ('camera.source = "/dev/bus/usb/001/002"\n', "no camera"),  # the Coral's; open, and no camera
        ('camera.source = "/dev/../dev/sda"\n', "source /dev/sda: no camera"),
        ('camera.source = "//dev/sda"\n', "/dev holds devices"),
        ('camera.source = "/proc/1/mem"\n', "/proc holds the kernel's own files"),
        ('camera.source = "/sys/class"\n', "/sys holds the kernel's own files"),
        ('power.file = "/dev/ttyUSB0"\n', "/dev holds devices"),
        ('power.file = "/proc/1/status"\n', "/proc holds the kernel's own files"),
        ('events.store = "/dev/sda"\n', "/dev holds devices"),
        ('events.store = "/dev/null"\n', "/dev holds devices"),
        ('events.store = "/proc/e.db"\n', "/proc holds the kernel's own files"),
        ('events.store = "/sys/e.db"\n', "/sys holds the kernel's own files"),
        (f'{STORE}device.taxonomy = "/dev/sda"\n', "taxonomy /dev/sda: /dev holds devices"),
        (f'{STORE}pictures.folder = "/dev/pictures"\n', "/dev holds devices"),
        (f'{STORE}[hook]\ncommand = ["/dev/sda"]\n', "hook /dev/sda: /dev holds devices"),
        ('output.jsonl = "/dev/ttyUSB0"\n', "results /dev/ttyUSB0: /dev holds devices"),
        ('events.store = "//home/pi/events.db"\n', "does not see /home"),
    ],
)
def test_devices_and_the_kernel_s_own_files_are_no_places(workshop: Workshop, text: str, named: str) -> None:
    errors = refused(workshop, text)
    assert errors.count("\n") == 1
    assert named in errors


@pytest.mark.parametrize(
    "text",
    [
        'events.store = "/run/fieldfare/e.db"\n',
        'events.store = "/var/run/fieldfare/e.db"\n',
        'events.store = "/dev/shm/e.db"\n',
        f'{STORE}pictures.folder = "/run/fieldfare/pictures"\n',
        f'{STORE}events.scores = "/dev/shm/scores"\n',
        f'{STORE}[harvest]\nmax_mb = 9\nfolder = "/run/fieldfare/harvest"\n',
        f'{STORE}[event_lines]\nfile = "/run/fieldfare-outputs/events.jsonl"\n',
        'output.jsonl = "/run/fieldfare/results.jsonl"\n',
    ],
)
def test_what_must_last_is_not_kept_where_a_start_empties(workshop: Workshop, text: str) -> None:
    errors = refused(workshop, text)
    assert errors.count("\n") == 1
    assert "is empty after each start of the board, and this must last" in errors


@pytest.mark.parametrize(
    "text",
    [
        'events.store = "/var/lib/fieldfare"\n',
        'events.store = "/var/lib/fieldfare/"\n',
        'events.store = "/var/lib"\n',
        'output.jsonl = "/var/lib/fieldfare"\n',
        f'{STORE}device.taxonomy = "/etc/fieldfare"\n',
        f'{STORE}[metrics]\nfile = "/run/fieldfare-outputs"\n',
    ],
)
def test_a_folder_is_no_file(workshop: Workshop, text: str) -> None:
    assert ": it is a folder: name a file in " in refused(workshop, text)


@pytest.mark.parametrize(
    "text",
    [
        'camera.source = "/dev/video2"\n',
        'camera.source = "/dev/v4l/by-id/usb-046d_Camera-video-index0"\n',
        'camera.source = "/dev/shm/photos"\n',
        'power.file = "/sys/class/power_supply/ups/online"\n',
        'output.jsonl = "/dev/null"\n',
        f'{STORE}[metrics]\nfile = "/run/fieldfare-outputs/fieldfare.prom"\n',
        f'{STORE}pictures.folder = "/var/lib/fieldfare/pictures"\n',
    ],
)
def test_places_that_the_units_open(workshop: Workshop, text: str) -> None:
    assert "put it there" not in made(workshop, text)


def test_a_device_that_a_drop_in_opens_is_taken_on_request(workshop: Workshop) -> None:
    assert made(workshop, 'camera.source = "/dev/birdcam"\n', "--closed-places") == ""


def test_several_places_are_listed_at_once(workshop: Workshop) -> None:
    errors = refused(workshop, 'events.store = "/mnt/a.db"\noutput.jsonl = "/mnt/b.jsonl"\n')
    assert "/mnt/a.db" in errors
    assert "/mnt/b.jsonl" in errors


def test_a_place_that_a_drop_in_opens_is_taken_on_request(workshop: Workshop) -> None:
    text = f'{STORE}pictures.folder = "/media/stick/pictures"\n'
    assert "not in the kit" not in made(workshop, text, "--closed-places")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f'{STORE}device.taxonomy = "/etc/fieldfare/taxa.csv"\n', "/etc/fieldfare/taxa.csv: put it there"),
        (f'{STORE}[hook]\ncommand = ["on-event"]\n', "hook on-event: put it there"),
        (f'{STORE}[hook]\ncommand = ["/usr/local/bin/on-event"]\n', "/usr/local/bin/on-event: put it there"),
        (f'{STORE}[mqtt]\nhost = "h"\nca = "/etc/ssl/ca.pem"\n', "/etc/ssl/ca.pem: put it there"),
        (f'{STORE}[mqtt]\nhost = "h"\n', "docs/outputs.md"),
        (
            f'{STORE}[mqtt]\nhost = "h"\nusername = "u"\npassword_file = "credential:mqtt-password"\n',
            "/etc/credstore/fieldfare.mqtt-password",
        ),
        # As in settings from before the prefix: what the unit hands over is no file.
        (f'{STORE}{MQTT}password_file = "mqtt-password"\n', "/etc/credstore/fieldfare.mqtt-password"),
        (f'{STORE}{MQTT}password_file = "/etc/fieldfare/mqtt"\n', "password_file /etc/fieldfare/mqtt: put it there"),
        ('camera.source = "rtsp://user:hidden@cam/1"\n', "docs/cameras.md"),
    ],
)
def test_what_the_device_needs_besides_is_a_note(workshop: Workshop, text: str, named: str) -> None:
    errors = made(workshop, text)
    assert named in errors
    assert "hidden" not in errors
    assert all(line.startswith("fieldfare: note: ") for line in errors.splitlines())


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ('camera.source = "/dev/video0"\n', ()),
        ('camera.source = "picamera2:1"\n', ("python3-picamera2",)),
        ('camera.source = "synthetic"\nengine.device = "usb:0"\n', ("libedgetpu1-std",)),
        (f'camera.source = "synthetic"\n{STORE}[gpio]\npin = 17\n', ("python3-lgpio",)),
        (f'camera.source = "synthetic"\n{STORE}[led]\npin = 17\n', ("python3-lgpio",)),
        (f'camera.source = "synthetic"\n{STORE}[led]\nname = "ACT"\n', ()),
        ('camera.source = "synthetic"\n[power]\npin = 17\n', ("python3-lgpio",)),
        ('camera.source = "synthetic"\n[power]\nfile = "/run/ups"\n', ()),
    ],
)
def test_packages_that_the_settings_need(workshop: Workshop, text: str, needs: tuple[str, ...]) -> None:
    assert checking.system_needs(load_settings(workshop.settings(text))) == needs


def test_a_coral_is_used_if_there_is_one(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library is no need, but worth a note: without it the CPU serves."""
    settings, bundle = load_settings(settings_path()), open_bundle(workshop.bundle)
    assert not [note for note in checking.notes(settings, bundle, unit_files()) if "Coral" in note]
    monkeypatch.setattr(Bundle, "edgetpu_model", b"compiled")
    assert checking.system_needs(settings) == ("python3-picamera2",)
    assert [note for note in checking.notes(settings, bundle, unit_files()) if "Coral" in note]


@pytest.mark.parametrize("missing", ["nowhere.toml", "colours"])
def test_settings_that_cannot_be_read(workshop: Workshop, missing: str) -> None:
    status, _, errors = workshop.build("--config", workshop.folder / missing, "--out", workshop.folder / "kit.tar")
    assert (status, errors.count("\n")) == (66, 1)
