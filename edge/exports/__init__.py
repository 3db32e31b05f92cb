"""Events and pictures in the formats of others, copied and read back."""
