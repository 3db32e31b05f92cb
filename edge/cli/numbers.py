"""Options that are numbers."""

import math
from typing import Any

import click


class FloatRange(click.FloatRange):
    """As click's, without "nan": it is neither under the least nor over the most, so click lets it through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click.ParamType."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{number} is not in the range {self._describe_range()}.", param, ctx)
        return number
