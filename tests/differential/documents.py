"""Random shapes, JSON documents and forms, written in many ways, and broken ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inward.catalog.shape import Node, Shape

if TYPE_CHECKING:
    import random

CLASSES = ("pii", "pii.email", "pii.name", "secret")
NAMES = ("a", "b", "email", "é", "\U0001f600", "\0", 'q"uote', "back\\slash", "__index", "/", "\x7f", "\u2028", "")
NUMBERS = (
    "0",
    "-0",
    "0.0",
    "1e999",
    "-1E-7",
    "1E+05",
    "9" * 400,
    "0.10000000000000000000000000000000001",
    "4111111111111111",
)
SPACES = ("", "", "", " ", "\n  ", "\t\r\n")
ODD = b'"\\{}[],:\x80\xed\xf4\xc0\xc2eE.-+0u\x00\x1f\n'  # bytes that make a difference somewhere
FORM = (
    "&",
    ";",
    "=",
    "%",
    "+",
    "[",
    ".",
    "%5B",
    "%00",
    "{",
    "a",
    "email",
    "b",
    "b=",
    "%61",
    "%C3%A9",
    "é",
    "1",
    "=x",
    "&a=",
    "email=1&",
    "b=2&",
)


def shape(chance: random.Random) -> Shape:
    """Return a graph of one to eight nodes."""
    count = chance.randint(1, 8)

    def edge() -> int | None:
        return chance.randrange(count) if chance.random() < 0.4 else None

    nodes = []
    for number in range(count):
        marked = number > 0 and chance.random() < 0.35
        classes = tuple(sorted(chance.sample(CLASSES, chance.randint(1, 2)))) if marked else ()
        fields = {name: chance.randrange(count) for name in chance.sample(NAMES, chance.randint(0, 5))}
        nodes.append(Node(classes, fields, edge(), edge()))
    return Shape(tuple(nodes))


def document(chance: random.Random, depth: int = 0) -> str:
    """Return a JSON document that has little to do with any shape."""
    kind = chance.choice(
        ("number", "text", "word") + (("object", "object", "object", "array", "array") if depth < 5 else ())
    )
    if kind == "number":
        return chance.choice([*NUMBERS, str(chance.randint(-(10**6), 10**18)), repr(chance.uniform(-1e6, 1e6))])
    if kind == "text":
        return text(chance)
    if kind == "word":
        return chance.choice(("null", "true", "false"))
    parts = []
    for _ in range(chance.randint(0, 5)):
        before, middle, after = (chance.choice(SPACES) for _ in range(3))
        key = f"{text(chance)}{middle}:{before}" if kind == "object" else ""
        parts.append(f"{before}{key}{document(chance, depth + 1)}{after}")
    opened, closed = "{}" if kind == "object" else "[]"
    return opened + (",".join(parts) or chance.choice(SPACES)) + closed


def text(chance: random.Random) -> str:
    """Return a text as JSON, some of its characters escaped in one of the ways that there are."""
    said = chance.choice(NAMES)
    if chance.random() < 0.4:
        said = "".join(
            chr(chance.choice((chance.randrange(128), chance.randrange(0xD800), chance.randrange(0xE000, 0x110000))))
            for _ in range(chance.randint(0, 14))
        )
    parts = []
    for character in said:
        written = json.dumps(character, ensure_ascii=False)[1:-1]
        if chance.random() < 0.3:
            written = json.dumps(character)[1:-1]
            if len(written) == 1:
                written = f"\\u{ord(character):04x}" if chance.random() < 0.5 else f"\\u{ord(character):04X}"
            elif character == "/":
                written = "\\/"
        parts.append(written)
    return '"' + "".join(parts) + '"'


def broken(chance: random.Random) -> bytes:
    """Return a document with something wrong in it, mostly."""
    body = bytearray(document(chance).encode())
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(body) or 1)
        match chance.randrange(4):
            case 0:
                body[at : at + 1] = bytes([chance.choice((chance.randrange(256), chance.choice(ODD)))])
            case 1:
                del body[at:]
            case 2:
                body[at:at] = body[at : at + 6]
            case _:
                del body[at : at + 1]
    return bytes(body)


def sequence(chance: random.Random, separator: bytes) -> bytes:
    """Return documents with `separator` between them, some of them blank."""
    lines = []
    for _ in range(chance.randint(0, 4)):
        line = chance.choice(("", " ", "\t\r")) if chance.random() < 0.3 else document(chance)
        lines.append(line.encode().replace(b"\n", b" "))
    return separator.join(lines)


def form(chance: random.Random) -> bytes:
    """Return what may be a form."""
    return "".join(chance.choice(FORM) for _ in range(chance.randint(0, 14))).encode()
