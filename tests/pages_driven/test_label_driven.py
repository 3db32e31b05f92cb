"""A person sorts photos on a desktop: by keys and by thumbs, hands them out, and follows a training."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tools.driving.looking import Meet, Person
from tools.driving.served import Served, labelling


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two kinds of photos, 15 of each."""
    folder = tmp_path / "photos"
    folder.mkdir()
    dice = np.random.default_rng(0)
    for number in range(30):
        picture = np.full((90, 120, 3), (40, 160, 90) if number % 2 else (170, 90, 40), np.uint8)
        x, y = dice.integers(20, 70, 2).tolist()
        cv2.circle(picture, (x, y), 18, (230, 230, 230), -1)
        cv2.imwrite(str(folder / f"{number}.jpg"), picture)
    return folder


@pytest.fixture
def site(photos: Path) -> Iterator[Served]:
    with labelling(photos, "--class", "moss") as started:
        yield started
        assert "Traceback" not in started.reported(), started.reported()


def is_readable(somebody: Person) -> None:
    """The page is as wide as its window, and everybody can read it."""
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0


def there(page: Page, path: str) -> None:
    """Wait for a page, and the script that hears its keys: a key that is pressed before goes to the page before."""
    page.wait_for_url(f"**{path}")
    page.wait_for_load_state()


def test_photos_are_sorted_by_keys_handed_out_and_a_training_is_followed(
    site: Served, photos: Path, person: Meet
) -> None:
    somebody = person(site)
    page = somebody.page
    somebody.open(site.opening)
    expect(page.get_by_role("heading", name="Sort", exact=True)).to_be_visible()
    is_readable(somebody)
    page.get_by_role("link", name="Group 1", exact=True).click()
    there(page, "/sort/groups/*")
    page.keyboard.press("1")
    expect(page.get_by_text("named moss")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("named moss")).to_have_count(0)
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).check()
    boxes.nth(3).click(modifiers=["Shift"])
    assert [boxes.nth(place).is_checked() for place in range(5)] == [True, True, True, True, False]
    page.get_by_role("combobox", name="Class").fill("moss")
    page.keyboard.press("Enter")
    expect(page.get_by_text("4 named moss")).to_be_visible()
    page.get_by_role("link", name="Groups", exact=True).click()
    there(page, "/sort")
    for box in boxes.all():
        box.check()
    page.keyboard.press("1")
    expect(page.get_by_text("30 of 30 pictures decided")).to_be_visible()
    page.get_by_role("link", name="Hand out").first.click()
    is_readable(somebody)
    page.get_by_role("radio", name="Copies").check()
    page.get_by_role("button", name="Make class folders").click()
    expect(page.get_by_text("fieldfare train")).to_be_visible()
    assert len(list(photos.with_name("photos-sorted").rglob("*.jpg"))) == 30
    is_readable(somebody)
    page.get_by_role("button", name="Train now, here").click()
    expect(page.get_by_role("heading", name="Training", exact=True)).to_be_visible()
    is_readable(somebody)
    # One class is none to be told from another: the training ends at once, and the page shows it by itself.
    expect(page.get_by_text("It ended with status")).to_be_visible()
    is_readable(somebody)


def test_a_thumb_corrects_a_photo_without_scripts(site: Served, person: Meet) -> None:
    somebody = person(site, scripts=False, width=360)
    page = somebody.page
    somebody.open(site.opening)
    page.get_by_role("checkbox").first.check()
    page.get_by_role("combobox", name="Class").fill("<b>heron</b> & co")
    page.get_by_role("button", name="Name them").click()
    page.get_by_role("link", name="<b>heron</b> & co").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<b>heron</b> & co")
    assert somebody.outside_px() == 0
    page.get_by_role("link", name="Picture").or_(page.locator(".sheet a")).first.click()
    page.get_by_role("button", name="Take out").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("taken out")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<b>heron</b> & co")
