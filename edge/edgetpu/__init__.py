"""Read what Coral's compiler left in a model, and compare it with the model that was compiled. Pure; needs NumPy."""
