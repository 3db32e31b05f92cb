"""Labels for few photos that serve many: which photos to label next, and labels carried to photos like them."""
