"""Every page, found by its route: axe-core, console, policy, width and focus, light and dark."""

import pytest

from tools.driving.looking import Person
from tools.driving.tour import UNLINKED, Tour, routes

LOOKED_AT = sorted(routes("GET"))
SCHEMES = ("light", "dark")
every_route = pytest.mark.parametrize("route", LOOKED_AT)
# More of them are of the same kinds.
TABS = 25


def test_links_lead_to_every_route(tour: Tour) -> None:
    """One that nothing leads to needs its reason and an address in tools/driving/tour.py, or what it shows in
    scenery.py."""
    assert tour.missing == []
    assert set(UNLINKED) <= set(routes("GET"))


@every_route
def test_a_page_is_readable_by_everybody(tour: Tour, visitor: Person, route: str) -> None:
    if route not in tour.pages:
        return
    visitor.open(tour.pages[route])
    for width in (360, 1440):
        for scheme in SCHEMES:
            visitor.resize(width, scheme)
            assert visitor.barriers() == [], (width, scheme)
        assert visitor.outside_px() == 0, f"wider than {width} pixels"


@every_route
@pytest.mark.parametrize("width", [360, 1440])
def test_the_focus_goes_from_top_to_bottom_and_is_seen(tour: Tour, visitor: Person, route: str, width: int) -> None:
    if route not in tour.pages:
        return
    visitor.resize(width)
    visitor.open(tour.pages[route])
    begun = visitor.focused()
    places: list[int] = []
    for _ in range(TABS):
        visitor.page.keyboard.press("Tab")
        found = visitor.focused()
        if found is None or found["place"] in places[:1]:
            break
        assert found["seen"], f"out of sight: {found['what']}"
        assert found["drawn"], f"not drawn: {found['what']}"
        places.append(found["place"])
    assert places
    # A field that has the focus from the begin is what Tab goes on from; behind the end it begins at the top.
    first = 0 if begun is None else places.index(min(places))
    assert places[first:] + places[:first] == sorted(places)


@every_route
def test_a_page_has_the_same_headings_without_scripts(
    tour: Tour, visitor: Person, plain_visitor: Person, route: str
) -> None:
    if route not in tour.pages:
        return
    seen = []
    for one in (visitor, plain_visitor):
        one.open(tour.pages[route])
        seen.append((one.page.title(), one.page.locator("h1").all_inner_texts()))
    assert seen[0] == seen[1]
    assert seen[0][0]
    assert len(seen[0][1]) == 1


@pytest.mark.parametrize("path", ["/nothing", "/events/999999", "/events?least=x"])
def test_a_refusal_is_readable_by_everybody(visitor: Person, path: str) -> None:
    visitor.expect(400, 404)
    visitor.open(path)
    for scheme in SCHEMES:
        visitor.resize(360, scheme)
        assert visitor.barriers() == []
    assert visitor.outside_px() == 0
    assert "That did not work" in visitor.words
