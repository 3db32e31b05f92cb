"""From float to int8: equalize, round, convert, and measure what that cost in each layer."""
