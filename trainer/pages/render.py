"""Fill in a page template. The one place that sets Jinja up."""

import re
from typing import Any

from trainer.pages import words


def render(template: str, **context: Any) -> str:
    """Return a template of trainer/pages/templates, filled in. Everything from `context` is escaped.

    Raises jinja2.UndefinedError if the template uses a name that `context` lacks."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trainer", "pages/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_clean,
    )
    environment.filters |= {
        "percent": words.percent,
        "between": lambda value: "" if value is None else words.between(value),
        "counted": words.counted,
        "split_name": words.split_name,
        "day": lambda created: created[:10],
        "ticks": _ticks,
    }
    return environment.get_template(template).render(context)


def _clean(value: Any) -> Any:
    """Make a value fit for a page: the name of a label or a file may hold anything."""
    from markupsafe import Markup

    if isinstance(value, Markup):  # what is escaped already must not be escaped again
        return Markup(words.clean(value))
    return words.clean(value) if isinstance(value, str) else value


def _ticks(text: str) -> str:
    """Mark `--option` in running text as code."""
    from markupsafe import Markup, escape

    # Everything is escaped first, and only words that begin with -- count: a class name cannot inject markup.
    return Markup(re.sub(r"`(--[^`&<]*)`", r"<code>\1</code>", str(escape(text))))
