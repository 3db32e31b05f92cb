"""What the reader of the store is made of: ways in, selections, and the walks and totals that answer them."""
