"""Every form of every page, found by its route, is filled in and sent by a person."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from tests.pages_driven.conftest import Serve
from tests.pages_driven.scenery import MANY, PASSWORD
from tools.driving.client import Client
from tools.driving.looking import Meet
from tools.driving.tour import routes, take

# What stands in no form, and why.
FORMLESS = {
    "/exports/stick": "only if a stick is plugged in: tests/edge/pages/test_export_pages.py",
    "/exports/again": "only after an export that broke off: the same",
    "/exports/cancel": "only while an export goes on: the same",
}
_FILLED = {"number": "1", "date": "2026-05-01", "time": "05:00", "password": PASSWORD, "range": "1"}


@pytest.mark.parametrize("route", [one for one in routes("POST") if one not in FORMLESS])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_form_is_sent(serve: Serve, locked_store: Path, person: Meet, route: str, scripts: bool) -> None:
    """Whatever it does, it answers with a page of ours that everybody can read."""
    site = serve(locked_store)
    client = Client(site.address)
    client.log_in(PASSWORD)
    marked = client.post("/events/marks", [("back", "/events"), (f"seen-{MANY}", "-"), ("one", f"{MANY}:right")])
    found = take(client, ("/", marked.headers["location"].partition("#")[0])).form_of(route)
    client.close()
    assert found is not None, "no page has its form: see scenery.py, or FORMLESS"
    address, form = found
    somebody = person(site, scripts=scripts, width=360)
    if address != "/login":
        somebody.context.add_cookies(
            [{"name": "fieldfare", "value": client.cookie.partition("=")[2], "url": site.address}]
        )
    somebody.expect(400, 409, 507)  # that what was filled in cannot be is an answer, too
    somebody.open(address)
    shown = somebody.page.locator(f'form[action="{form.action}"], form:has([formaction="{form.action}"])').first
    _fill(shown)
    with somebody.page.expect_response(lambda response: response.request.method == "POST") as sent:
        _send(somebody.page, shown)
    assert sent.value.status < 500
    somebody.page.wait_for_load_state()
    assert somebody.page.locator("h1").count() == 1
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0


def _fill(form: Locator) -> None:
    """Fill in what a person sees."""
    for field in form.locator("input:visible, textarea:visible").all():
        kind = field.get_attribute("type") or "text"
        if kind in ("checkbox", "radio"):
            field.check()
        elif kind not in ("file", "submit", "button"):
            field.fill(_FILLED.get(kind, "12"))


def _send(page: Page, form: Locator) -> None:
    button = form.locator("button:visible:enabled, input[type=submit]:visible").first
    button.click()
