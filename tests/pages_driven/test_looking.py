"""What is looked for on the pages is found where it is."""

from playwright.sync_api import Browser, Route

from tools.driving.looking import meet

ADDRESS = "http://127.0.0.1:9"
BROKEN = """<!doctype html><title>x</title><script>alert(1)</script><script src="/none.js"></script>
<main><input><p style="color: #ccc; background: #fff">pale</p><div style="width: 700px">wide</div>
<a href="/" style="outline: none">link</a></main>"""


def test_every_fault_of_a_broken_page_is_found(chrome: Browser) -> None:
    def answer(route: Route) -> None:
        if route.request.url.endswith("none.js"):
            route.fulfill(status=404)
            return
        policy = {"Content-Security-Policy": "script-src 'self'; style-src 'unsafe-inline'"}
        route.fulfill(status=200, content_type="text/html", headers=policy, body=BROKEN)

    somebody = meet(chrome, ADDRESS, width=360)
    somebody.context.route("**/*", answer)
    somebody.open("/")
    found = " ".join(somebody.barriers())
    for rule in ("label", "color-contrast", "html-has-lang"):
        assert rule in found
    assert somebody.outside_px() > 300
    faults = " ".join(somebody.faults)
    assert "Content Security Policy" in faults
    assert "404: GET" in faults
    somebody.page.keyboard.press("Tab")
    somebody.page.keyboard.press("Tab")
    focused = somebody.focused()
    assert focused is not None
    assert focused["seen"]
    assert not focused["drawn"]
    somebody.context.close()
