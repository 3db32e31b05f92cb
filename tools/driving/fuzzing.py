"""Make requests that no page sends, of what pages send: all routes, their own words, and anything else."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, quote_from_bytes, urlencode, urlsplit

from tools.driving.tour import Tour

_ODD = (
    "http://[",
    "", "0", "-1", "1", "2", "61", "9" * 30, "9" * 5000, "1e9", "nan", "inf", "0x10", "\u0663", "../../etc/passwd",
    "/etc/passwd", "..", ".", "%2e%2e%2f", "\x00", "a\x00b", "\r\nSet-Cookie: a=b", "\u202eabc", "\ud800",
    "<script>alert(1)</script>", "'; DROP TABLE events; --", "{{7*7}}", "${jndi:x}", "true", "null", "[]", "{}",
    "0001-01-01", "9999-12-31", "2026-02-30", "right", "wrong", "other", "1:right", "1:other", "1:", ":", "yes", "no",
    "eNo=", "3.eNqLAAAB", "x" * 70_000,
)  # fmt: skip
_KINDS = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "multipart/form-data; boundary=x",
    "application/json",
    "text/plain",
    "",
)
_MOST_BODY = 100_000  # more than the pages take
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND")


@dataclass(frozen=True, slots=True)
class Made:
    """A request. route: which it was made for; "" for none."""

    route: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Fuzz:
    """Requests, the same ones for the same dice. tour: where real addresses and the words of forms are from.

    origin: of the pages, without which no change is carried out. table: method and path of each route.
    """

    dice: random.Random
    tour: Tour
    origin: str
    table: Sequence[tuple[str, str]]
    _words: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for addresses in self.tour.addresses.values():
            for address in addresses:
                self._learn(parse_qsl(urlsplit(address).query))
        for _, form in self.tour.forms:
            self._learn(form.fields)
            self._learn([(button.name, button.value) for button in form.buttons if button.name])

    def make(self) -> Made:
        """Return the next request."""
        method, route = self.dice.choice(self.table)
        if self.dice.random() < 0.05:
            method = self.dice.choice(_METHODS)
        path = self._path(route)
        words = self._pairs()
        if words and self.dice.random() < 0.6:
            path += ("&" if "?" in path else "?") + self._encoded(words)[:8000]
        body, headers = b"", {}
        if method not in ("GET", "HEAD"):
            body, headers = self._body(), {"content-type": self._often(_KINDS), "origin": self.origin}
        if self.dice.random() < 0.1:
            headers |= self._odd_headers()
        return Made(route, method, path, headers, body)

    def _learn(self, pairs: list[tuple[str, str]]) -> None:
        for name, value in pairs:
            known = self._words.setdefault(name, [])
            if len(known) < 50:
                known.append(value)

    def _often(self, choices: tuple[str, ...]) -> str:
        """Return the first one mostly."""
        return choices[0] if self.dice.random() < 0.8 else self.dice.choice(choices)

    def _path(self, route: str) -> str:
        known = self.tour.addresses.get(route)
        if known and self.dice.random() < 0.4:
            address = self.dice.choice(known)
            return address if self.dice.random() < 0.5 else urlsplit(address).path
        if self.dice.random() < 0.05:
            return "/" + quote_from_bytes(self.dice.randbytes(self.dice.randrange(60)))
        parts = [self._value() if part.startswith("{") else part for part in route.split("/")]
        return "/".join(quote(part[:1500], safe=self.dice.choice(("", "/.")), errors="replace") for part in parts)

    def _pairs(self) -> list[tuple[str, str]]:
        names = list(self._words) or ["x"]
        count = self.dice.choice((0, 1, 1, 2, 3, 6))
        return [(name, self._value(name)) for name in self.dice.choices(names, k=count)]

    def _value(self, name: str = "") -> str:
        makers: tuple[Callable[[], str], ...] = (
            lambda: self.dice.choice(self._words.get(name, ["1"])),
            lambda: self.dice.choice(_ODD),
            lambda: str(self.dice.randrange(-5, 100)),
            lambda: self._mutated(self.dice.choice(self._words.get(name, ["1-2.3:x"]))),
        )
        return self.dice.choice(makers)()

    def _mutated(self, text: str) -> str:
        letters = list(text)
        for _ in range(self.dice.randint(1, 3)):
            place = self.dice.randrange(len(letters) + 1)
            letters[place : place + self.dice.randrange(2)] = [
                chr(self.dice.choice((0, 10, 46, 47, 58, 0x7F, 0x1F98A)))
            ]
        return "".join(letters)

    def _encoded(self, pairs: list[tuple[str, str]]) -> str:
        encoded = urlencode(pairs, errors="surrogatepass")
        return encoded if self.dice.random() < 0.9 else encoded + quote_from_bytes(self.dice.randbytes(8))

    def _body(self) -> bytes:
        forms = [form for _, form in self.tour.forms if form.method == "POST"]
        if forms and self.dice.random() < 0.5:
            form = self.dice.choice(forms)
            pairs = [(name, value if self.dice.random() < 0.7 else self._value(name)) for name, value in form.fields]
            pairs += [(one.name, one.value) for one in self.dice.sample(form.buttons, min(1, len(form.buttons)))]
        else:
            pairs = self._pairs() * self.dice.choice((1, 1, 1, 400))
        body = self._encoded(pairs).encode()[:_MOST_BODY]
        return (
            body if self.dice.random() < 0.9 else body[: self.dice.randrange(len(body) + 1)] + self.dice.randbytes(20)
        )

    def _odd_headers(self) -> dict[str, str]:
        odd = (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"cookie": "fieldfare=" + "x" * self.dice.choice((1, 43, 3000))},
            {"cookie": ";;=\"'"},
            {"if-none-match": "*"},
            {"range": "bytes=0-5,-1,9999999-"},
            {"accept-language": "xx-\xff"},
            {"content-length": self.dice.choice(("-1", "99999999999", "1x", "0"))},
            {"host": self.dice.choice(("evil.example", "", "localhost:x", "[::1"))},
            {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"},
        )
        return self.dice.choice(odd)
