"""Every form of every page, found by its route, is filled in and sent by a person."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from tests.pages_driven import plugged_in
from tests.pages_driven.conftest import ZONE
from tests.pages_driven.counter import Counter
from tests.pages_driven.scenery import MANY, PASSWORD, settings_for
from tools.driving.looking import Meet
from tools.driving.served import served
from tools.driving.sorted_store import sort_some
from tools.driving.taught_store import make_teachable
from tools.driving.tour import routes

# What stands in no form, and why.
FORMLESS: dict[str, str] = {}
_FILLED = {"number": "1", "date": "2026-05-01", "time": "05:00", "password": PASSWORD, "range": "1"}


# Forms of a state that the pages must get into first. Each returns the address at which it is seen.
STATES: dict[str, Callable[[Counter], str]] = {
    "/events/undo": lambda counter: counter.mark(MANY),
    "/exports/again": Counter.break_off,
    "/exports/cancel": Counter.begin_export,
}


@pytest.fixture(scope="module")
def _counter(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """Pages for all tests of this module: none of them minds what the others have marked or exported."""
    folder = tmp_path_factory.mktemp("counter")
    shutil.copytree(furnished, folder, dirs_exist_ok=True)
    sort_some(folder / "events.db")
    settings = settings_for(folder / "events.db", make_teachable(folder / "events.db"))
    plugged_in.plug_in(folder)
    with served(settings, program=plugged_in.program(folder), **ZONE) as site:
        made = Counter(site, folder)
        yield made
        made.client.close()
        assert "Traceback" not in site.reported(), site.reported()


@pytest.fixture
def counter(_counter: Counter) -> Iterator[Counter]:
    """The same, with nothing going on beside them before and after a test."""
    yield _counter
    _counter.log_in()
    _counter.wait_until_idle()


@pytest.mark.parametrize("route", [one for one in routes("POST") if one not in FORMLESS])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_form_is_sent(counter: Counter, person: Meet, route: str, scripts: bool) -> None:
    """Whatever it does, it answers with a page of ours that everybody can read."""
    cookie = counter.log_in()
    found = counter.form_of(route, STATES[route](counter) if route in STATES else None)
    assert found is not None, "no page has its form: see STATES, scenery.py, or FORMLESS"
    address, form = found
    somebody = person(counter.site, scripts=scripts, width=360)
    if address != "/login":
        somebody.context.add_cookies([cookie])
    somebody.expect(400, 409, 507)  # that what was filled in cannot be is an answer, too
    somebody.open(address)
    shown = somebody.page.locator(
        f'form[method="post" i][action="{form.action}"], form:has([formaction="{form.action}"])'
    ).first
    _fill(shown)
    with somebody.page.expect_response(lambda response: response.request.method == "POST") as sent:
        _button(shown, form.action).click()
    assert sent.value.url.startswith(f"{counter.site.address}{form.action}")
    assert sent.value.status < 500
    somebody.page.wait_for_load_state()
    assert somebody.page.locator("h1").count() == 1
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0


def _fill(form: Locator) -> None:
    """Fill in what a person sees."""
    for field in form.locator("input:visible:enabled, textarea:visible:enabled").all():
        kind = field.get_attribute("type") or "text"
        if kind in ("checkbox", "radio"):
            field.check()
        elif kind not in ("file", "submit", "button"):
            field.fill(_FILLED.get(kind, "12"))


def _button(form: Locator, action: str) -> Locator:
    """Return what sends it there."""
    own = form.locator(f'[formaction="{action}"]')
    return own if own.count() else form.locator("button:visible:enabled, input[type=submit]:visible").first


def test_the_exceptions_are_routes() -> None:
    assert set(FORMLESS) | set(STATES) <= set(routes("POST"))
