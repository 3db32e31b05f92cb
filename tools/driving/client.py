"""A plain client of the pages, over one connection that is kept: it reads HTML, and runs no script."""

import http.client
import ssl
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
    """The links and forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._choice: int | None = None  # the field of the list whose options follow

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        # What scripts load stands in the page, too.
        self.links += [given[name] for name in ("href", "src", "data-src", "data-live") if name in given]
        if tag == "form":
            self._form = Form(given.get("method", "get").upper(), given.get("action", ""))
            self.forms.append(self._form)
        elif self._form is not None and "disabled" not in given:
            self._take(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._choice = None

    def _take(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value, kind = given.get("name", ""), given.get("value", ""), given.get("type", "text")
        if tag == "button" or (tag == "input" and kind == "submit"):
            self._press(form, given).buttons.append(Button(name, value))
        elif tag == "input" and name and (kind not in ("checkbox", "radio") or "checked" in given):
            form.fields.append((name, value))
        elif tag == "select" and name:
            self._choice = len(form.fields)
            form.fields.append((name, ""))
        elif tag == "option" and self._choice is not None:
            of, chosen = form.fields[self._choice]
            if not chosen or "selected" in given:
                form.fields[self._choice] = of, value

    def _press(self, form: Form, given: dict[str, str]) -> Form:
        """Return the form that a button sends: its own, or the same fields to another address."""
        if "formaction" not in given:
            return form
        other = Form(given.get("formmethod", form.method).upper(), given["formaction"], form.fields)
        self.forms.append(other)
        return other


class Client:
    """Asks one server. cookie: of the session, after a login."""

    def __init__(self, address: str, timeout_s: float = 60.0) -> None:
        self._address = address
        scheme, _, host = address.partition("://")
        self._connection = (
            http.client.HTTPSConnection(host, timeout=timeout_s, context=_trusting())
            if scheme == "https"
            else http.client.HTTPConnection(host, timeout=timeout_s)
        )
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


def _trusting() -> ssl.SSLContext:
    """Return what takes the pages' own certificate, whoever made it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
