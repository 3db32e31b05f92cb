"""A person logs in, and out; a session ends; somebody guesses."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.pages_driven.conftest import Serve
from tests.pages_driven.kept_marks import mark_of
from tests.pages_driven.scenery import MANY, PASSWORD
from tools.driving.client import Client
from tools.driving.looking import Meet, Person
from tools.driving.served import set_password

MOST_GUESSES = 12


def log_in(somebody: Person, password: str = PASSWORD) -> None:
    somebody.page.get_by_label("Password").fill(password)
    somebody.page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_wrong_password_the_right_one_and_out(serve: Serve, locked_store: Path, person: Meet, scripts: bool) -> None:
    somebody = person(serve(locked_store), scripts=scripts, width=360)
    somebody.expect(403)
    somebody.open("/events/3")
    expect(somebody.page.get_by_label("Password")).to_be_focused()
    log_in(somebody, "not this one")
    expect(somebody.page.get_by_role("alert")).to_have_text("That is not the password.")
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0
    log_in(somebody)
    expect(somebody.page.get_by_role("heading", name="Events", level=1)).to_be_visible()
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0, "with the button to log out"
    somebody.page.get_by_role("button", name="Log out").click()
    expect(somebody.page.get_by_label("Password")).to_be_visible()
    somebody.page.go_back()
    somebody.open("/events")
    expect(somebody.page.get_by_label("Password")).to_be_visible()


def test_who_guesses_must_wait_in_words(serve: Serve, locked_store: Path, person: Meet) -> None:
    site = serve(locked_store)
    guessing, somebody = Client(site.address), person(site)
    for guess in range(5):
        assert guessing.post("/login", [("password", f"guess {guess}")]).status == 403
    guessing.close()
    somebody.expect(403, 429)
    refused = somebody.page.get_by_text("Too many wrong passwords.")
    # Each wait is twice the last one: on a busy machine the first ones are over before the next guess.
    for guess in range(MOST_GUESSES):
        somebody.open("/login")
        log_in(somebody, f"another guess {guess}")
        expect(refused.or_(somebody.page.get_by_role("alert"))).to_be_visible()
        if refused.is_visible():
            break
    expect(refused).to_be_visible()
    assert somebody.barriers() == []


def test_a_session_that_ended_elsewhere_is_said_and_nothing_is_marked(
    serve: Serve, locked_store: Path, person: Meet
) -> None:
    somebody = person(serve(locked_store))
    somebody.open("/login")
    log_in(somebody)
    here, there = somebody.page, somebody.context.new_page()
    there.goto("/status")
    there.get_by_role("button", name="Log out").click()
    expect(there.get_by_label("Password")).to_be_visible()
    somebody.expect(401)
    here.locator(f"#event-{MANY}").get_by_role("button", name="Right").click()
    expect(here.get_by_text("You are not logged in any more.")).to_be_visible()
    assert mark_of(locked_store, MANY) is None
    assert somebody.barriers() == []
    here.get_by_role("main").get_by_role("link").click()
    log_in(somebody)
    expect(here.locator(f"#event-{MANY}")).to_be_visible()


def test_a_session_outlives_a_restart_and_ends_with_the_password(
    serve: Serve, locked_store: Path, person: Meet
) -> None:
    site = serve(locked_store)
    somebody = person(site)
    somebody.open("/login")
    log_in(somebody)
    cookies = somebody.context.cookies()
    again = person(serve(locked_store))  # on another port; cookies know no ports
    again.context.add_cookies(cookies)
    again.open("/status")
    expect(again.page.get_by_role("heading", name="Status", level=1)).to_be_visible()
    set_password(locked_store, "another one, longer")
    after = person(serve(locked_store))
    after.context.add_cookies(cookies)
    after.open("/status")
    expect(after.page.get_by_label("Password")).to_be_visible()
