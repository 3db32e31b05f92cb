"""A person looks at the live picture and sets the lens; the service freezes, vanishes, and comes back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages_driven.beside import LABEL, Service
from tests.pages_driven.conftest import Serve
from tests.pages_driven.scenery import PASSWORD
from tools.driving.looking import Meet
from tools.driving.served import Served

WORDS = f"The newest picture: {LABEL}, 91.7 %"
# Red, green, blue of a picture's middle; and all of it as text.
MIDDLE = """one => {
    const copy = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    copy.drawImage(one, -one.width / 2, -one.height / 2);
    return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""
CONTENT = "one => one.toDataURL()"


@pytest.fixture
def service(run: Path) -> Iterator[Service]:
    """A service beside the pages of `site`."""
    with Service(run) as one:
        yield one


def picture(page: Page) -> Locator:
    """The whole picture, drawn by the page's script."""
    return page.locator(".view").last.locator("canvas")


def part(page: Page) -> Locator:
    """The part by which the lens is set."""
    return page.locator(".view").first.locator("canvas")


def until_colour(canvas: Locator, channel: int) -> None:
    """Wait until a picture's middle is red, 0, or blue, 2."""
    other = 2 - channel
    canvas.page.wait_for_function(f"one => {{ const c = ({MIDDLE})(one); return c[{channel}] > c[{other}] + 80; }}",
                                  arg=canvas.element_handle())  # fmt: skip


class TestWithScripts:
    def test_the_picture_changes_by_itself_with_its_boxes(self, service: Service, site: Served, person: Meet) -> None:
        somebody = person(site, width=360)
        somebody.open("/live")
        shown = picture(somebody.page)
        expect(shown).to_be_visible()
        expect(shown).to_have_attribute("aria-label", WORDS)
        expect(somebody.page.locator(".view .box")).to_have_attribute("x", "10")
        expect(somebody.page.locator(".view .others rect")).to_have_attribute("width", "20")
        before = shown.evaluate(CONTENT)
        somebody.page.wait_for_function(
            f"([one, before]) => ({CONTENT})(one) !== before", arg=[shown.element_handle(), before]
        )
        expect(somebody.page.locator("[data-fact=seen]")).to_contain_text(LABEL)
        expect(somebody.page.locator("[data-fact=rate]")).to_contain_text("9.8 decisions a second")
        assert somebody.barriers() == []
        assert somebody.outside_px() == 0

    def test_a_picture_that_is_old_is_not_shown_and_a_new_one_is(
        self, service: Service, site: Served, person: Meet
    ) -> None:
        somebody = person(site, width=360)
        somebody.open("/live")
        expect(picture(somebody.page)).to_be_visible()
        service.frozen = True
        expect(picture(somebody.page)).to_be_hidden()
        expect(somebody.page.get_by_text("The newest picture is on its way.")).to_be_visible()
        assert somebody.barriers() == []
        service.frozen = False
        expect(picture(somebody.page)).to_be_visible()
        expect(somebody.page.get_by_text("The newest picture is on its way.")).to_have_count(0)

    def test_a_service_that_vanishes_or_sleeps_is_said(self, service: Service, site: Served, person: Meet) -> None:
        somebody = person(site, width=360)
        somebody.open("/live")
        expect(picture(somebody.page)).to_be_visible()
        service.be(state="asleep", why="by the schedule")
        expect(somebody.page.get_by_role("status").first).to_contain_text("asleep by the schedule")
        expect(picture(somebody.page)).to_be_hidden()
        service.vanish()
        expect(somebody.page.get_by_role("status").first).to_contain_text("not running")
        assert somebody.barriers() == []

    def test_pages_that_do_not_answer_are_said_and_tried_again(
        self, service: Service, site: Served, person: Meet
    ) -> None:
        somebody = person(site, width=360)
        somebody.open("/live")
        expect(picture(somebody.page)).to_be_visible()
        somebody.context.set_offline(True)
        expect(somebody.page.get_by_text("The pages do not answer.")).to_be_visible()
        expect(picture(somebody.page)).to_be_hidden()
        somebody.context.set_offline(False)
        expect(picture(somebody.page)).to_be_visible()
        expect(somebody.page.get_by_text("The pages do not answer.")).to_have_count(0)

    def test_the_part_is_chosen_by_click_by_fields_and_by_arrows(
        self, service: Service, site: Served, person: Meet
    ) -> None:
        somebody = person(site)
        page = somebody.page
        somebody.open("/live")
        _click(picture(page), 0.25, 0.5)
        expect(page).to_have_url(re.compile(r"/live/focus\?x=2[45]"))
        until_colour(part(page), 0)  # the left of the scene is red
        expect(page.get_by_text("best so far")).to_be_visible()
        _click(picture(page), 0.75, 0.5)
        until_colour(part(page), 2)
        expect(page).to_have_url(re.compile(r"x=7[45]"))
        across = page.get_by_label("From the left (%)")
        across.fill("20")
        until_colour(part(page), 0)
        page.get_by_role("link", name="To the right").click()
        expect(across).to_have_value("30")
        across.fill("200")
        page.get_by_role("button", name="Show").click()
        assert "x=30" in page.url, "what cannot be is not requested"
        assert somebody.barriers() == []
        assert somebody.outside_px() == 0

    def test_the_sharpest_so_far_is_kept_until_the_person_begins_anew(
        self, service: Service, site: Served, person: Meet
    ) -> None:
        page = person(site, width=360).page
        page.goto("/live/focus?x=80&y=60&size=10")
        expect(page.locator("#sharpness")).to_have_text(re.compile(r"[1-9]"))
        best = page.locator("#best output")
        expect(best).to_have_text(page.locator("#sharpness").inner_text())
        page.get_by_role("button", name="Start again").click()
        expect(best).to_have_text(re.compile(r"[1-9]"))
        page.get_by_label("Grid").check()
        expect(page.locator(".grid")).to_have_css("display", "inline")

    def test_who_logs_out_elsewhere_sees_nothing_more(
        self, service: Service, serve: Serve, locked_store: Path, person: Meet
    ) -> None:
        somebody = person(serve(locked_store, "--run-dir", str(service.run)))
        somebody.open("/login")
        somebody.page.get_by_label("Password").fill(PASSWORD)
        somebody.page.get_by_role("button", name="Log in").click()
        somebody.page.get_by_role("link", name="Live").click()
        expect(picture(somebody.page)).to_be_visible()
        there = somebody.context.new_page()
        there.goto("/counts")
        there.get_by_role("button", name="Log out").click()
        somebody.page.bring_to_front()
        expect(somebody.page.get_by_label("Password")).to_be_visible()


class TestWithoutScripts:
    def test_it_shows_one_picture_and_a_link_to_the_next(self, service: Service, site: Served, person: Meet) -> None:
        page = person(site, scripts=False, width=360).page
        page.goto("/live")
        shown = page.locator(".view img")
        expect(shown).to_be_visible()
        expect(shown).to_have_js_property("naturalWidth", 960)
        page.get_by_role("link", name="Reload").click()
        expect(page.locator(".view img")).to_have_attribute("alt", WORDS)

    def test_the_part_is_chosen_by_fields_and_by_arrows(self, service: Service, site: Served, person: Meet) -> None:
        somebody = person(site, scripts=False, width=360)
        page = somebody.page
        page.goto("/live")
        page.get_by_role("link", name="Focus and framing").click()
        page.get_by_label("From the left (%)").fill("20")
        page.get_by_label("Size").select_option("10")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_label("From the left (%)")).to_have_value("20")
        shown = page.locator(".view img").first
        expect(shown).to_be_visible()
        expect(shown).to_have_js_property("naturalWidth", 128)
        page.get_by_role("link", name="To the right").click()
        expect(page.get_by_label("From the left (%)")).to_have_value("24")
        expect(page.locator(".view .part")).to_have_attribute("x", re.compile(r"^19(\.0+\d*)?$|^18\.99"))
        page.get_by_role("link", name="Back to the whole picture").click()
        expect(page.locator(".view")).to_have_count(1)
        assert somebody.outside_px() == 0

    def test_a_picture_that_is_old_is_not_shown(self, service: Service, site: Served, person: Meet) -> None:
        service.frozen = True
        page = person(site, scripts=False, width=360).page
        page.goto("/live")
        expect(page.get_by_text("The newest picture is on its way.")).to_be_visible()
        assert page.locator(".view img").evaluate("one => one.currentSrc").endswith("/live/picture")
        assert page.locator(".view img").evaluate("one => one.naturalWidth") != 960

    def test_a_service_that_vanished_is_said(self, service: Service, site: Served, person: Meet) -> None:
        service.vanish()
        page = person(site, scripts=False, width=360).page
        page.goto("/live")
        expect(page.get_by_role("status").first).to_contain_text("not running")
        expect(page.locator(".view")).to_be_hidden()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_where_no_service_runs_the_page_says_so(site: Served, person: Meet, scripts: bool) -> None:
    somebody = person(site, scripts=scripts, width=360)
    for path in ("/live", "/live/focus"):
        somebody.open(path)
        expect(somebody.page.get_by_role("status").first).to_contain_text("No service runs here.")
        assert somebody.barriers() == []
        assert somebody.outside_px() == 0


def _click(one: Locator, across: float, down: float) -> None:
    """Click on a place of a picture, in shares of its width and height."""
    expect(one).to_be_visible()
    box = one.bounding_box()
    assert box is not None
    one.click(position={"x": box["width"] * across, "y": box["height"] * down})
