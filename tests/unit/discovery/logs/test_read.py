"""Access logs: every known form is told by looking; queries, broken lines and bombs do no harm."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from inward.discovery.found import Discovery
from inward.discovery.logs.formats import Seen, combined, envoy, format_of, json_line
from inward.discovery.logs.read import BROKEN, UnreadableLogError, read_log
from inward.discovery.paths.observed import Observed

if TYPE_CHECKING:
    from pathlib import Path

ENVOY = (
    b'[2026-04-15T20:17:00.310Z] "POST /api/orders?x=1 HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "client" "id" "orders"'
)
NGINX = b'10.1.2.3 - ada [01/Jan/2026:00:00:00 +0000] "GET /orders/7?token=s HTTP/1.1" 200 5 "-" "curl \\x22"'
COMMON = b'host.test - - [01/Jan/2026:00:00:00 +0000] "GET http://shop.test/orders/7 HTTP/1.0" 304 -'
JSON = b'{"method":"GET","path":"/orders/7?a=b","response_code":200,"duration":3}'


@pytest.mark.parametrize(
    ("read", "line", "seen"),
    [
        (envoy, ENVOY, Seen("POST", "/api/orders", 204)),
        (envoy, b'[x] "- - HTTP/1.1" 400 DPE', Seen("-", "-", 400)),
        (envoy, b'[x] "GET /a HTTP/1.1" 0 DC 0 0', Seen("GET", "/a", None)),
        (combined, NGINX, Seen("GET", "/orders/7", 200)),
        (combined, COMMON, Seen("GET", "/orders/7", 304)),
        (combined, b'1.1.1.1 - - [x] "\\x16\\x03\\x01" 400 0', None),
        (combined, b'1.1.1.1 - a" "GET /forged HTTP/1.1" 200 1 [x] "GET /a HTTP/1.1" 404 0', None),
        (json_line, JSON, Seen("GET", "/orders/7", 200)),
        (json_line, b'{"request_method":"PUT","request_uri":"/a","status":"201"}', Seen("PUT", "/a", 201)),
        (json_line, b'{"method":"GET","path":"/a","response_code":0}', Seen("GET", "/a", None)),
        (json_line, b'{"method":["GET"],"path":"/a"}', None),
        (json_line, b"[" * 100_000, None),
    ],
)
def test_a_line_is_read_or_it_is_none(read: object, line: bytes, seen: Seen | None) -> None:
    assert read(line) == seen  # type: ignore[operator]  # one of the readers


def test_the_format_is_told_by_most_lines() -> None:
    assert format_of([ENVOY, ENVOY, b"garbage"]) == "envoy"
    assert format_of([NGINX, COMMON]) == "combined"
    assert format_of([JSON, JSON]) == "json"
    assert format_of([JSON, NGINX]) is None
    assert format_of([b"hello"]) is None


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_is_read_whole_and_broken_lines_are_counted(tmp_path: Path, *, packed: bool) -> None:
    lines = [NGINX] * 60 + [b"garbage", b"x" * 200_000, b'1 - - [x] "GET /' + b"y" * 70_000 + b' HTTP/1.1" 200 1', b""]
    content = b"\r\n".join(lines) + b"\n" + NGINX
    path = tmp_path / "access.log"
    path.write_bytes(gzip.compress(content) if packed else content)
    discovery = Discovery()
    observed = Observed((), discovery.left_out)
    told: list[tuple[str, int, int]] = []
    assert read_log(path, observed, discovery, watch=lambda *each: told.append(each)) == 64
    (found,) = observed.operations("log", "access.log")
    assert (found.template.text, found.calls) == ("/orders/{order_id}", 61)
    assert discovery.left_out.calls[BROKEN] == 3
    assert "secret" not in repr(discovery)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    discovery = Discovery()
    observed = Observed((), discovery.left_out)
    (tmp_path / "text").write_text("hello\nworld\n")
    with pytest.raises(UnreadableLogError, match="no access log that is known"):
        read_log(tmp_path / "text", observed, discovery)
    with pytest.raises(UnreadableLogError, match="no such file"):
        read_log(tmp_path / "absent", observed, discovery)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableLogError, match="no regular file"):
        read_log(tmp_path / "pipe", observed, discovery)
    (tmp_path / "torn.gz").write_bytes(gzip.compress(NGINX * 1000)[:-20])
    with pytest.raises(UnreadableLogError, match="cannot be read"):
        read_log(tmp_path / "torn.gz", observed, discovery)
    (tmp_path / "empty").write_bytes(b"")
    assert read_log(tmp_path / "empty", observed, discovery) == 0
    assert [note.what for note in discovery.notes] == ["is empty"]
