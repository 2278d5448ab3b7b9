"""A receiver of alerts over real HTTP, which answers as it is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType


class Receiver:
    """Takes POSTs at `url`; `answers` are the statuses (and a `Retry-After`) that it gives, then 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[int | tuple[int, str]] = []
        self.refused = ""  # what a body must not hold: it is answered with 400
        self.came = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                receiver.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
                answer = receiver.answers.pop(0) if receiver.answers else 200
                status, wait = answer if isinstance(answer, tuple) else (answer, "")
                if receiver.refused and receiver.refused in body:
                    status = 400
                content = b"said " + self.path.encode()
                self.send_response(status)
                if wait:
                    self.send_header("retry-after", wait)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                receiver.came.set()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
