"""The example systems without Inward: services by their `run` lines, and a plain proxy in Inward's place.

The proxy takes `http://NAME/…` from the services, as an egress does, demands the credential of the run, and
refuses nothing else. So these tests hold the examples to their documents; what Inward makes of them is tested
with Envoy.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import os
import queue
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[3] / "examples"
PATIENCE = 60.0  # seconds until a test gives up
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a service answered."""

    status: int
    content: bytes
    headers: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Seen:
    """One call between services."""

    service: str
    method: str
    path: str
    status: int
    traceparent: str | None


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Example:
    """One running example system."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.folder = folder
        self.sockets = sockets
        self.services: dict[str, dict[str, Any]] = yaml.safe_load((folder / "inward.yaml").read_text())["services"]
        self.places: dict[str, str | int] = {}  # a service's socket or port
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.seen: queue.Queue[Seen] = queue.Queue()
        self.credential = secrets.token_hex(16)
        handler = type("Handler", (ProxyHandler,), {"example": self})
        self.proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.proxy.daemon_threads = True
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()

    def start(self, name: str) -> None:
        """Start a service as its `run` line says, and wait for it where it listens."""
        command: str = self.services[name]["run"]
        place: str | int = str(self.sockets / name)
        if "{port}" in command:
            with socket.create_server(("127.0.0.1", 0)) as free:
                place = free.getsockname()[1]
        proxy = f"http://inward:{self.credential}@127.0.0.1:{self.proxy.server_port}"
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.sockets),
            "HTTP_PROXY": proxy,
            "http_proxy": proxy,
            "NO_PROXY": "",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        filled = command.replace("{socket}", str(place)).replace("{port}", str(place))
        with (self.sockets / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                shlex.split(filled),
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if "listen" in self.services[name]:
            self.places[name] = place

    def wait(self, name: str) -> None:
        """Return once a service takes connections."""
        until = time.monotonic() + PATIENCE
        while self.processes[name].poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), contextlib.closing(self.connection(name)) as connection:
                connection.connect()
                return
            time.sleep(0.02)
        pytest.fail(f"{name} did not start: {(self.sockets / f'{name}.log').read_text()}")

    def connection(self, name: str) -> http.client.HTTPConnection:
        place = self.places[name]
        if isinstance(place, int):
            return http.client.HTTPConnection("127.0.0.1", place, timeout=PATIENCE)
        return SocketConnection(place)

    def ask(
        self,
        name: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Make one call to a service, past all proxies."""
        connection = self.connection(name)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Host": name, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})

    def log(self, name: str) -> str:
        return (self.sockets / f"{name}.log").read_text()

    def end(self, name: str) -> None:
        """End a service and whatever it has started."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.end(name)
        self.proxy.shutdown()
        self.proxy.server_close()


class ProxyHandler(BaseHTTPRequestHandler):
    """A forward proxy for plain `http://NAME/…`, with basic credentials."""

    example: ClassVar[Example]

    def forward(self) -> None:
        given = self.headers.get("Proxy-Authorization", "")
        expected = "Basic " + base64.b64encode(f"inward:{self.example.credential}".encode()).decode()
        url = urlsplit(self.path)
        name = url.hostname or ""
        if given != expected or name not in self.example.places:
            self.send_error(407 if given != expected else 502)
            return
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        dropped = {"proxy-authorization", "proxy-connection", "connection", "host"}
        headers = {key: value for key, value in self.headers.items() if key.lower() not in dropped}
        path = url.path + (f"?{url.query}" if url.query else "")
        answer = self.example.ask(name, self.command, path, content or None, headers)
        traceparent = self.headers.get("traceparent")
        self.example.seen.put(Seen(name, self.command, path, answer.status, traceparent))
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            if key not in {"connection", "content-length", "transfer-encoding", "date", "server"}:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = forward  # noqa: N815 (http.server names them so)

    def log_message(self, *_args: object) -> None:
        pass


@contextlib.contextmanager
def running(name: str, folder: Path) -> Iterator[Example]:
    # a copy: what the services write at run time stays out of the checkout
    shutil.copytree(EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns(".inward", "__pycache__", "var"))
    sockets = folder / "s"
    sockets.mkdir(mode=0o700)
    example = Example(folder / "examples" / name, sockets)
    try:
        listening = [service for service, about in example.services.items() if "listen" in about]
        for service in listening:
            example.start(service)
        for service in listening:
            example.wait(service)
        yield example
    finally:
        example.stop()


@pytest.fixture(scope="module")
def start_example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Example]]:
    """A function that starts an example by its folder's name, once a test module."""
    started: dict[str, Example] = {}
    with contextlib.ExitStack() as stack:

        def start(name: str) -> Example:
            if name not in started:
                started[name] = stack.enter_context(running(name, tmp_path_factory.mktemp(name[:4])))
            return started[name]

        yield start


class Document:
    """One OpenAPI or Swagger document of an example, read just as far as these tests need."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resolve(self, node: Any, base: Path) -> tuple[Any, Path]:
        """Follow references, also into other files."""
        while isinstance(node, dict) and "$ref" in node:
            file, _, pointer = node["$ref"].partition("#")
            base = base.parent / file if file else base
            node = yaml.safe_load(base.read_text())
            for part in pointer.strip("/").split("/"):
                node = node[part]
        return node, base

    def requests(self) -> Iterator[DocumentedCall]:
        """Yield one call for each documented operation, made of the examples that the document gives."""
        document = yaml.safe_load(self.path.read_text())
        prefix = document.get("basePath") or document.get("servers", [{"url": ""}])[0]["url"]
        for template, item in document["paths"].items():
            for method in item.keys() & {"get", "put", "post", "delete", "patch", "head"}:
                yield self._request(prefix + template, method, item, item[method])

    def _request(self, template: str, method: str, item: dict[str, Any], operation: dict[str, Any]) -> DocumentedCall:
        parameters = {}
        for raw in [*item.get("parameters", []), *operation.get("parameters", [])]:
            parameter, base = self.resolve(raw, self.path)
            parameters[parameter["in"], parameter["name"]] = (parameter, base)
        path, query, body, content_type = template, [], None, ""
        for (where, name), (parameter, base) in parameters.items():
            if where == "body":
                body, content_type = self.resolve(parameter["schema"], base)[0]["example"], "application/json"
                continue
            example = parameter.get("example", parameter.get("x-example"))
            assert example is not None, f"{self.path.name}: {method} {template}: `{name}` has no example"
            if where == "path":
                path = path.replace(f"{{{name}}}", str(example))
            else:
                query.append(f"{name}={example}")
        content = operation.get("requestBody", {}).get("content", {})
        for content_type in content:
            body = content[content_type]["example"]
        status = min(int(code) for code in operation["responses"])
        response = operation["responses"].get(str(status)) or operation["responses"][status]
        content = response.get("content", {})
        schema = response.get("schema") or content.get("application/json", {}).get("schema")
        return DocumentedCall(
            document=self,
            name=operation.get("operationId", f"{method.upper()} {template}"),
            method=method.upper(),
            path=path + ("?" + "&".join(query) if query else ""),
            body=body,
            content_type=content_type,
            status=status,
            media=next(iter(content), None),
            schema=schema,
        )

    def faults(self, value: Any, schema: Any, base: Path, where: str = "answer") -> Iterator[str]:
        """Yield how a value differs from its schema; undocumented properties are faults too."""
        schema, base = self.resolve(schema, base)
        if "allOf" in schema:
            schema = self._merged(schema["allOf"], base)
        if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
            yield f"{where} is {value!r}, and not of type {schema['type']}"
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.faults(item, schema["items"], base, f"{where}[{index}]")
        elif isinstance(value, dict):
            yield from self._faults_of_object(value, schema, base, where)
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{where} is {value!r}, and none of {schema['enum']}"

    def _faults_of_object(self, value: dict[str, Any], schema: dict[str, Any], base: Path, where: str) -> Iterator[str]:
        yield from (f"{where} has no `{key}`" for key in schema.get("required", []) if key not in value)
        for key, item in value.items():
            kind = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if kind is None:
                yield f"{where} has the undocumented `{key}`"
            elif kind is not True:
                kind, kind_base = kind if isinstance(kind, tuple) else (kind, base)
                yield from self.faults(item, kind, kind_base, f"{where}.{key}")

    def _merged(self, parts: list[Any], base: Path) -> dict[str, Any]:
        """Return one object schema of several; each property is paired with the file that it stands in."""
        merged: dict[str, Any] = {"type": "object", "required": [], "properties": {}}
        for part, part_base in (self.resolve(part, base) for part in parts):
            merged["required"] += part["required"]
            merged["properties"] |= {key: (kind, part_base) for key, kind in part["properties"].items()}
        return merged


@dataclasses.dataclass(frozen=True)
class DocumentedCall:
    """A documented operation with the document's own examples filled in, and the answer that it promises."""

    document: Document
    name: str
    method: str
    path: str
    body: Any
    content_type: str
    status: int
    media: str | None
    schema: Any

    def faults(self, value: Any) -> list[str]:
        return list(self.document.faults(value, self.schema, self.document.path))


@pytest.fixture(scope="session")
def read_document() -> Callable[[Path], Document]:
    """The reader of documents."""
    return Document
