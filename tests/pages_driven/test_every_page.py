"""Every page, found by its route: axe-core, console, policy, width and focus, light and dark."""

import pytest

from tests.pages_driven.scenery import PASSWORD
from tools.driving.looking import HEIGHTS, Meet
from tools.driving.served import Served
from tools.driving.tour import UNLINKED, Tour, routes

LOOKED_AT = sorted(routes("GET"))
SCHEMES = ("light", "dark")


def test_links_lead_to_every_route(tour: Tour) -> None:
    """One that nothing leads to needs its reason and an address in tools/driving/tour.py, or what it shows in
    scenery.py."""
    assert tour.missing == []
    assert set(UNLINKED) <= set(routes("GET"))


@pytest.mark.parametrize("route", LOOKED_AT)
def test_a_page_is_readable_by_everybody(museum: Served, tour: Tour, person: Meet, route: str) -> None:
    if route not in tour.pages:
        return
    somebody = person(museum)
    somebody.open(tour.pages[route])
    for width in (360, 1440):
        somebody.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        for scheme in SCHEMES:
            somebody.page.emulate_media(color_scheme=scheme)
            assert somebody.barriers() == [], (width, scheme)
        assert somebody.outside_px() == 0, f"wider than {width} pixels"


@pytest.mark.parametrize("route", LOOKED_AT)
@pytest.mark.parametrize("width", [360, 1440])
def test_the_focus_goes_from_top_to_bottom_and_is_seen(
    museum: Served, tour: Tour, person: Meet, route: str, width: int
) -> None:
    if route not in tour.pages:
        return
    somebody = person(museum, width=width)
    somebody.open(tour.pages[route])
    places: list[int] = []
    for _ in range(40):
        somebody.page.keyboard.press("Tab")
        found = somebody.focused()
        if found is None or found["place"] in places[:1]:
            break
        assert found["seen"], f"out of sight: {found['what']}"
        assert found["drawn"], f"not drawn: {found['what']}"
        places.append(found["place"])
    # A field that has the focus from the begin is where Tab goes on from.
    assert places == sorted(places)
    assert places


@pytest.mark.parametrize("route", LOOKED_AT)
def test_a_page_without_scripts_has_the_same_words(museum: Served, tour: Tour, person: Meet, route: str) -> None:
    if route not in tour.pages:
        return
    plain, rich = person(museum, scripts=False), person(museum)
    plain.open(tour.pages[route])
    rich.open(tour.pages[route])
    assert plain.page.title() == rich.page.title() != ""
    assert plain.page.locator("h1").all_inner_texts() == rich.page.locator("h1").all_inner_texts() != []


@pytest.mark.parametrize("path", ["/nothing", "/events/999999", "/events?least=x"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_refusal_is_readable_by_everybody(museum: Served, person: Meet, path: str, scheme: str) -> None:
    somebody = person(museum, width=360, scheme=scheme)
    somebody.expect(400, 404)
    somebody.open(path)
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0
    assert "That did not work" in somebody.words


def test_the_password_is_no_part_of_these_pages(museum: Served, person: Meet) -> None:
    somebody = person(museum)
    somebody.open("/login")
    somebody.page.get_by_label("Password").fill(PASSWORD)
    somebody.page.get_by_role("button", name="Log in").click()
    assert somebody.page.url == f"{museum.address}/events"
