"""Whatever is asked, the answer is a page: no fault of ours, no traceback."""

from pathlib import Path

import pytest
from browsing import Browser, ask_raw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.pages.application import pages
from edge.pages.errands import download, errands
from edge.processes.process import Command

SHORT = st.text(max_size=30)
NUMBERS = st.one_of(st.integers(-5, 70).map(str), st.integers(0, 10**30).map(str), SHORT)
PATHS = st.one_of(
    st.builds(
        lambda path, number, place: path.replace("{number}", number).replace("{place}", place),
        st.sampled_from([one.path for one in pages()]),
        NUMBERS,
        NUMBERS,
    ),
    st.text(max_size=80).map(lambda text: f"/{text}"),
)
NAMES = st.sampled_from(
    ["label", "day", "least", "most", "checked", "before", "done", "event", "one", "verdict", "back", "undo", "anyway",
     "seen-1", "label-1", "password", "format", "since", "until", "pictures", "stick", "new"]
)  # fmt: skip
VALUES = st.one_of(
    SHORT,
    st.sampled_from(
        [
            "right",
            "wrong",
            "other",
            "1:right",
            "1:other",
            "-",
            "yes",
            "2026-05-01",
            "0001-01-01",
            "9999-12-31",
            "csv",
            "8:1",
        ]
    ),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    st.builds("{}-{}".format, st.integers(0, 10**15), st.integers(0, 10**15)),
    st.builds("{}.{}".format, st.integers(0, 300), st.text(alphabet="eNqLAAAB_=-", max_size=40)),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pages would have done beside them is nothing: three hundred doctors would take minutes."""
    for module in (errands, download):
        monkeypatch.setattr(module, "bounded", lambda *_: Command(["true"]))


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("method", ["GET", "POST"])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(path=PATHS, words=FIELDS, fields=FIELDS, junk=st.binary(max_size=60))
def test_any_request_is_answered_by_a_page(
    browser: Browser, store: Path, method: str, path: str, words: list[tuple[str, str]],
    fields: list[tuple[str, str]], junk: bytes,
) -> None:  # fmt: skip
    answer = ask_raw(browser, method, path, words, fields, junk)
    assert answer.status < 500, answer.words
    assert b"Traceback" not in answer.body
