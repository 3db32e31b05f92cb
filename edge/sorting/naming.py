"""Judge what may be the name of a class, before anything is called so."""

from edge.bundle.labels import label_fix, label_problem

LONGEST = 200
# What is handed out has this file beside a folder of each class.
TABLE = "sorted.csv"


def name_problem(name: str) -> str | None:
    """Return why a class cannot be called so, and what to do; None if it can. A class becomes a label of a bundle."""
    if len(name) > LONGEST:
        return f"has {len(name)} characters, at most {LONGEST}: shorten it"
    if name.casefold() == TABLE:
        return "is the table's that lies beside the classes: choose another one"
    problem = label_problem(name)
    return None if problem is None else f"{problem}: {label_fix(name)}"
