"""Find an address for each route of the application by following links, so that new pages are found without a list."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from re import Pattern
from urllib.parse import urlencode, urljoin, urlsplit

from starlette.routing import compile_path

from edge.pages.application import pages
from tools.driving.client import Client, Form

# So many addresses of one route are looked at for links: the first event may have no picture.
_OF_EACH = 4
# What no page leads to, and why.
UNLINKED = {
    "/login": "linked by nobody: whoever is not logged in is led there",
    "/static/no-picture.svg": "in place of the newest picture, as long as there is none",
}


@dataclass
class Tour:
    """What following links found.

    addresses: of each GET route, those that were found; the first is the best example. kinds: their media types.
    forms: those of all pages, each with the address that it stands on.
    """

    addresses: dict[str, list[str]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    forms: list[tuple[str, Form]] = field(default_factory=list)

    @property
    def pages(self) -> dict[str, str]:
        """The address of each route that answers with HTML."""
        return {path: self.addresses[path][0] for path, kind in self.kinds.items() if kind == "text/html"}

    @property
    def missing(self) -> list[str]:
        """The GET routes to which nothing leads."""
        return [path for path in routes("GET") if path not in self.addresses]

    def form_of(self, route: str) -> tuple[str, Form] | None:
        """Return a form that posts to a route, and the address that it stands on; None if there is none."""
        pattern = pattern_of(route)
        found = (one for one in self.forms if one[1].method == "POST" and pattern.match(urlsplit(one[1].action).path))
        return next(found, None)


def routes(method: str) -> list[str]:
    """Return the paths of the application's routes, such as /events/{number}."""
    return list(dict.fromkeys(one.path for one in pages() if one.method == method))


def pattern_of(route: str) -> Pattern[str]:
    """Return what matches the addresses of a route."""
    return compile_path(route)[0]


def take(client: Client, starts: Iterable[str] = ("/",), known: Iterable[str] = ()) -> Tour:
    """Follow links from `starts`, and from all routes without a value in them that pages lead to.

    known: the GET routes; if not given, those of the application over a store."""
    tour = Tour()
    patterns = {route: pattern_of(route) for route in sorted(known or routes("GET"), key=lambda path: "{" in path)}
    waiting, seen = deque([*starts, *UNLINKED]), set()
    while waiting:
        address = waiting.popleft()
        route = next((one for one, pattern in patterns.items() if pattern.match(urlsplit(address).path)), None)
        if address in seen or route is None or len(tour.addresses.get(route, ())) >= _OF_EACH:
            continue
        seen.add(address)
        waiting += _visit(client, tour, route, address)
    return tour


def _visit(client: Client, tour: Tour, route: str, address: str) -> list[str]:
    """Look at one address. Returns where its links lead, and its forms that change nothing."""
    answer = client.get(address)
    if answer.status == 303:
        tour.addresses.setdefault(route, []).append(address)
        tour.kinds.setdefault(route, "")
        return [answer.headers["location"]]
    if answer.status != 200:
        return []
    tour.addresses.setdefault(route, []).append(address)
    tour.kinds.setdefault(route, answer.kind)
    if not answer.is_page:
        return []
    reading = answer.read()
    tour.forms += [(address, form) for form in reading.forms]
    sent = [f"{form.action}?{urlencode(form.fields)}" for form in reading.forms if form.method == "GET"]
    joined = (urlsplit(urljoin(address, link)) for link in (*reading.links, *sent))
    return [f"{one.path}?{one.query}".rstrip("?") for one in joined if not one.netloc and one.path.startswith("/")]
