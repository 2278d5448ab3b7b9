"""The source of the Lua filter: the files beside this one as one chunk, with the constants that a guard has too."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inward.record.verdict import MAX_BYTES
from inward.viewing.head import CHARSETS, LINES, NOT_ASKED_FOR, OF_THE_WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES: Final = 1 << 20  # of an answer that is viewed: what an ingress buffers of one
VIEW_METADATA: Final = "inward.view"  # where the filter says what became of an answer
VERDICT_KEY: Final = "verdict"  # what is recorded of it
REFUSED_DETAILS: Final = ""  # how Envoy calls an answer that was refused for what became of it
TOO_LONG_DETAILS: Final = "response_payload_too_large"  # and one that it could not keep back
REQUEST_TOO_LONG_DETAILS: Final = "request_payload_too_large"
NOT_ADMITTED: Final = "not_admitted"
NOT_ADMITTED_DETAILS: Final = f"rbac_access_denied_matched_policy[{NOT_ADMITTED}]"  # nothing said that it may go in
ANSWERED_BY_LUA_DETAILS: Final = "lua_response"
_HERE: Final = Path(__file__).parent


def chunk(name: str, *given: str) -> str:
    """Return a file as an expression: the value that it returns when it is given these expressions."""
    return f"(function(...)\n{_file(name)}\nend)({', '.join(given)})"


def library() -> str:
    """Return the part of the source that knows nothing of Envoy: `json`, `token`, `view` and `search`."""
    return f"""\
local json = {chunk("json.lua")}
local token = {chunk("token.lua")}
local instead = {chunk("instead.lua", "json", "token")}
local pieces = {chunk("pieces.lua", "json", "instead")}
local view = {chunk("view.lua", "json", "instead", "pieces")}
local search = {chunk("search.lua", "json")}
"""


def source(token_key: str) -> str:
    """Return the whole filter. `token_key` is the path of the key of tokens, which each worker reads once.

    Without a key (of 64 bytes at most) there are no tokens: what is to be tokenised is dropped.
    """
    settings = {
        "metadata": quoted(VIEW_METADATA),
        "not_asked_for": _list(NOT_ASKED_FOR),
        "of_the_whole": _list(OF_THE_WHOLE),
        "charsets": _set(CHARSETS),
        "lines": _set(LINES),
        "phrases": "{" + ", ".join(f"[{each.value}] = {quoted(each.phrase)}" for each in HTTPStatus) + "}",
        "most_bytes": str(MOST_BYTES),
        "most_verdict": str(MAX_BYTES - 64),
        "hmac": "hmac",
    }
    given = "{" + ", ".join(f"{name} = {value}" for name, value in settings.items()) + "}"
    return f"""{library()}\
local hmac
do
  local file = io.open({quoted(token_key)}, "rb")
  local key = file and file:read(65) or ""
  if file then file:close() end
  if #key > 0 and #key <= 64 then hmac = token.hmac(key) end
end
local SETTINGS = {given}
local head = {chunk("head.lua", "SETTINGS")}
local said = {chunk("said.lua", "json", "SETTINGS")}
local answer = {chunk("answer.lua", "json", "head", "view", "said", "SETTINGS")}
local request = {chunk("request.lua", "json", "head", "search", "said", "SETTINGS")}
local _ = {chunk("filter.lua", "json", "view", "said", "answer", "request", "SETTINGS")}
"""


def quoted(text: str) -> str:
    """Return a text as Lua writes it, every byte by its number."""
    return '"' + "".join(f"\\{each:03d}" for each in text.encode()) + '"'


@cache
def _file(name: str) -> str:
    return (_HERE / name).read_text()


def _list(texts: Iterable[str]) -> str:
    return "{" + ", ".join(quoted(text) for text in sorted(texts)) + "}"


def _set(texts: Iterable[str]) -> str:
    return "{" + ", ".join(f"[{quoted(text)}] = true" for text in sorted(texts)) + "}"
