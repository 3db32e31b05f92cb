"""What one does before the pages with plain requests, to get them into the state that a test begins in."""

import time
from pathlib import Path

from tests.pages_driven import plugged_in
from tests.pages_driven.scenery import PASSWORD
from tools.driving.client import Answer, Client, Form
from tools.driving.served import Served
from tools.driving.tour import Tour, pattern_of, take

_PATIENCE_S, _LOOK_S = 60.0, 0.05
_EXPORTS = "/exports"


class Counter:
    """Pages with a password, a stick and marks, which a test may change. folder: of its sticks, see plugged_in."""

    _tour: Tour | None

    def __init__(self, site: Served, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.client, self._tour = Client(site.address), None

    def log_in(self) -> dict[str, str]:
        """Begin a session. Returns its cookie for a browser."""
        self.client.log_in(PASSWORD)
        return {"name": "fieldfare", "value": self.client.cookie.partition("=")[2], "url": self.site.address}

    def form_of(self, route: str, address: str | None) -> tuple[str, Form] | None:
        """Return the form that posts to a route, and the address that it stands on. address: None: to be found."""
        if address is None:
            self._tour = self._tour or take(self.client)
            return self._tour.form_of(route)
        pattern = pattern_of(route)
        found = (form for form in self.client.get(address).read().forms if pattern.match(form.action))
        return next(((address, form) for form in found), None)

    def mark(self, number: int) -> str:
        """Mark an event. Returns the address of the page that says so."""
        seen = next(
            value
            for form in self.client.get(f"/events/{number}").read().forms
            for name, value in form.fields
            if name == f"seen-{number}"
        )
        answer = self._sent(
            "/events/marks", [("back", "/events"), (f"seen-{number}", seen), ("one", f"{number}:right")]
        )
        return answer.headers["location"].partition("#")[0]

    def begin_export(self) -> str:
        """Begin an export to the stick, which does not get going until `wait_until_idle`. Returns the page of it."""
        plugged_in.hold(self.folder)
        form = self.form_of("/exports/stick", _EXPORTS)
        assert form is not None, "no stick"
        self._sent("/exports/stick", form[1].fields)
        assert self.is_busy()
        return _EXPORTS

    def break_off(self) -> str:
        """Begin one, and cancel it. Returns the page of it."""
        self.begin_export()
        self._sent("/exports/cancel", [])
        self.wait_until_idle()
        return _EXPORTS

    def wait_until_idle(self) -> None:
        """Let what goes on end, and wait for it."""
        plugged_in.let_go(self.folder)
        until_s = time.monotonic() + _PATIENCE_S
        while self.is_busy():
            assert time.monotonic() < until_s, "it goes on"
            time.sleep(_LOOK_S)

    def is_busy(self) -> bool:
        """Return whether something goes on beside the pages."""
        forms = self.client.get(_EXPORTS).read().forms
        return any(form.action == "/exports/cancel" for form in forms)

    def _sent(self, path: str, fields: list[tuple[str, str]]) -> Answer:
        answer = self.client.post(path, fields)
        assert answer.status == 303, (path, answer.status, answer.body)
        return answer
