from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.cli.up import AlreadyRunningError, Teller, told_who_runs
from inward.control.run.events import Event
from inward.record.lock import FolderLockedError, Holder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


def test_a_teller_that_cannot_tell_is_silent_and_stops() -> None:
    told: list[str] = []
    stopped: list[bool] = []

    def tell(event: Event) -> None:
        if event.kind == "service":
            raise BrokenPipeError
        told.append(event.kind)

    teller = Teller(tell)
    teller.stop = lambda: stopped.append(True)
    for kind in ("starting", "service", "ready", "stopping"):
        teller(Event(kind, ""))
    assert (told, stopped) == (["starting"], [True])
    assert isinstance(teller.failure, BrokenPipeError)


@pytest.mark.parametrize(("holder", "who"), [(Holder(7, "then"), "process 7 since then"), (None, "another process")])
def test_who_runs(tmp_path: Path, holder: Holder | None, who: str) -> None:
    with pytest.raises(AlreadyRunningError, match=who), told_who_runs():
        raise FolderLockedError(tmp_path, holder)


def test_a_setting_that_is_none(inward: Inward, system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INWARD_SVID_TTL", "soon")
    done = inward("up")
    assert (done.code, done.err) == (
        3,
        "inward: `INWARD_SVID_TTL` is `soon` (give a number of seconds, such as 3600)\n",
    )
    del system
