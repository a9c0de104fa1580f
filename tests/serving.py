"""A server on this machine that gives one file under every name, for the tests of downloads."""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 2000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class FileServer(ThreadingHTTPServer):
    """Gives the content to whoever asks.

    Attributes:
        asked: Names of the files that were asked for.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    """Gives less of the content at /half, does not tell its length at /unsized, and has no /missing and no /lacking."""

    server: FileServer

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        if name.startswith("missing") or self.path.startswith("/lacking/"):
            self.send_error(404)
            return
        self.send_response(200)
        if name != "unsized.zip":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if name.startswith("half") else CONTENT)

    def log_message(self, *_: object) -> None:
        pass


def never() -> bool:
    """Nobody gives up."""
    return False
