"""Clients that send bytes and frames exactly as told, with any certificate or none."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import h2.config
import h2.connection
import h2.events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from tests.forge import Pair

PATIENCE = 30.0  # seconds until an answer must be there
IDLE = 0.02  # seconds without a byte after which nothing more is expected
Headers = list[tuple[str, str]]
_HANGS_UP = (ssl.SSLError, ConnectionError, BrokenPipeError)


@dataclass(frozen=True)
class Identity:
    """A certificate chain with its key, as one file that `ssl` can load."""

    path: str

    @classmethod
    def of(cls, pair: Pair, folder: Path) -> Identity:
        path = folder / f".{secrets.token_hex(8)}.pem"
        path.touch(mode=0o600)
        path.write_bytes(pair[0] + pair[1])
        return cls(str(path))


@dataclass(frozen=True)
class Answer:
    """One answer. `status` is 0 where the connection or the stream was closed without one."""

    status: int
    headers: Headers
    body: bytes
    closed: str = ""  # why there is no answer

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each.lower() == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The reason code of a refusal; None for any other answer."""
        refused = (self.header("content-type") or "").startswith("application/problem+json")
        return str(self.json["code"]) if refused else None

    @property
    def reference(self) -> str | None:
        """What a refused caller is told to ask for."""
        return str(self.json["instance"]).removeprefix("urn:uuid:") if self.code else None


def basic(credential: str, user: str = "inward") -> str:
    """Return what a client sends for `HTTP_PROXY=http://inward:<credential>@…` (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{credential}".encode()).decode()


def context(identity: Identity | None, alpn: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """Return a TLS context. The tests look at what a callee does with a caller, and not the other way round."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    found.set_alpn_protocols(list(alpn))
    if identity is not None:
        found.load_cert_chain(identity.path)
    return found


class Connection:
    """An HTTP/1.1 connection that sends what it is given."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""

    @classmethod
    def plain(cls, address: tuple[str, int]) -> Connection:
        return cls(socket.create_connection(address, PATIENCE))

    @classmethod
    def tls(cls, address: tuple[str, int], identity: Identity | None) -> Connection:
        """Connect by TLS. A certificate that is refused shows at the first read: so it is in TLS 1.3."""
        plain = socket.create_connection(address, PATIENCE)
        try:
            return cls(context(identity).wrap_socket(plain))
        except BaseException:
            plain.close()
            raise

    @property
    def port(self) -> int:
        """Its own port, which a refused handshake is recorded with."""
        return int(self.socket.getsockname()[1])

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def call(self, method: str, target: str, *, host: str, body: str = "", **headers: str) -> Answer:
        """Make one well-formed call; in the names of headers, `_` stands for `-`."""
        fields = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body:
            fields["content-length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body.encode("latin-1"))
        return self.answer(to=method)

    def answer(self, seconds: float = PATIENCE, to: str = "GET") -> Answer:
        """Read one answer to a request of the method `to`."""
        self.socket.settimeout(seconds)
        try:
            while b"\r\n\r\n" not in self._data:
                self._more()
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").split("\r\n")
            headers = [(name, value.strip()) for name, _, value in (field.partition(":") for field in fields)]
            status = int(line.split(" ")[1])
            found = Answer(status, headers, b"")
            if to == "HEAD":
                return found
            if (found.header("transfer-encoding") or "").lower() == "chunked":
                return Answer(status, headers, self._chunks())
            length = int(found.header("content-length") or "0")
            return Answer(status, headers, self._take(length))
        except TimeoutError:
            return Answer(0, [], self._data, "no answer")
        except (*_HANGS_UP, EOFError) as error:
            return Answer(0, [], self._data, str(error) or type(error).__name__)

    def rest(self, seconds: float = PATIENCE) -> list[Answer]:
        """Read the first answer, and those that follow it without a pause."""
        found = [self.answer(seconds)]
        while found[-1].status:
            found.append(self.answer(IDLE))
        return found[:-1] or found

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("closed")
        self._data += data

    def _take(self, count: int) -> bytes:
        while len(self._data) < count:
            self._more()
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._data:
                self._more()
            size, _, self._data = self._data.partition(b"\r\n")
            body += self._take(int(size, 16))
            self._take(2)
            if int(size, 16) == 0:
                return body

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Frames:
    """An HTTP/2 connection over TLS that sends header fields unchecked and as they are."""

    def __init__(self, address: tuple[str, int], identity: Identity) -> None:
        plain = socket.create_connection(address, PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context(identity, ("h2",)).wrap_socket(plain)
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self._flush()

    def _flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def request(self, fields: Headers, body: bytes | None = None, trailers: Headers | None = None) -> int:
        """Begin a stream with these fields; return its number."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=body is None and trailers is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=trailers is None)
        if trailers is not None:
            self.h2.send_headers(stream, trailers, end_stream=True)
        self._flush()
        return stream

    def exchange(
        self, fields: Headers, body: bytes | None = None, trailers: Headers | None = None, seconds: float = PATIENCE
    ) -> Answer:
        """Make one request, and read its answer."""
        stream = self.request(fields, body, trailers)
        return self.answers([stream], seconds)[stream]

    def answers(self, streams: Sequence[int], seconds: float = PATIENCE) -> dict[int, Answer]:
        """Read until every one of these streams has ended."""
        self.socket.settimeout(seconds)
        heads: dict[int, Headers] = {}
        bodies: dict[int, bytearray] = {stream: bytearray() for stream in streams}
        done: dict[int, Answer] = {}
        closed = ""
        while not closed and len(done) < len(streams):
            try:
                data = self.socket.recv(1 << 20)
            except TimeoutError:
                closed = "no answer"
                break
            except _HANGS_UP as error:
                closed = str(error)
                break
            closed = "" if data else "closed"
            for event in self.h2.receive_data(data) if data else []:
                closed = self._take(event, heads, bodies, done) or closed
            self._flush()
        return {stream: done.get(stream, Answer(0, [], b"", closed)) for stream in streams}

    def _take(
        self, event: h2.events.Event, heads: dict[int, Headers], bodies: dict[int, bytearray], done: dict[int, Answer]
    ) -> str:
        match event:
            case h2.events.ResponseReceived(stream_id=stream, headers=fields):
                heads[stream] = [(str(name), str(value)) for name, value in fields]
            case h2.events.DataReceived(stream_id=stream, data=data, flow_controlled_length=length):
                if stream in bodies:
                    bodies[stream] += data
                self.h2.acknowledge_received_data(length, stream)
            case h2.events.StreamEnded(stream_id=stream) if stream in bodies:
                head = heads.get(stream, [])
                status = int(next((value for name, value in head if name == ":status"), "0"))
                done[stream] = Answer(status, head, bytes(bodies[stream]))
            case h2.events.StreamReset(stream_id=stream, error_code=code) if stream in bodies:
                done.setdefault(stream, Answer(0, [], b"", f"reset {code}"))
            case h2.events.ConnectionTerminated(error_code=code):
                return f"connection closed {code}"
        return ""

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
