"""Whatever is asked of the sorting pages, the answer is a page, and no picture is lost."""

from browsing import Browser, ask_raw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.pages.sorting.routes import ON_DESKTOP
from edge.sorting.records import ACTIONS
from edge.sorting.session import Session

SHORT = st.text(max_size=20)
NUMBERS = st.one_of(st.integers(-2, 14).map(str), st.integers(0, 10**30).map(str), SHORT)
PATHS = st.builds(
    lambda path, number: path.replace("{number}", number),
    # Not what makes files: that is another test's.
    st.sampled_from([path for path, _, _ in ON_DESKTOP if path != "/sort/export"]),
    NUMBERS,
)
FIELDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["picture", "group", "page", "seen", "step"]), NUMBERS),
        st.tuples(st.just("do"), st.one_of(st.sampled_from(ACTIONS), SHORT)),
        st.tuples(st.sampled_from(["name", "class", "back", "of", "all", "anyway", "how"]), SHORT),
        st.sampled_from([("of", "group"), ("of", "list"), ("seen", "0"), ("anyway", "yes"), ("class", "fox")]),
    ),
    max_size=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(["GET", "POST", "POST"]), PATHS, FIELDS, FIELDS, st.binary(max_size=20))
def test_any_request_is_answered_by_a_page(
    browser: Browser,
    session: Session,
    method: str,
    path: str,
    words: list[tuple[str, str]],
    fields: list[tuple[str, str]],
    junk: bytes,
) -> None:
    answer = ask_raw(browser, method, path, words, fields, junk)
    assert answer.status < 500, answer.words
    assert b"Traceback" not in answer.body
    assert session.totals().pictures == 12
