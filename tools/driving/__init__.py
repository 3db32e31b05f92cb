"""The pages, driven from outside: a real server, a plain client, a real Chromium; for tests and tools alike."""
