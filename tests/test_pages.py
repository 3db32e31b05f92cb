"""The pages of docs/: their links lead to pages and headings that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def headings(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for name, _, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)(#([\w-]+))?\)", text):
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), name
        if heading:
            assert heading in headings(target), f"{name}#{heading}"


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [page.name for page in PAGES if f"docs/{page.name}" not in readme and page.name != "README.md"]
    assert missing == []
