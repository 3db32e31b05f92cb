"""Who may see and change the pages: the password, sessions, attempts to guess it, and the guard before every route."""
