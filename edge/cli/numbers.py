"""Check options that are numbers."""

import math
from typing import Any

import click


class FloatRange(click.FloatRange):
    """click's FloatRange that refuses "nan" too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert the option's text, as click.ParamType does."""
        number = super().convert(value, param, ctx)
        # It is neither under the least nor over the most, so click accepts it.
        if math.isnan(number):
            self.fail(f"{number} is not in the range {self._describe_range()}.", param, ctx)
        return number
