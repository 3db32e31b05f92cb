"""Look at a page in Chromium as a person does: errors in the console, what lies outside, what nobody can read out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

Scheme = Literal["light", "dark"]
# A phone and a desktop; the height is what a phone shows without its bars.
HEIGHTS = {360: 640, 768: 900, 1440: 900}
_PATIENCE_MS = 60_000  # of a busy machine
_SERIOUS = ("serious", "critical")
_OUTSIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Of the element with the focus: what it is, whether it is in sight, and how its focus is drawn.
_FOCUS = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const place = [...document.querySelectorAll("*")].indexOf(one);
    const seen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight
        && box.right > 0 && box.left < innerWidth;
    return {place, seen, what: one.outerHTML.slice(0, 120),
            drawn: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2};
}"""


@dataclass
class Person:
    """Somebody with a browser. faults: what the browser reported that no page should cause."""

    context: BrowserContext
    page: Page
    scripts: bool = True
    faults: list[str] = field(default_factory=list)
    _expected: set[int] = field(default_factory=set)

    def expect(self, *statuses: int) -> None:
        """From now on answers with these statuses are no fault."""
        self._expected |= set(statuses)

    def open(self, path: str) -> Response | None:
        """Open a page of the server."""
        return self.page.goto(path)

    @property
    def words(self) -> str:
        """What the page shows, in one line."""
        return " ".join(self.page.locator("body").inner_text().split())

    def outside_px(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        self.page.wait_for_load_state()  # a page that a click is still opening has no width yet
        return int(self.page.evaluate(_OUTSIDE))

    def barriers(self) -> list[str]:
        """Return what axe-core finds serious or critical: rule, element, and why.

        Nothing in a browser without scripts, of which axe-core is one.
        """
        if not self.scripts:
            return []
        self.page.evaluate(_axe())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['impact']} {one['id']}: {node['html'][:160]}: {node.get('failureSummary', '')[:300]}"
            for one in found["violations"]
            if one["impact"] in _SERIOUS
            for node in one["nodes"]
        ]

    def focused(self) -> dict[str, Any] | None:
        """Return what has the focus: place in the document, whether it is seen, whether its focus is drawn."""
        found: dict[str, Any] | None = self.page.evaluate(_FOCUS)
        return found

    def _heard(self, message: ConsoleMessage) -> None:
        # Chromium's own words on a status that is judged by `_answered`.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self.faults.append(f"{response.status}: {response.request.method} {response.url}")

    def take_leave(self) -> None:
        """Raise AssertionError if there were faults, and forget them."""
        faults = self.faults.copy()
        self.faults.clear()
        self._expected.clear()
        if faults:
            raise AssertionError("\n".join(faults))

    def resize(self, width: int, scheme: Scheme = "light") -> None:
        """Give the window another size, and the page other colours."""
        self.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        self.page.emulate_media(color_scheme=scheme)

    def watch(self, page: Page) -> None:
        """Note the faults of a page of this person's."""
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("response", self._answered)
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))


def meet(
    browser: Browser, address: str, *, width: int = 1440, scheme: Scheme = "light", scripts: bool = True
) -> Person:
    """Return a person with cookies of their own. scripts: whether their browser runs any."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": HEIGHTS.get(width, 900)},
        color_scheme=scheme,
        java_script_enabled=scripts,
        locale="en-GB",
        reduced_motion="reduce",
        ignore_https_errors=True,  # of the pages' own certificate
    )
    context.set_default_timeout(_PATIENCE_MS)
    person = Person(context, context.new_page(), scripts)
    person.watch(person.page)
    return person


Meet = Callable[..., Person]


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
