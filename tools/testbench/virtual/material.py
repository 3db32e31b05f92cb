"""What the host brings to the machine: the scripts of the bench, a bundle, settings."""

import shutil
import sys
from pathlib import Path

import cache

sys.path.insert(0, str(cache.ROOT / "tests" / "edge"))
# The tests make models of a few hundred bytes by hand; nothing else does.
from tiny_models import bundle_of, sound_model

from edge.bundle.store import pack_bytes

# Short cool-downs, so that each change of colour ends an event, which is on the disk a second later. The pictures are
# small, as all of this is emulated.
_SETTINGS = """\
bundle = "/etc/fieldfare/bundle.fieldfare"
[camera]
source = "/dev/video0"
width = 320
height = 180
fps = 10
[engine]
device = "cpu"
threads = 1
[device]
name = "virtual"
[events]
store = "/var/lib/fieldfare/events.db"
smoothing_s = 0.0
min_duration_s = 0.0
gap_s = 0.3
durable_within_s = 1
max_mb = 100
[pictures]
best = true
max_mb = 500
reserve_mb = 0
[event_lines]
file = "/var/lib/fieldfare/events.jsonl"
[output]
console = "off"
"""
_OBSERVERS = ("judging.py", "observed.py")


def fill(folder: Path, share: Path) -> None:
    """Write `bundle.fieldfare` and `fieldfare.toml` to `folder`, and the scripts of the guest to `share`/guest."""
    guest = share / "guest"
    guest.mkdir()
    for script in (cache.HERE / "guest" / "virtual").iterdir():
        if script.suffix in (".py", ".sh"):
            shutil.copy(script, guest)
    for name in _OBSERVERS:
        shutil.copy(cache.ROOT / "tools" / "reliability" / name, guest)
    # The colour of the first pixel: what is proved here is that it is kept, not that it is right.
    bundle = bundle_of(sound_model(), folder / "bundle")
    (folder / "bundle.fieldfare").write_bytes(pack_bytes(bundle))
    (folder / "fieldfare.toml").write_text(_SETTINGS)
