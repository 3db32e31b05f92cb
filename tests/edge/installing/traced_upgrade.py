"""Upgrade the device in a folder to a kit, in a process of its own that strace can follow: ROOT KIT."""

import sys
from pathlib import Path

from made_devices import Device, StandIns

# A call that nothing else makes: only what follows it in a trace is the upgrade.
BEGUN = "/the/upgrade/begins"


def main(root: Path, kit: Path) -> int:
    device = Device(root, StandIns(root, has_user=True))
    Path(BEGUN).exists()
    return device.install(kit)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
