"""fieldfare serve: pages for a browser, and their password."""
