from __future__ import annotations

import pytest

from inward.alerting.stream.paths import shape


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/orders/7/lines", "/orders/{}/lines"),
        ("/orders/7f3a-b/x", "/orders/{}/x"),
        ("/admin/debug", "/admin/debug"),
        (f"/a/{'z' * 40}/b", "/a/{}/b"),
        ("", ""),
    ],
)
def test_what_differs_from_call_to_call_is_left_out(path: str, expected: str) -> None:
    assert shape(path) == expected


def test_a_long_path_is_cut() -> None:
    assert len(shape("/a" * 100_000)) <= 200
