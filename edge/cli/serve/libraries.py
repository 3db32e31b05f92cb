"""See that the libraries of the pages are there before anything else is done."""

from edge.errors import UnavailableError


def check_libraries() -> None:
    """Raise UnavailableError if the libraries of the pages are not installed."""
    import importlib.util

    missing = [name for name in ("starlette", "uvicorn", "jinja2") if importlib.util.find_spec(name) is None]
    if missing:
        raise UnavailableError(f"the pages need {missing[0]}, which is not installed: pip install 'fieldfare[pages]'")
