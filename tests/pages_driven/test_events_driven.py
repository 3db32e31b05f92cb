"""A person checks events: by click and by key, one and several, with and without scripts."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages_driven.kept_marks import mark_of, verdict_of
from tests.pages_driven.scenery import MANY
from tools.driving.looking import Meet
from tools.driving.served import Served

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


def event(page: Page, number: int) -> Locator:
    """An event of the list."""
    return page.locator(f"#event-{number}")


@with_and_without_scripts
class TestByClick:
    @pytest.mark.parametrize(
        ("button", "verdict", "words"),
        [("Right", ("right", None), "checked: right"), ("Wrong", ("wrong", None), "checked: wrong")],
    )
    def test_an_event_is_right_or_wrong_and_the_mark_is_taken_back(
        self, site: Served, store: Path, person: Meet, scripts: bool, button: str, verdict: object, words: str
    ) -> None:
        page = person(site, scripts=scripts, width=360).page
        page.goto("/events")
        event(page, MANY).get_by_role("button", name=button).click()
        expect(event(page, MANY)).to_contain_text(words)
        assert verdict_of(store, MANY) == verdict
        expect(page.get_by_text("Marked: 1.")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Marked: 1.")).to_have_count(0)
        assert mark_of(store, MANY) is None

    def test_an_event_was_something_else(self, site: Served, store: Path, person: Meet, scripts: bool) -> None:
        page = person(site, scripts=scripts, width=360).page
        page.goto(f"/events/{MANY}")
        page.get_by_label(f"Event {MANY} was").fill("pine marten")
        page.get_by_role("button", name="It was").click()
        expect(page.get_by_text("checked: pine marten")).to_be_visible()
        assert verdict_of(store, MANY) == ("other", "pine marten")

    def test_several_are_marked_and_taken_back_at_once(
        self, site: Served, store: Path, person: Meet, scripts: bool
    ) -> None:
        somebody = person(site, scripts=scripts, width=360)
        page = somebody.page
        page.goto("/events")
        for number in (MANY, MANY - 1, MANY - 3):
            page.get_by_label(f"Select event {number}", exact=True).check()
        together = page.get_by_role("group", name="The selected ones")
        expect(together).to_be_in_viewport()  # in reach, wherever the list is scrolled to
        together.get_by_label("Label").fill("polecat")
        together.get_by_role("button", name="It was").click()
        expect(page.get_by_text("Marked: 3.")).to_be_visible()
        assert [verdict_of(store, MANY - back) for back in range(4)] == [("other", "polecat")] * 2 + [
            None,
            ("other", "polecat"),
        ]
        assert somebody.barriers() == []
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Marked: 3.")).to_have_count(0)
        assert [verdict_of(store, MANY - back) for back in range(4)] == [None] * 4

    def test_of_two_people_the_second_is_asked(self, site: Served, store: Path, person: Meet, scripts: bool) -> None:
        first, second = (person(site, scripts=scripts, width=360) for _ in range(2))
        for one in (first, second):
            one.open("/events")
        event(first.page, MANY).get_by_role("button", name="Right").click()
        expect(first.page.get_by_text("Marked: 1.")).to_be_visible()
        second.expect(409)
        event(second.page, MANY).get_by_role("button", name="Wrong").click()
        expect(second.page.get_by_role("heading", name="Somebody else was faster")).to_be_visible()
        assert second.barriers() == []
        assert second.outside_px() == 0
        assert verdict_of(store, MANY) == ("right", None)
        second.page.get_by_role("button", name="Mark them all the same").click()
        expect(event(second.page, MANY)).to_contain_text("checked: wrong")
        assert verdict_of(store, MANY) == ("wrong", None)


@with_and_without_scripts
def test_the_list_is_filtered_and_paged(site: Served, person: Meet, scripts: bool) -> None:
    page = person(site, scripts=scripts, width=360).page
    page.goto("/events")
    expect(page.get_by_text(f"{MANY} events")).to_be_visible()
    page.get_by_text("Choose", exact=True).click()
    page.get_by_role("combobox", name="Checked").select_option("yes")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("3 events")).to_be_visible()
    expect(page.locator("li.event .mark")).to_have_count(3)
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name="Older").click()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    expect(event(page, 1)).to_be_visible()
    page.get_by_role("link", name="Newest").click()
    expect(event(page, MANY)).to_be_visible()


@with_and_without_scripts
def test_an_event_is_opened_from_its_picture(site: Served, person: Meet, scripts: bool) -> None:
    page = person(site, scripts=scripts, width=360).page
    page.goto("/events")
    event(page, MANY).get_by_role("link").first.click()
    expect(page).to_have_title(f"Event {MANY} - Fieldfare")
    picture = page.locator("figure img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.naturalWidth") == 160
    page.get_by_role("link", name="All events").click()
    expect(page.get_by_role("heading", name="Events", level=1)).to_be_visible()


@with_and_without_scripts
def test_counts_and_status_are_a_step_away(site: Served, person: Meet, scripts: bool) -> None:
    page = person(site, scripts=scripts, width=360).page
    page.goto("/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Counts").click()
    expect(page.get_by_text(f"{MANY} events")).to_be_visible()
    total = page.locator("table.bars td.figure").all_inner_texts()
    assert 0 < sum(map(int, total)) <= MANY
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Status").click()
    expect(page.get_by_text(f"1 - {MANY}")).to_be_visible()


_PRESS = """keys => [...keys].forEach(key =>
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })))"""
"""Press keys (str), all in one moment."""


class TestByKey:
    def test_a_night_is_checked_with_one_hand(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.goto("/events")
        page.keyboard.press("j")
        page.keyboard.press("r")
        expect(event(page, MANY)).to_contain_text("checked: right")
        page.keyboard.press("w")  # the next one is chosen already
        expect(event(page, MANY - 1)).to_contain_text("checked: wrong")
        page.keyboard.press("l")
        page.keyboard.type("lynx rw")  # keys within a field are text
        page.keyboard.press("Enter")
        expect(event(page, MANY - 2)).to_contain_text("checked: lynx rw")
        page.keyboard.press("u")
        expect(event(page, MANY - 2)).not_to_contain_text("checked")
        assert [verdict_of(store, MANY - back) for back in range(3)] == [("right", None), ("wrong", None), None]

    def test_who_is_faster_than_the_pages_loses_no_key(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.goto("/events")
        page.evaluate(_PRESS, "jrw")  # all on the first page, before its form has gone
        expect(event(page, MANY)).to_contain_text("checked: right")
        expect(event(page, MANY - 1)).to_contain_text("checked: wrong")
        expect(event(page, MANY - 2)).to_have_class("event chosen")
        assert [verdict_of(store, MANY - back) for back in range(3)] == [("right", None), ("wrong", None), None]

    def test_a_key_counts_while_the_page_still_comes_in(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.add_init_script(
            f"""document.addEventListener("readystatechange", () => {{
              if (document.readyState === "interactive" && !location.hash) ({_PRESS})("jjw");
            }})"""
        )
        page.goto("/events")
        expect(event(page, MANY - 1)).to_contain_text("checked: wrong")
        assert [verdict_of(store, MANY - back) for back in range(2)] == [None, ("wrong", None)]

    def test_a_finger_that_rests_on_a_key_marks_one_event(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.goto("/events")
        for key in "jrrrr":  # the same key again, before it was let go: the browser calls that a repeat
            page.keyboard.down(key)
        expect(event(page, MANY)).to_contain_text("checked: right")
        expect(event(page, MANY - 1)).to_have_class("event chosen")
        assert [verdict_of(store, MANY - back) for back in range(2)] == [("right", None), None]

    def test_keys_for_a_page_that_never_came_press_nothing_later(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.goto("/events")
        page.evaluate("sessionStorage.keys = 'event-58 rjw'")
        page.goto(f"/events#event-{MANY}")
        page.reload()
        expect(event(page, MANY - 1)).to_have_class("event chosen")
        assert page.evaluate("sessionStorage.length") == 0
        assert [mark_of(store, MANY - back) for back in range(3)] == [None] * 3

    def test_without_cookies_keys_mark_as_well(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.add_init_script("Object.defineProperty(window, 'sessionStorage', { get() { throw Error('blocked') } })")
        page.goto("/events")
        page.evaluate(_PRESS, "jr")
        expect(event(page, MANY)).to_contain_text("checked: right")
        assert verdict_of(store, MANY) == ("right", None)

    def test_a_second_press_on_one_event_changes_nothing(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.goto(f"/events/{MANY}")
        page.evaluate(_PRESS, "rw")
        expect(page.get_by_text("checked: right")).to_be_visible()
        page.goto("/events")
        expect(event(page, MANY)).to_contain_text("checked: right")
        assert verdict_of(store, MANY) == ("right", None)

    def test_several_are_selected(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.goto("/events")
        for key in "jxjjxk":
            page.keyboard.press(key)
        expect(page.locator("input[name=event]:checked")).to_have_count(2)
        expect(event(page, MANY - 1)).to_be_focused()
        page.get_by_role("group", name="The selected ones").get_by_role("button", name="Right").click()
        expect(page.get_by_text("Marked: 2.")).to_be_visible()
        assert [verdict_of(store, MANY - back) is None for back in range(3)] == [False, True, False]

    def test_enter_in_a_field_presses_nothing_by_accident(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site, scripts=False).page
        page.goto("/events")
        event(page, MANY).get_by_role("textbox").or_(event(page, MANY).get_by_role("combobox")).first.press("Enter")
        assert verdict_of(store, MANY) is None

    def test_a_single_event_is_marked(self, site: Served, store: Path, person: Meet) -> None:
        page = person(site).page
        page.goto(f"/events/{MANY}")
        page.keyboard.press("w")
        expect(page.get_by_text("checked: wrong")).to_be_visible()
        assert verdict_of(store, MANY) == ("wrong", None)
        page.keyboard.press("u")
        expect(page.get_by_text("checked: wrong")).to_have_count(0)
        assert mark_of(store, MANY) is None
