"""The base of all sections, and the types that they share."""

from typing import Annotated

import msgspec
from msgspec import Meta

# \Z, as $ would let a line break follow. A NUL character ends a text for the system, so no name has one.
NO_NUL = r"^[^\x00]*\Z"
Text = Annotated[
    str, Meta(min_length=1, pattern=NO_NUL, description="a text that is not empty and holds no NUL character")
]
Share = Annotated[float, Meta(ge=0, le=1)]
Region = tuple[Share, Share, Share, Share]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every section: unknown keys are errors."""
