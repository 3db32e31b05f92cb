"""Sort pictures into classes: groups that look alike, named by a person, each click saved at once."""
