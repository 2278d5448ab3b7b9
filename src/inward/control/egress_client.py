"""One call as a service, through its egress: what goes out is exactly what was given.

HTTP libraries tidy a path up before they send it; this one must not, since what an enforcer makes of `//`, `..` and
`%2f` is what one wants to see. HTTP/1.1 with an absolute-form request line (RFC 9112 section 3.2.2), one connection a
call. For development: the credential of the run is in a private file that only the account of `inward up` can read.
"""

from __future__ import annotations

import http.client
import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.control.running import parse_address
from inward.envoy.resources.egress import proxy_authorization
from inward.errors import BadInputError, InwardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.control.running import RunningService

PROBLEM = "application/problem+json"
MAX_PROBLEM_BYTES = 64 * 1024
_URL = re.compile(rb"(?i:http)://(?P<authority>[^/?#]+)(?P<target>[/?#].*)?", re.DOTALL)
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110 section 5.6.2)
_BREAKS = re.compile(rb"[\r\n\0]")


class NoAnswerError(InwardError):
    """A call got no answer, not even that of an enforcer."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call to make, in the bytes that are sent. `headers` keep their order and may repeat."""

    method: bytes
    url: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes | None = None

    def __post_init__(self) -> None:
        if not _METHOD.fullmatch(self.method):
            raise BadInputError(f"`{self.method.decode('utf-8', 'replace')}` is no HTTP method", hint="such as GET")
        found = _URL.fullmatch(self.url)
        if found is None:
            raise BadInputError(
                f"`{self.url.decode('utf-8', 'replace')}` is no URL of a service",
                hint="write `http://SERVICE/PATH`; its Envoy makes mutual TLS of it",
            )
        for name, value in (("the URL", self.url), *(("a header", name + value) for name, value in self.headers)):
            if _BREAKS.search(value):
                raise BadInputError(f"{name} holds a line break or a null character", hint="take it out")
        for header, _ in self.headers:
            if not header or b":" in header:
                raise BadInputError("a header without a name", hint="write `--header NAME:VALUE`")
            if header.lower() == b"proxy-authorization":
                raise BadInputError("the header `proxy-authorization` is this command's own", hint="leave it out")

    @property
    def callee(self) -> str:
        """The service that the URL names, without a port."""
        found = _URL.fullmatch(self.url)
        authority = found["authority"].decode("utf-8", "replace") if found else ""
        return authority.partition(":")[0]

    @property
    def target(self) -> bytes:
        """What stands behind the authority: the path, and the query."""
        found = _URL.fullmatch(self.url)
        return (found["target"] if found else None) or b"/"

    def render(self, credential: str) -> bytes:
        """Return the request as it is sent to an egress with that credential."""
        found = _URL.fullmatch(self.url)
        authority = found["authority"] if found else b""
        given = {name.lower() for name, _ in self.headers}
        lines = [self.method + b" " + self.url + (b"" if found and found["target"] else b"/") + b" HTTP/1.1"]
        if b"host" not in given:
            lines.append(b"host: " + authority)
        lines.append(b"proxy-authorization: " + proxy_authorization(credential).encode())
        lines.append(b"connection: close")
        lines += [name + b": " + value for name, value in self.headers]
        if b"user-agent" not in given:
            lines.append(b"user-agent: inward-call")
        if self.body is not None and not given & {b"content-length", b"transfer-encoding"}:
            lines.append(b"content-length: %d" % len(self.body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + (self.body or b"")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the callee's answer, or that of an enforcer."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float

    def header(self, name: str) -> str | None:
        """Return the first header of that name, in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def title(self) -> str:
        """The status as people read it."""
        return f"{self.status} {self.reason}".strip()

    @property
    def problem(self) -> dict[str, str]:
        """What an enforcer says of its refusal (RFC 9457); a service could say the like, so it proves nothing."""
        if (self.header("content-type") or "").partition(";")[0].strip() != PROBLEM or len(
            self.body
        ) > MAX_PROBLEM_BYTES:
            return {}
        try:
            return msgspec.json.decode(self.body, type=_Problem).told()
        except (msgspec.MsgspecError, ValueError):
            return {}

    @property
    def reference(self) -> str | None:
        """The reference under which the call is in the record: the ingress puts it into every answer."""
        told = self.header("x-request-id") or self.problem.get("instance", "").removeprefix("urn:uuid:")
        return None if told in {"", "-"} else told  # Envoy's parser refuses what then has no reference


class _Problem(msgspec.Struct):
    code: str = ""
    instance: str = ""
    title: str = ""

    def told(self) -> dict[str, str]:
        return {"code": self.code, "instance": self.instance, "title": self.title}


def make_call(service: RunningService, outgoing: Outgoing, seconds: float = 30.0) -> Answer:
    """Make one call as `service`; raise `NoAnswerError` where nothing answers within `seconds`."""
    address = parse_address(service.egress)
    started = time.monotonic()
    try:
        with socket.create_connection((address.host, address.port), timeout=seconds) as connection:
            connection.sendall(outgoing.render(service.credential))
            response = http.client.HTTPResponse(connection, method=outgoing.method.decode("ascii"))
            response.begin()
            body = response.read()
    except TimeoutError as error:
        raise NoAnswerError(
            f"`{outgoing.callee}` did not answer within {seconds:g} seconds", hint="wait longer: `--timeout SECONDS`"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise NoAnswerError(
            f"the egress of this service at `{service.egress}` does not answer: {said.lower()}",
            hint="`inward status` says what runs",
        ) from error
    headers = tuple((name, value) for name, value in response.getheaders())
    return Answer(response.status, response.reason, headers, body, time.monotonic() - started)
