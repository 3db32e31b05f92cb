"""How many events there are, by label and by hour of the day."""

from starlette.requests import Request
from starlette.responses import Response

from edge.pages.plots import bars, columns
from edge.pages.rendering import page
from edge.pages.site import Site
from edge.pages.views.events import asked, query_of
from edge.store.reading import StoreReader


def counts_view(site: Site, request: Request) -> Response:
    """Answer with both plots, of the events that the address asks for."""
    found = asked(query_of(request))
    with StoreReader(site.store) as reader:
        counts = reader.hours(found.wanted)
        labels = list(reader.labels())
    by_label, others = bars(counts)
    return page(
        "counts.html",
        "counts",
        site,
        asked=found,
        labels=labels,
        total=sum(one.events for one in counts),
        bars=by_label,
        others=others,
        columns=columns(counts),
    )
