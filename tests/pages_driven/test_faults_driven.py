"""What goes wrong while a page is open: pictures, the store, the browser itself."""

import socket
from pathlib import Path

import pytest
from playwright.sync_api import expect

from edge.store.reading import StoreReader
from edge.store.records import Filter
from tests.pages_driven.kept_marks import mark_of, verdict_of
from tests.pages_driven.scenery import MANY, ODD_LABELS
from tools.driving.client import Client
from tools.driving.looking import Meet
from tools.driving.served import Served
from tools.driving.tour import Tour

# What they show comes from elsewhere, and goes on without a store.
NOT_OF_THE_STORE = {"/live", "/live/focus", "/doctor", "/problems", "/settings", "/login"}


def test_a_picture_that_was_dropped_leaves_its_words(site: Served, store: Path, person: Meet) -> None:
    for picture in (store.parent / "pictures").iterdir():
        picture.unlink()
    somebody = person(site, width=360)
    somebody.expect(404)
    somebody.open("/events")
    assert somebody.outside_px() == 0
    assert somebody.barriers() == []
    somebody.page.locator(f"#event-{MANY}").get_by_role("link").first.click()
    expect(somebody.page.get_by_role("img").first).to_be_visible()
    somebody.page.get_by_role("button", name="Wrong").click()
    expect(somebody.page.get_by_text("checked: wrong")).to_be_visible()


@pytest.mark.parametrize("fault", ["gone", "damaged"])
def test_the_store_goes_and_comes_back_while_a_page_is_open(
    site: Served, store: Path, person: Meet, fault: str
) -> None:
    somebody = person(site, width=360)
    somebody.expect(503)
    somebody.open("/events")
    aside = store.rename(store.with_name("aside"))
    if fault == "damaged":
        store.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    somebody.page.locator(f"#event-{MANY}").get_by_role("button", name="Right").click()
    expect(somebody.page.get_by_text("The store of events")).to_be_visible()
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0
    aside.replace(store)
    somebody.page.go_back()
    somebody.page.locator(f"#event-{MANY}").get_by_role("button", name="Right").click()
    expect(somebody.page.get_by_text("Marked: 1.")).to_be_visible()


@pytest.mark.parametrize(
    ("fault", "words"),
    [("gone", "The store of events is not there."), ("damaged", "The store of events cannot be read")],
)
def test_every_page_of_the_store_says_that_it_is_not_there(
    site: Served, store: Path, tour: Tour, person: Meet, fault: str, words: str
) -> None:
    somebody = person(site, width=360)
    somebody.expect(503)
    store.rename(store.with_name("aside"))
    if fault == "damaged":
        store.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    without = set()
    for route, address in tour.pages.items():
        answer = somebody.open(address)
        assert answer is not None
        if answer.status == 200:
            without.add(route)
        else:
            assert (answer.status, words in somebody.words) == (503, True), route
        assert somebody.outside_px() == 0, route
    # What is sorted is in a file of its own.
    assert without == NOT_OF_THE_STORE | {route for route in tour.pages if route.startswith("/sort")}


def test_half_a_form_marks_nothing(site: Served, store: Path) -> None:
    body = f"back=%2Fevents&seen-{MANY}=-&one={MANY}%3Aright"
    head = (
        f"POST /events/marks HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nOrigin: {site.address}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body) + 20}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.sendall((head + body).encode())
    client = Client(site.address)
    assert client.get("/events").status == 200
    client.close()
    assert mark_of(store, MANY) is None


def test_a_browser_that_closes_before_the_answer_leaves_a_whole_mark_or_none(
    site: Served, store: Path, person: Meet
) -> None:
    leaving, staying = person(site), person(site)
    leaving.open("/events")
    leaving.page.evaluate("() => document.querySelector('button[value$=\":wrong\"]').click()")
    leaving.page.close()
    staying.open("/events")
    expect(staying.page.get_by_text(f"{MANY} events")).to_be_visible()
    assert verdict_of(store, MANY) in (None, ("wrong", None))


def test_odd_labels_are_shown_as_they_are(site: Served, store: Path, person: Meet) -> None:
    """Markup is text, and text from right to left moves nothing around it."""
    somebody = person(site, width=360)
    somebody.open("/events")
    shown = somebody.page.locator("li.event h2 bdi").all_inner_texts()
    for label in ODD_LABELS:
        assert label in shown
    assert somebody.outside_px() == 0
    with StoreReader(store) as reader:
        numbers = {one.label: one.number for one in reader.events(Filter())}
    for label in ODD_LABELS:
        somebody.open(f"/events/{numbers[label]}")
        assert somebody.page.locator("h1 bdi").inner_text() == label
        assert somebody.outside_px() == 0, label
        assert somebody.page.locator("main img[onerror], main script").count() == 0


@pytest.mark.parametrize("label", ODD_LABELS)
def test_a_person_writes_odd_labels(site: Served, store: Path, person: Meet, label: str) -> None:
    """Whether such a label is taken is the store's business; it is kept whole, or refused in words."""
    somebody = person(site, width=360)
    somebody.expect(400)
    somebody.open("/events")
    somebody.page.get_by_label(f"Event {MANY} was").fill(label)
    somebody.page.locator(f"#event-{MANY}").get_by_role("button", name="It was").click()
    somebody.page.wait_for_load_state()
    assert somebody.outside_px() == 0
    mark = mark_of(store, MANY)
    if mark is None:
        assert "The page sent something that cannot be." in somebody.words
    else:
        assert mark.label == label
        assert f"checked: {label}" in somebody.page.locator(f"#event-{MANY}").inner_text()
        somebody.open("/counts")
        assert label in somebody.page.locator("table.bars bdi").all_inner_texts()
        assert somebody.outside_px() == 0


def test_a_hundred_connections_that_say_nothing_keep_nobody_out(site: Served, person: Meet) -> None:
    silent = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(100)]
    try:
        somebody = person(site)
        somebody.open("/events")
        assert f"{MANY} events" in somebody.words
    finally:
        for one in silent:
            one.close()
    client = Client(site.address)
    assert client.get("/status").status == 200
    client.close()
