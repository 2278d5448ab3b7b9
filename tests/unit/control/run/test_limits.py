"""Limits that a run would hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.control.run import limits
from inward.control.run.limits import LimitError, require_watches

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("limit", "used", "envoys", "enough"), [(128, 8, 20, True), (128, 9, 20, False), (5, 0, 1, False)]
)
def test_too_few_watches_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, limit: int, used: int, envoys: int, enough: bool
) -> None:
    (tmp_path / "limit").write_text(f"{limit}\n")
    monkeypatch.setattr(limits, "_LIMIT", tmp_path / "limit")
    monkeypatch.setattr(limits, "_instances_in_use", lambda: used)
    if enough:
        require_watches(envoys)
    else:
        with pytest.raises(LimitError, match=f"may have {limit} and uses {used}") as raised:
            require_watches(envoys)
        assert "sysctl fs.inotify.max_user_instances=" in raised.value.hint


@pytest.mark.parametrize("content", [None, "", "many"])
def test_where_there_is_no_such_limit_nothing_is_demanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "limit").write_text(content)
    monkeypatch.setattr(limits, "_LIMIT", tmp_path / "limit")
    require_watches(10**6)


def test_instances_are_counted() -> None:
    assert limits._instances_in_use() >= 0
