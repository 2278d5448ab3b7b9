from __future__ import annotations

from array import array

import msgspec
import pytest
from datasketches import hll_sketch

from inward.alerting.stream.saved import SnapshotError, load, save


class State(msgspec.Struct):
    numbers: array  # type: ignore[type-arg]  # msgspec decodes by the bare class
    sketch: hll_sketch


def test_arrays_and_sketches_come_back() -> None:
    state = State(array("f", [1.5, 2.5]), hll_sketch(10))
    for number in range(500):
        state.sketch.update(str(number))
    back = load(save(state), State)
    assert back.numbers == state.numbers
    assert back.sketch.get_estimate() == state.sketch.get_estimate()


@pytest.mark.parametrize("damaged", [b"", b"\xff", save([1, b""]), save([b"abc", b""]), save([b"", b"nonsense"])])
def test_what_is_damaged_is_one_error(damaged: bytes) -> None:
    with pytest.raises(SnapshotError):
        load(damaged, State)
