"""Ask the pages of this machine as a browser would: print the status, where it leads on, and the answer.

    python3 ask_pages.py PATH [NAME=VALUE ...]

With fields, a form is sent.
"""

import http.client
import sys
from urllib.parse import urlencode

_HOST, _PORT = "127.0.0.1", 8080


def main() -> None:
    """Ask once. Ends with a traceback if nobody answers."""
    path, *fields = sys.argv[1:]
    connection = http.client.HTTPConnection(_HOST, _PORT, timeout=120)
    if fields:
        body = urlencode([tuple(field.split("=", 1)) for field in fields])
        kind = "application/x-www-form-urlencoded"
        connection.request("POST", path, body, {"Content-Type": kind, "Origin": f"http://{_HOST}:{_PORT}"})
    else:
        connection.request("GET", path)
    answer = connection.getresponse()
    print(answer.status, answer.headers.get("Location", "-"))
    print(answer.read().decode(errors="replace"))


main()
