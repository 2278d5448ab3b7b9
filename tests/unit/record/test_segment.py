"""Names of segments, and reading their lines in both directions."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.record import segment as module
from inward.record.segment import Segment, list_segments, read_lines, read_lines_backwards

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = st.binary(max_size=60).map(lambda data: data.translate(bytes(b"ab\n\n"[byte % 4] for byte in range(256))))


@pytest.fixture(params=[1, 2, 3, 7, 1 << 20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    size: int = request.param
    monkeypatch.setattr(module, "BLOCK_BYTES", size)
    return size


def test_names(tmp_path: Path) -> None:
    segment = Segment.make(tmp_path, 12, date(2026, 8, 1))
    assert segment.path.name == "calls-2026-08-01-00000012.ndjson"
    assert Segment.of(segment.path) == segment
    for name in ("calls-2026-02-31-00000001.ndjson", "calls-2026-08-01-1.ndjson", "positions.json", ""):
        assert Segment.of(tmp_path / name) is None


def test_the_number_orders_and_not_the_date(tmp_path: Path) -> None:
    for name in ("calls-2026-08-02-00000001.ndjson", "calls-2026-08-01-00000002.ndjson", "x.torn", "lock"):
        (tmp_path / name).touch()
    assert [segment.number for segment in list_segments(tmp_path)] == [1, 2]
    assert list_segments(tmp_path / "nowhere") == []


@given(CONTENT)
def test_lines_and_offsets_whatever_the_block(content: bytes) -> None:
    whole = content[: content.rfind(b"\n") + 1]
    expected = whole.split(b"\n")[:-1]
    for size in (1, 2, 3, 7, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "BLOCK_BYTES", size)
            found = list(read_lines(io.BytesIO(content)))
            assert [line for line, _ in found] == expected
            assert b"".join(line + b"\n" for line, _ in found) == whole
            for index, (_, end) in enumerate(found):
                rest = [line for line, _ in read_lines(io.BytesIO(content), end)]
                assert rest == expected[index + 1 :]
                until = [line for line, _ in read_lines(io.BytesIO(content), 0, end)]
                assert until == expected[: index + 1]


@given(CONTENT)
def test_backwards_finds_the_same_lines_whatever_the_block(content: bytes) -> None:
    expected = content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]
    for size in (1, 2, 3, 7, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "BLOCK_BYTES", size)
            blocks = list(read_lines_backwards(io.BytesIO(content), len(content), b""))
            found = [line for lines in reversed(blocks) for line in lines]
            assert [line for line in found if line] == [line for line in expected if line]
            wanted = [
                line
                for lines in read_lines_backwards(io.BytesIO(content), len(content), b"ab")
                for line in lines
                if b"ab" in line
            ]
            assert sorted(wanted) == sorted(line for line in expected if b"ab" in line)


def test_a_line_without_end_takes_no_more_memory_than_a_line_may(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 8)
    content = b"good\n" + b"x" * 50 + b"\nlast\n"
    lines = list(read_lines(io.BytesIO(content)))
    assert [end for _, end in lines] == [5, 56, 61]
    assert [line for line, _ in lines][::2] == [b"good", b"last"]
    assert len(lines[1][0]) <= max(8, block)
    blocks = list(read_lines_backwards(io.BytesIO(content), len(content), b""))
    found = [line for lines in reversed(blocks) for line in lines if line]
    assert found in ([b"good", b"last"], [b"good", b"x" * 50, b"last"])
