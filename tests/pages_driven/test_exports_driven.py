"""A person takes events home: onto a stick that is pulled or not, and as a download."""

import shutil
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.pages_driven import plugged_in
from tests.pages_driven.conftest import Serve
from tests.pages_driven.scenery import MANY
from tools.driving.looking import Meet
from tools.driving.served import Served

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A stick that is plugged in."""
    return plugged_in.plug_in(tmp_path)


@pytest.fixture
def site(serve: Serve, store: Path, stick: Path, tmp_path: Path) -> Served:
    """The pages of `store` on a machine with it."""
    return serve(store, program=plugged_in.program(tmp_path))


def choose(page: Page, form: str = "csv") -> None:
    """Choose a format of those that the page has."""
    page.goto("/exports")
    page.get_by_role("combobox", name="Format").select_option(form)


def look_until(page: Page, words: str) -> None:
    """Press the link that looks again until the page shows them."""
    for _ in range(300):
        if page.get_by_text(words).count():
            return
        again = page.get_by_role("link", name="Look again")
        if again.count():
            again.click()
        else:
            page.reload()
    raise AssertionError(f"{words}: not within 300 looks")


@with_and_without_scripts
def test_events_are_written_to_a_stick(site: Served, stick: Path, person: Meet, scripts: bool) -> None:
    somebody = person(site, scripts=scripts, width=360)
    page = somebody.page
    choose(page)
    expect(page.get_by_role("radio", name="stick")).to_be_checked()
    expect(page.get_by_role("radio", name="pulled out")).to_be_disabled()
    page.get_by_role("button", name="Write to the stick").click()
    look_until(page, "Written to the stick")
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0
    (folder,) = stick.iterdir()
    assert (folder / "manifest-sha256.txt").is_file()
    assert len(list(folder.rglob("*.jpg"))) >= MANY


@with_and_without_scripts
def test_an_export_is_cancelled_and_gone_on_with(
    site: Served, stick: Path, tmp_path: Path, person: Meet, scripts: bool
) -> None:
    somebody = person(site, scripts=scripts, width=360)
    page = somebody.page
    choose(page)
    plugged_in.hold(tmp_path)
    page.get_by_role("button", name="Write to the stick").click()
    expect(page.get_by_text("export to a stick: going on for")).to_be_visible()
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0
    page.get_by_role("button", name="Cancel").click()
    look_until(page, "Not written whole")
    plugged_in.let_go(tmp_path)
    page.get_by_role("button", name="Go on with it").click()
    look_until(page, "Written to the stick")
    assert [one.name for one in stick.iterdir()]


def test_a_stick_that_was_pulled_is_said(site: Served, stick: Path, person: Meet) -> None:
    somebody = person(site, width=360)
    somebody.expect(409)
    choose(somebody.page)
    shutil.rmtree(stick)
    somebody.page.get_by_role("button", name="Write to the stick").click()
    expect(somebody.page.get_by_text("The stick takes nothing.")).to_be_visible()
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0


@with_and_without_scripts
def test_events_are_downloaded(site: Served, tmp_path: Path, person: Meet, scripts: bool) -> None:
    page = person(site, scripts=scripts, width=360).page
    choose(page)
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download").click()
    assert begun.value.suggested_filename.startswith("fieldfare-csv-")
    begun.value.save_as(tmp_path / "taken.tar")
    with tarfile.open(tmp_path / "taken.tar") as archive:
        names = archive.getnames()
    assert "fieldfare-csv/manifest-sha256.txt" in names
    assert len([name for name in names if name.endswith(".jpg")]) >= MANY


def test_nothing_to_download_is_said(site: Served, person: Meet) -> None:
    somebody = person(site, width=360)
    somebody.expect(409)
    choose(somebody.page)
    somebody.page.get_by_label("From (day)").fill("2031-01-01")
    somebody.page.get_by_role("button", name="Download").click()
    expect(somebody.page.get_by_text("Nothing was exported.")).to_be_visible()
    assert somebody.barriers() == []
    assert somebody.outside_px() == 0
