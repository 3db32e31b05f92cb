"""Make labels fit for other programs' pages, topics and graphs."""

from edge.printable import printable

MAX_LABEL = 64
# What HTML, templates and shells act on. Quotes within a word, as in "crow's nest", stay.
_UNSAFE = str.maketrans(dict.fromkeys('<>&"`{}$\\', "_"))


def harmless(text: str, most: int = MAX_LABEL) -> str:
    """Return a text of at most `most` characters in which nothing can act: no markup, templates or control
    characters. The original is in the store."""
    # Cut first, so that a text of megabytes takes no time.
    text = printable(text[: most + 1]).translate(_UNSAFE).strip()
    return (text if len(text) <= most else f"{text[: most - 1]}…") or "_"
