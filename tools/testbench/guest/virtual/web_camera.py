"""Serve a network camera: one JPEG a request, red, green and blue in turn, for who knows the password.

    python3 web_camera.py PORT USER FILE SECONDS

FILE holds the password. Without user and password the answer is 401, as a camera's.
"""

import base64
import http.server
import io
import sys
import time
from pathlib import Path

from PIL import Image

_COLOURS = ("#ff0000", "#00ff00", "#0000ff")


def _picture(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(data, "jpeg", quality=90)
    return data.getvalue()


def main() -> None:
    """Serve for ever."""
    port, user, file, interval_s = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
    right = b"Basic " + base64.b64encode(f"{user}:{Path(file).read_text().strip()}".encode())
    pictures = [_picture(colour) for colour in _COLOURS]

    class Camera(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Authorization", "").encode() != right:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = pictures[int(time.monotonic() / interval_s) % len(pictures)]
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Not a line for each picture."""

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Camera).serve_forever()


if __name__ == "__main__":
    main()
