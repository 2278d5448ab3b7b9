"""How the state of detectors becomes bytes and comes back: MessagePack of structs, with sketches and arrays in them."""

from __future__ import annotations

from array import array
from typing import TypeVar

import msgspec
from datasketches import hll_sketch

from inward.errors import InwardError

T = TypeVar("T")


class SnapshotError(InwardError):
    """What was kept of detectors cannot be taken up again."""

    code = "alert_snapshot"


def _encode(value: object) -> object:
    if isinstance(value, hll_sketch):
        return value.serialize_compact()
    if isinstance(value, array):
        return value.tobytes()
    raise NotImplementedError


def _floats(value: bytes) -> array[float]:
    numbers = array("f")
    numbers.frombytes(value)
    return numbers


_DECODED = {hll_sketch: hll_sketch.deserialize, array: _floats}


def _decode(kind: type, value: object) -> object:
    if kind not in _DECODED:
        raise NotImplementedError
    if not isinstance(value, bytes):
        raise ValueError("no bytes")  # noqa: TRY004 - what msgspec makes a ValidationError of
    return _DECODED[kind](value)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode)


def save(value: object) -> bytes:
    """Return the bytes of a state that is made of structs, lists, numbers, texts, arrays of floats and sketches."""
    return _encoder.encode(value)


def load(state: bytes, kind: type[T]) -> T:
    """Return the state that `save` wrote, or raise `SnapshotError`."""
    try:
        return msgspec.msgpack.decode(state, type=kind, dec_hook=_decode)
    except (msgspec.MsgspecError, ValueError, RuntimeError, RecursionError) as error:
        raise SnapshotError(f"what was kept of a detector cannot be read: {error}") from error
