"""How long a battery and a card last: arithmetic on settings and on figures of named sources, not measured here."""
