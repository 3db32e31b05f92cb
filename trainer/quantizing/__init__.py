"""From float to int8: equalized, rounded, converted, and what it cost in each layer."""
