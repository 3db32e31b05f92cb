"""Debian's Chromium, driven by Playwright, which downloads no browser of its own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser")


def find_chromium() -> str | None:
    """Return the path of Chromium; None if it is not installed."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium without a window in the block. Raises RuntimeError if it is not installed."""
    path = find_chromium()
    if path is None:
        raise RuntimeError("needs chromium: sudo apt install chromium")
    # Chromium refuses root otherwise; it sees nothing but these pages.
    words = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu", *words])
        try:
            yield browser
        finally:
            browser.close()
