"""A running system signs its record; what it signed verifies while it goes on, and after it was killed."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.system.company import SMALL
from tests.system.guarded import INWARD, eventually
from tests.system.load import Load

from inward.identity.private_files import private_folder
from inward.record.call import Call, timestamp
from inward.record.filter import Filter
from inward.record.reader import read_entries
from inward.record.recorder import Recorder
from inward.record.sealed.files import list_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.system.guarded import Guarded

OFTEN = {"INWARD_CHECKPOINT_SECONDS": "0.2"}


def verified(system: Guarded) -> dict[str, object]:
    done = system.inward("audit", "verify", "--json")
    found: dict[str, object] = json.loads(done.stdout)
    assert (found["damages"], found["gone"]) == ([], []), done.stdout
    assert done.returncode == 0
    return found


def test_the_record_is_signed_while_it_grows(guard: Callable[..., Guarded], tmp_path: Path) -> None:
    system = guard(SMALL, OFTEN).start()
    with Load(system) as load:
        load.go_on(0.5)
        eventually("a checkpoint", system.layout.signed.exists)
        kept = tmp_path / "kept"
        shutil.copy(system.layout.signed, kept)
        for _ in range(3):
            load.go_on(0.3)
            verified(system)
        system.kill()
        verified(system)
        system.start()
        load.go_on(0.5)
    eventually("all of it is signed", lambda: verified(system)["unsigned"] == 0)
    assert system.inward("audit", "consistency", str(kept)).returncode == 0
    call = system.calls()[-1]
    evidence = tmp_path / "evidence"
    assert system.inward("audit", "prove", call.id, "--output", str(evidence)).returncode == 0
    key = tmp_path / "record.pub"
    shutil.copy(system.layout.public_key, key)
    command = [*INWARD, "audit", "check", str(evidence), "--key", str(key), "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert json.loads(json.loads(done.stdout)["entry"])["id"] == call.id


def test_what_changes_decisions_is_recorded_with_the_calls(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL, OFTEN).start()
    version = system.event("ready")["policy"]

    def acts() -> list[tuple[str, str | None]]:
        return [(entry.what, entry.about) for entry in read_entries(system.layout.record, Filter(acts=True))]  # type: ignore[union-attr]  # acts alone

    assert ("start", version) in eventually("acts", acts)
    eventually("identities", lambda: {("identity", "orders"), ("identity", "checkout")} <= set(acts()))
    system.write("policies/orders.cedar", SMALL["policies/orders.cedar"].replace("they show an order", "they show it"))
    changed = eventually("another policy", lambda: [each for each in acts() if each[0] == "policy"])
    assert changed[0][1] != version
    assert system.inward("quarantine", "checkout", "--reason", "odd").returncode == 0
    assert system.inward("quarantine", "checkout", "--release").returncode == 0
    assert system.inward("quarantine", "checkout", "--release").returncode == 0  # nothing to do, so no act
    eventually("a release", lambda: ("release", "checkout") in acts())
    system.stop()
    assert [each for each in acts() if each[0] != "identity"] == [
        ("start", version),
        *changed,
        ("quarantine", "checkout"),
        ("release", "checkout"),
        ("stop", changed[0][1]),
    ]
    assert verified(system)["unsigned"] == 0
    assert "quarantine checkout by " in system.inward("calls", "--acts").stdout


def test_what_is_finished_is_sealed_and_everything_reads_it(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL, OFTEN)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    time = timestamp(yesterday)
    old = [Call(time=time, id=f"old-{at}", decision="deny", carried_out="deny", reason="no_grant") for at in range(500)]
    record = private_folder(system.layout.record)
    with Recorder(record, now=lambda: yesterday) as recorder:
        recorder.append(old)
    system.start()
    eventually("it is sealed", lambda: list_local(record) and not list(record.glob(f"calls-{yesterday.date()}-*")))
    verified(system)
    assert system.inward("calls", "--where", "id=old-77").stdout.count("old-77") == 1
    counted = system.inward("calls", "--sql", "SELECT count(*) AS n FROM calls WHERE id LIKE 'old-%'", "--json")
    assert json.loads(counted.stdout) == {"n": 500}
    assert system.inward("audit", "fsck").returncode == 0
