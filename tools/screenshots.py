#!/usr/bin/env python3
"""Make the pictures of the pages that docs/pages.md shows: `python tools/screenshots.py --store demo-out/events.db`.

Needs Chromium (Debian: apt install chromium), and a store with pictures, such as ./tools/demo leaves. Serves it on a
port of this machine, and writes NAME-WIDTH-light.png or -dark.png for each page and each width.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"events": "events", "event": "events/{event}", "counts": "counts", "status": "status"}
# A phone, a tablet, a desktop.
SIZES = {360: 760, 768: 900, 1440: 900}
_SCHEMES = {"light": "1", "dark": "0"}  # Chromium's numbers
_TIMEOUT_S = 120


@contextmanager
def served(store: Path) -> Iterator[str]:
    """Serve the pages of a store in the block. Yields their address. Raises SystemExit if that fails."""
    command = [sys.executable, "-m", "edge", "serve", "--store", str(store), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = re.search(r"http://\S+", process.stdout.readline()) if process.stdout else None
            if found is None:
                raise SystemExit("the pages did not start (above)")
            yield found[0]
        finally:
            process.terminate()


def take(chromium: str, address: str, file: Path, width: int, scheme: str) -> None:
    """Write a screenshot of a page. Raises SystemExit if Chromium makes none."""
    with tempfile.TemporaryDirectory() as profile:
        words = [chromium, "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            words.append("--no-sandbox")  # Chromium refuses root otherwise; it sees nothing but these pages
        words += [f"--blink-settings=preferredColorScheme={_SCHEMES[scheme]}"]
        words += [f"--window-size={width},{SIZES[width]}", f"--screenshot={file}", address]
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode or not file.is_file():
        raise SystemExit(f"Chromium made no picture of {address}: {done.stderr.strip()[-300:]}")


def main() -> None:
    """Make those that the command line wants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/pictures")
    parser.add_argument("--event", type=int, default=1, help="the number of the single event that is shown")
    parser.add_argument("--only", nargs="*", help="names without .png, such as events-360-light")
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or parser.error("needs chromium")
    given.out.mkdir(parents=True, exist_ok=True)
    with served(given.store) as address:
        for name, path in PAGES.items():
            for width in SIZES:
                for scheme in _SCHEMES:
                    file = given.out / f"{name}-{width}-{scheme}.png"
                    if given.only is None or file.stem in given.only:
                        take(chromium, address + path.format(event=given.event), file.resolve(), width, scheme)
                        print(file)


if __name__ == "__main__":
    main()
