"""Somebody teaches the camera's bundle, and looks on."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.pages_driven import plugged_in
from tests.pages_driven.conftest import Serve
from tests.pages_driven.scenery import settings_for
from tools.driving.looking import Meet
from tools.driving.taught_store import make_teachable

SCHEMES = ("light", "dark")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_teaching_is_followed_to_its_end(store: Path, serve: Serve, person: Meet, scripts: bool) -> None:
    settings = settings_for(store, make_teachable(store))
    plugged_in.plug_in(store.parent)
    plugged_in.hold(store.parent)
    somebody = person(serve(settings, program=plugged_in.program(store.parent)), scripts=scripts, width=360)
    somebody.open("/teach")
    somebody.page.get_by_role("button", name="Teach from these events").click()
    expect(somebody.page.get_by_text("Teaching for")).to_be_visible()
    for scheme in SCHEMES:
        somebody.resize(360, scheme)
        assert somebody.barriers() == []
    assert somebody.outside_px() == 0
    plugged_in.let_go(store.parent)
    ended = somebody.page.get_by_role("status").filter(has_text=re.compile("Better|Worse"))
    if not scripts:
        while not ended.count():
            somebody.page.get_by_role("link", name="Look again").click()
    expect(ended).to_be_visible()
    assert somebody.page.get_by_role("columnheader", name="Named").count() == 1
    for scheme in SCHEMES:
        somebody.resize(360, scheme)
        assert somebody.barriers() == []
    assert somebody.outside_px() == 0


def test_one_that_is_cancelled_says_so(store: Path, serve: Serve, person: Meet) -> None:
    settings = settings_for(store, make_teachable(store))
    plugged_in.plug_in(store.parent)
    plugged_in.hold(store.parent)
    somebody = person(serve(settings, program=plugged_in.program(store.parent)), width=360)
    somebody.open("/teach")
    somebody.page.get_by_role("button", name="Teach from these events").click()
    somebody.page.get_by_role("button", name="Cancel").click()
    somebody.page.get_by_role("link", name="Teach").click()
    expect(somebody.page.get_by_text("It was cancelled.")).to_be_visible()
    assert somebody.barriers() == []
