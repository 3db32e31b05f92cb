"""A plain client of the pages, over one connection that is kept: it reads HTML, and runs no script."""

import http.client
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

_MOST_BYTES = 8 << 20


@dataclass
class Button:
    """What sends a form."""

    name: str
    value: str


@dataclass
class Form:
    """A form of a page. fields: name and value of all that is sent whatever is pressed."""

    method: str
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. body: of HTML and plain text; empty for all else, of which only the head is read."""

    status: int
    kind: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_page(self) -> bool:
        return self.kind == "text/html"

    def read(self) -> "Reading":
        """Return the links and forms of a page."""
        reading = Reading()
        reading.feed(self.body.decode(errors="replace"))
        return reading


class Reading(HTMLParser):
    """The links and forms of a page. A form whose buttons send it elsewhere counts once for each place."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._chosen: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        # Scripts find addresses in data-...
        self.links += [
            value
            for name, value in given.items()
            if name in ("href", "src") or (name.startswith("data-") and value.startswith("/"))
        ]
        if tag == "form":
            self._form = Form(given.get("method", "get").upper(), given.get("action", ""))
            self.forms.append(self._form)
        elif self._form is not None and "disabled" not in given:
            self._take(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            if self._form is not None and self._form.method == "GET":
                self.links.append(f"{self._form.action}?{urlencode(self._form.fields)}")
            self._form = None
        elif tag == "select" and self._form is not None and self._chosen is not None:
            self._form.fields.append(self._chosen)
            self._chosen = None

    def _take(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value, kind = given.get("name", ""), given.get("value", ""), given.get("type", "text")
        if tag == "button" or (tag == "input" and kind == "submit"):
            self._take_button(form, Button(name, value), given)
        elif tag == "input" and name and (kind not in ("checkbox", "radio") or "checked" in given):
            form.fields.append((name, value))
        elif tag == "select":
            self._chosen = (name, "")
        elif tag == "option" and self._chosen is not None and ("selected" in given or not self._chosen[1]):
            self._chosen = (self._chosen[0], value)

    def _take_button(self, form: Form, button: Button, given: dict[str, str]) -> None:
        method, action = given.get("formmethod", form.method).upper(), given.get("formaction", form.action)
        if (method, action) == (form.method, form.action):
            form.buttons.append(button)
        else:
            self.forms.append(Form(method, action, form.fields, [button]))


class Client:
    """Asks one server. cookie: of the session, after a login."""

    def __init__(self, address: str, timeout_s: float = 60.0) -> None:
        self._address = address
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=timeout_s)
        self.cookie = ""

    def get(self, path: str, **headers: str) -> Answer:
        """Return the answer to a GET; of what never ends, such as a live picture, its head."""
        return self.send("GET", path, b"", headers)

    def post(self, path: str, fields: list[tuple[str, str]] | bytes, **headers: str) -> Answer:
        """Send a form as our own pages do. fields: pairs, or an encoded form."""
        body = fields if isinstance(fields, bytes) else urlencode(fields, errors="surrogatepass").encode()
        kind = {"content-type": "application/x-www-form-urlencoded", "origin": self._address}
        return self.send("POST", path, body, {**kind, **headers})

    def log_in(self, password: str) -> None:
        """Log in. Raises RuntimeError if that fails."""
        answer = self.post("/login", [("password", password)])
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        if answer.status != 303 or not self.cookie:
            raise RuntimeError(f"the login was answered with {answer.status}")

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send any request. Raises OSError or http.client.HTTPException if there is no answer."""
        if self.cookie:
            headers = {"cookie": self.cookie, **headers}
        try:
            self._connection.request(method, path, body or None, headers)
            got = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The server closes a kept connection after seconds of silence, and after each refused body.
            self._connection.close()
            self._connection.request(method, path, body or None, headers)
            got = self._connection.getresponse()
        kind = got.headers.get_content_type()
        data = b""
        if kind.startswith("text/") and kind != "text/event-stream":
            data = got.read(_MOST_BYTES)
        elif got.headers.get("content-length") is not None:
            got.read(_MOST_BYTES)
        else:
            self.close()
        if "content-length" in headers:  # what the server takes for the next request is anybody's guess
            self.close()
        return Answer(got.status, kind, {name.lower(): value for name, value in got.getheaders()}, data)
