"""For how long the record keeps what, as `inward.yaml` says it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inward.catalog.retention import Keep
from inward.catalog.system import load_catalog

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


def load(folder: Path, said: str) -> tuple[Keep | None, list[str]]:
    (folder / "inward.yaml").write_text(f"trust_domain: shop.internal\nservices: {{a: {{owner: team}}}}\n{said}")
    catalog, mistakes = load_catalog(folder)
    return catalog.keep if catalog else None, [str(mistake) for mistake in mistakes]


@pytest.mark.parametrize(
    ("said", "keep"),
    [
        ("", Keep()),
        ("record: {users: hash}", Keep()),
        ("record: {keep: {}}", Keep()),
        ("record: {keep: {allowed: 90d}}", Keep(allowed=90 * DAY)),
        ("record: {keep: {allowed: 1d, refused: 400d, acts: 36500d}}", Keep(DAY, 400 * DAY, 36500 * DAY)),
    ],
)
def test_days_by_kind(tmp_path: Path, said: str, keep: Keep) -> None:
    assert load(tmp_path, said) == (keep, [])
    assert keep.everything is (keep == Keep())


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("keep: 90d", "keep"),
        ("keep: {allowed: 90}", "must be text"),
        ("keep: {allowed: 0d}", "number of days"),
        ("keep: {allowed: 36501d}", "number of days"),
        ("keep: {allowed: -1d}", "number of days"),
        ("keep: {denied: 90d}", "denied"),
        ("keep: {acts: [90d]}", "acts"),
    ],
)
def test_what_is_no_time_is_a_mistake_at_its_line(tmp_path: Path, said: str, what: str) -> None:
    _, mistakes = load(tmp_path, f"record:\n  {said}")
    assert len(mistakes) == 1
    assert mistakes[0].startswith("inward.yaml:4:")
    assert what in mistakes[0]
