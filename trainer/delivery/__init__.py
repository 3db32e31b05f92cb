"""Everything after learning: the int8 model measured, reported and sealed into a bundle."""
