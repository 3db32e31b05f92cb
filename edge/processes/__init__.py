"""Work in processes of their own: start, limit and end them, and the messages between them. No NumPy."""
