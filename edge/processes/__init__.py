"""Work in processes of their own: starting, bounding and ending them, and the messages between them. No NumPy."""
