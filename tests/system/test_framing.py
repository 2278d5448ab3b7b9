"""Where a request of HTTP/1.1 ends: everybody between the caller and the app must agree on it (RFC 9112 section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.widening import assert_nothing_widened, sender

if TYPE_CHECKING:
    from tests.system.guarded import Guarded

_HIDDEN = b"DELETE /orders/42 HTTP/1.1\r\nhost: orders\r\nx-hidden: yes\r\n\r\n"
_START = b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n"


def _framed(fields: bytes, body: bytes) -> bytes:
    return _START + fields + b"\r\n" + body


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


_END = b"0\r\n\r\n"
_LENGTH = b"content-length: %d\r\n" % len(_HIDDEN)
FRAMINGS: dict[str, bytes] = {
    "a body that looks like a request": _framed(_LENGTH, _HIDDEN),
    "two lengths": _framed(b"content-length: 0\r\n" + _LENGTH, _HIDDEN),
    "two lengths, the longer first": _framed(_LENGTH + b"content-length: 0\r\n", _HIDDEN),
    "two lengths, the same": _framed(_LENGTH + _LENGTH, _HIDDEN),
    "two lengths in one": _framed(b"content-length: 0, %d\r\n" % len(_HIDDEN), _HIDDEN),
    "a length with a sign": _framed(b"content-length: +%d\r\n" % len(_HIDDEN), _HIDDEN),
    "a negative length": _framed(b"content-length: -1\r\n", _HIDDEN),
    "a length in hexadecimal": _framed(b"content-length: 0x10\r\n", _HIDDEN),
    "a length with a leading zero": _framed(b"content-length: 0%d\r\n" % len(_HIDDEN), _HIDDEN),
    "a length that is too large": _framed(b"content-length: 99999999999999999999\r\n", _HIDDEN),
    "an empty length": _framed(b"content-length:\r\n", _HIDDEN),
    "a length with a blank in it": _framed(b"content-length: 1 0\r\n", _HIDDEN),
    "a length with a tail": _framed(b"content-length: 0;x\r\n", _HIDDEN),
    "a length with an underscore": _framed(b"content_length: %d\r\n" % len(_HIDDEN), _HIDDEN),
    "a blank before the colon": _framed(b"content-length : %d\r\n" % len(_HIDDEN), _HIDDEN),
    "length and chunks": _framed(_LENGTH + b"transfer-encoding: chunked\r\n", _END + _HIDDEN),
    "chunks and length": _framed(b"transfer-encoding: chunked\r\ncontent-length: 5\r\n", _END + _HIDDEN),
    "length for all and chunks": _framed(
        b"content-length: %d\r\ntransfer-encoding: chunked\r\n" % (len(_END) + len(_HIDDEN)), _END + _HIDDEN
    ),
    "two chunked": _framed(b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", _END + _HIDDEN),
    "chunked, chunked": _framed(b"transfer-encoding: chunked, chunked\r\n", _END + _HIDDEN),
    "chunked and identity": _framed(b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", _END + _HIDDEN),
    "identity and length": _framed(b"transfer-encoding: identity\r\n" + _LENGTH, _HIDDEN),
    "gzip, chunked": _framed(b"transfer-encoding: gzip, chunked\r\n", _END + _HIDDEN),
    "xchunked": _framed(b"transfer-encoding: xchunked\r\n" + _LENGTH, _HIDDEN),
    "chunked with a tab": _framed(b"transfer-encoding:\tchunked\r\n", _END + _HIDDEN),
    "chunked with a vertical tab": _framed(b"transfer-encoding: \x0bchunked\r\n" + _LENGTH, _HIDDEN),
    "chunked with a null": _framed(b"transfer-encoding: chunked\0\r\n" + _LENGTH, _HIDDEN),
    "chunked in quotes": _framed(b'transfer-encoding: "chunked"\r\n' + _LENGTH, _HIDDEN),
    "chunked in capitals": _framed(b"Transfer-Encoding: CHUNKED\r\n", _END + _HIDDEN),
    "chunked, folded": _framed(b"transfer-encoding:\r\n chunked\r\n", _END + _HIDDEN),
    "chunked, blank before the colon": _framed(b"transfer-encoding : chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked with an underscore": _framed(b"transfer_encoding: chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked after a line feed": _framed(b"x: y\ntransfer-encoding: chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked after a carriage return": _framed(b"x: y\rtransfer-encoding: chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked, HTTP/1.0": b"GET /orders/42 HTTP/1.0\r\nhost: orders\r\ntransfer-encoding: chunked\r\n\r\n"
    + _END
    + _HIDDEN,
    "a chunk extension": _framed(b"transfer-encoding: chunked\r\n", b"0;x=\n" + _HIDDEN),
    "a long chunk extension": _framed(b"transfer-encoding: chunked\r\n", b"0;" + b"x" * 5000 + b"\r\n\r\n" + _HIDDEN),
    "a chunk size with a line feed": _framed(b"transfer-encoding: chunked\r\n", b"0\n\n" + _HIDDEN),
    "a chunk size with a sign": _framed(b"transfer-encoding: chunked\r\n", b"+0\r\n\r\n" + _HIDDEN),
    "a chunk size with 0x": _framed(b"transfer-encoding: chunked\r\n", b"0x0\r\n\r\n" + _HIDDEN),
    "a chunk size that overflows": _framed(
        b"transfer-encoding: chunked\r\n", b"10000000000000000\r\n" + _HIDDEN + _END
    ),
    "a chunk that is longer than it says": _framed(b"transfer-encoding: chunked\r\n", b"1\r\nab\r\n" + _END + _HIDDEN),
    "a chunk that holds a request": _framed(b"transfer-encoding: chunked\r\n", _chunk(_HIDDEN) + _END),
    "trailers that are a request": _framed(b"transfer-encoding: chunked\r\n", b"0\r\n" + _HIDDEN),
    "a length among the trailers": _framed(
        b"transfer-encoding: chunked\r\n", b"0\r\ncontent-length: %d\r\n\r\n" % len(_HIDDEN) + _HIDDEN
    ),
    "half a body": _framed(b"content-length: 5000\r\n", _HIDDEN),
}


def test_a_request_ends_for_everybody_at_one_place(company: Guarded) -> None:
    assert_nothing_widened(company, {name: sender(company, content) for name, content in FRAMINGS.items()})
