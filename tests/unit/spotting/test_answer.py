"""Answers as they come over HTTP: codings, sequences, and why one is not looked at."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from inward.catalog.json_path import Wild
from inward.catalog.shape import NOTHING, Node, Shape
from inward.spotting.answer import MAX_DOCUMENTS, look_at
from inward.spotting.kinds import Kind, Spotted
from inward.spotting.spot import MAX_BYTES, Looked
from inward.spotting.tally import NotLooked

ADA = "ada@lindqvist.test"
DOCUMENT = json.dumps({"contact": ADA}).encode()
CONTACT = Looked([Spotted(("contact",), Kind.EMAIL)], [])


def look(body: bytes, content_type: str = "application/json", encoding: str = "", *, more: bool = False) -> object:
    return look_at(body, content_type, encoding, NOTHING, truncated=more)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (DOCUMENT, ""),
        (DOCUMENT, "identity"),
        (gzip.compress(DOCUMENT, mtime=0), "gzip"),
        (gzip.compress(DOCUMENT, mtime=0), "x-gzip"),
        (zlib.compress(DOCUMENT), "deflate"),
    ],
)
def test_codings_are_undone(body: bytes, encoding: str) -> None:
    assert look(body, encoding=encoding) == CONTACT
    assert look(body, "Application/Problem+JSON; charset=utf-8", encoding) == CONTACT


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "compress", "x"])
def test_what_cannot_be_undone_is_told(encoding: str) -> None:
    assert look(DOCUMENT, encoding=encoding) is NotLooked.ENCODED


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", ""),
        (b"{", ""),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (b"no gzip", "gzip"),
        (gzip.compress(b"{}", mtime=0)[:-12] + b"x" * 12, "gzip"),
    ],
)
def test_what_is_no_json_is_told(body: bytes, encoding: str) -> None:
    assert look(body, encoding=encoding) is NotLooked.UNREADABLE


def test_what_is_too_large_is_told_before_it_takes_memory() -> None:
    large = json.dumps({"contact": ADA, "more": "x" * MAX_BYTES}).encode()
    assert look(large) is NotLooked.TOO_LARGE
    assert look(DOCUMENT, more=True) is NotLooked.TOO_LARGE
    bomb = gzip.compress(b'"' + b"x" * 200_000_000 + b'"', 1)
    assert len(bomb) < 2_000_000
    assert look(bomb, encoding="gzip") is NotLooked.TOO_LARGE
    assert look(gzip.compress(DOCUMENT, mtime=0)[:-9], encoding="gzip") is NotLooked.TOO_LARGE  # there was more of it
    exact = json.dumps({"contact": ADA, "more": ""}).encode()
    exact = exact.replace(b'""', b'"' + b"x" * (MAX_BYTES - len(exact)) + b'"')
    assert len(exact) == MAX_BYTES
    assert look(exact) == CONTACT


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/jsonl", "application/json-seq"])
def test_of_a_sequence_each_document_is_looked_at(content_type: str) -> None:
    separator = b"\n\x1e" if content_type.endswith("seq") else b"\r\n"
    body = separator.join([b'{"id": 1}', DOCUMENT, DOCUMENT, b'{"other": "bob@lindqvist.test"}'])
    found = look(body, content_type)
    assert found == Looked([*CONTACT.spotted, Spotted(("other",), Kind.EMAIL)], [])
    # cut off in the middle: the last line is not whole
    assert look(body[:-9], content_type, more=True) == CONTACT
    assert look(b"\n".join([b"{}"] * MAX_DOCUMENTS + [DOCUMENT]), content_type) == Looked([], [])


def test_what_only_resembles_is_told_apart() -> None:
    body = b'{"reference": "4111 1111 1111 1112"}\n{"reference": "4111 1111 1111 1111"}'
    card = Spotted(("reference",), Kind.CARD)
    assert look(body[:36]) == Looked([], [card])
    assert look(body, "application/jsonl") == Looked([card], [])


def test_what_is_declared_is_not_looked_at() -> None:
    shape = Shape((Node(rest=1), Node(classes=("pii",))))
    assert look_at(DOCUMENT, "application/json", "", shape, truncated=False) == Looked([], [])
    nested = json.dumps([{ADA: ADA}]).encode()
    found = look_at(nested, "application/json", "", shape, truncated=False)
    assert found == Looked([Spotted((Wild.ITEM, Wild.REST), Kind.EMAIL)], [])
