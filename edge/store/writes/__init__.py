"""What the writer of the store is made of: opening and checking, adding, mending, marking, pictures, retention."""
