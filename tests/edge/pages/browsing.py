"""Ask the application as a browser would, without a network."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp

from edge.pages.access.guard import COOKIE
from edge.pages.access.sessions import Sessions

# Of the pages that have one.
PASSWORD = "kestrel and hay"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: list[str]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def words(self) -> str:
        """What a person reads of it."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())

    def fields(self, name: str) -> list[str]:
        """The values of the fields of this name."""
        return [unescape(value) for value in re.findall(rf'name="{re.escape(name)}" value="([^"]*)"', self.text)]

    def links(self, start: str) -> list[str]:
        return [unescape(link) for link in re.findall(rf'href="({re.escape(start)}[^"]*)"', self.text)]


@dataclass
class Browser:
    """Keeps cookies, and sends what browsers send."""

    app: ASGIApp
    host: str = "localhost"
    address: str = "192.0.2.7"
    scheme: str = "http"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: Any = (), **headers: str) -> Answer:
        """Send a form from a page of the application. fields: pairs, or a mapping."""
        given = {
            "origin": f"{self.scheme}://{self.host}",
            "content-type": "application/x-www-form-urlencoded",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.ask("POST", path, urlencode(fields).encode(), **given)

    def break_off(self, path: str, body: bytes) -> Answer:
        """Send the begin of a form, and close the connection."""
        headers = {"host": self.host, "origin": f"http://{self.host}"}
        headers["content-type"] = "application/x-www-form-urlencoded"
        return asyncio.run(_send(self.app, "POST", path, "", body, headers, self.address, is_whole=False))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        if self.cookies:
            headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
        parts, sent = urlsplit(path), {"host": self.host, **headers}
        answer = asyncio.run(
            _send(self.app, method, parts.path, parts.query, body, sent, self.address, scheme=self.scheme)
        )
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        return answer


@dataclass(frozen=True)
class Locked:
    """Pages with a password: makes browsers of strangers, and of those who are logged in without the hash's time."""

    app: ASGIApp
    sessions: Sessions

    def __call__(self) -> Browser:
        return Browser(self.app, host="camera.local")

    def member(self) -> Browser:
        browser = self()
        browser.cookies[COOKIE] = self.sessions.begin()
        return browser


def ask_raw(
    browser: Browser,
    method: str,
    path: str,
    words: Sequence[tuple[str, str]],
    fields: Sequence[tuple[str, str]],
    junk: bytes,
) -> Answer:
    """Send a path as it is, with words behind it, and a form that ends in anything."""
    headers = {"host": browser.host, "origin": f"http://{browser.host}"}
    headers["content-type"] = "application/x-www-form-urlencoded"
    headers["cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    query = urlencode(list(words), errors="surrogatepass")
    body = urlencode(list(fields), errors="surrogatepass").encode() + junk
    return asyncio.run(_send(browser.app, method, path, query, body, headers, browser.address))


async def _send(
    app: ASGIApp,
    method: str,
    path: str,
    query: str,
    body: bytes,
    headers: Mapping[str, str],
    address: str,
    *,
    is_whole: bool = True,
    scheme: str = "http",
) -> Answer:
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": scheme,
        "method": method,
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": (address, 40000),
        "server": ("localhost", 80),
    }
    asked = iter([{"type": "http.request", "body": body, "more_body": not is_whole}])

    async def receive() -> Any:
        message = next(asked, None)
        if message is None and is_whole:  # the browser waits for the answer
            await asyncio.Event().wait()
        return message or {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    pairs = [(name.decode().lower(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], dict(pairs), content, [value for name, value in pairs if name == "set-cookie"])
