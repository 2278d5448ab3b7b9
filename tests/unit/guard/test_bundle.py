"""The bundle that a guard follows: the version in force, whole or not at all, and what a guard needs to start."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.contract.guard.people import FILES, KEY, followed, write

from inward.catalog.protobuf import methods
from inward.guard.bundle import LOOK_SECONDS, FollowedBundle, GuardError, followed_bundle
from inward.guard.core import Inbound
from inward.identity.private_files import private_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from inward.guard.core import Core

NOW = datetime(2027, 1, 1, tzinfo=UTC)
TILL = Inbound("GET", "/people/1", "", ("URI=spiffe://people.test/till",), private=True, reference="r")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def allows(core: Core) -> bool:
    return core.admit(TILL, NOW).decision.allowed


def without(grant: str) -> dict[str, str]:
    policies = FILES["policies/people.cedar"].split("\n\n")
    return {"policies/people.cedar": "\n\n".join(each for each in policies if grant not in each)}


def test_another_version_is_followed_when_it_is_time_to_look(tmp_path: Path) -> None:
    clock = Clock()
    bundle = followed(tmp_path, clock)
    before = bundle.ready()
    assert before is not None
    assert allows(before)
    write(tmp_path, without("till-calls"))
    assert bundle.ready() is before
    clock.now += LOOK_SECONDS
    assert bundle.ready() is None
    after = bundle.follow()
    assert not allows(after)
    assert bundle.ready() is after


def test_what_has_not_changed_is_not_loaded_again(tmp_path: Path) -> None:
    clock = Clock()
    bundle = followed(tmp_path, clock)
    before = bundle.ready()
    clock.now += LOOK_SECONDS
    assert bundle.ready() is before
    assert bundle.follow() is before


@pytest.mark.parametrize("damage", ["policies", "catalog", "gone", "pointer"])
def test_a_damaged_version_leaves_the_one_before_in_force(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    bundle = followed(tmp_path, clock)
    before = bundle.follow()
    write(tmp_path, without("till-calls"))
    folder = tmp_path / "bundle"
    current = folder / (folder / "current").read_text()
    if damage == "policies":  # a forbid is lost, and nothing but the version would show it
        (current / "policies" / "people.cedar").unlink()
    elif damage == "catalog":
        (current / "inward.yaml").write_text("{")
    elif damage == "gone":
        current.rename(folder / "elsewhere")
    else:
        write_private(folder / "current", b"../../etc\n")
    clock.now += LOOK_SECONDS
    with caplog.at_level(logging.ERROR, "inward.guard"):
        assert bundle.follow() is before
        assert bundle.follow() is before
    assert len([each for each in caplog.messages if "the policy before stays in force" in each]) == 1


def test_a_fork_while_the_bundle_is_loaded_does_not_hold_the_child(tmp_path: Path) -> None:
    bundle = followed(tmp_path)
    with bundle._turn:
        child = os.fork()
        if child == 0:
            os._exit(0 if bundle._turn.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_no_bundle_says_anything_of_is_no_guard(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="there is no bundle"):
        FollowedBundle(tmp_path, "people")
    followed(tmp_path)
    with pytest.raises(GuardError, match="no service `peopel`"):
        FollowedBundle(tmp_path / "bundle", "peopel")
    write(tmp_path, {"inward.yaml": FILES["inward.yaml"].replace("{socket}", "{port}")})
    with pytest.raises(GuardError, match="does not listen on a Unix socket"):
        FollowedBundle(tmp_path / "bundle", "people")


def test_the_environment_names_all_or_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    followed(tmp_path)
    here = {"INWARD_SERVICE": "people", "INWARD_BUNDLE": str(tmp_path / "bundle")}
    found = followed_bundle(here, allow_unguarded=False)
    assert found is not None
    assert allows(found.follow())
    for missing in here:
        half = {name: value for name, value in here.items() if name != missing}
        with pytest.raises(GuardError, match=missing):
            followed_bundle(half, allow_unguarded=True)
    with pytest.raises(GuardError, match="nothing says") as raised:
        followed_bundle({}, allow_unguarded=False)
    assert "allow_unguarded" in raised.value.hint
    with caplog.at_level(logging.WARNING, "inward.guard"):
        assert followed_bundle({}, allow_unguarded=True) is None
    assert "not guarded" in caplog.text


def test_the_key_of_tokens_is_read_from_its_private_file(tmp_path: Path) -> None:
    followed(tmp_path)
    write_private(private_folder(tmp_path / "state") / "tokens.key", KEY)
    environment = {"INWARD_SERVICE": "people", "INWARD_BUNDLE": str(tmp_path / "bundle")}
    keyed = followed_bundle(
        environment | {"INWARD_TOKEN_KEY": str(tmp_path / "state" / "tokens.key")}, allow_unguarded=False
    )
    assert keyed is not None
    assert keyed._key == KEY
    none = followed_bundle(environment | {"INWARD_TOKEN_KEY": str(tmp_path / "state" / "none")}, allow_unguarded=False)
    assert none is not None
    assert none._key == b""


def test_a_guard_imports_little() -> None:
    """A service that uses it loads no record store, no Envoy, no server and no command line."""
    looked = (
        "import sys, inward.guard.asgi, inward.guard.wsgi, inward.guard.current\n"
        "heavy = {'envoy', 'uvicorn', 'typer', 'rich', 'duckdb', 'z3', 'cryptography', 'psutil', 'httptools'}\n"
        "print(sorted(heavy & set(sys.modules)), 'cedarpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that speaks no gRPC may stand in a system with others that do."""
    inward = FILES["inward.yaml"].replace(
        "services:\n", "services:\n  rpc: {owner: team-rpc, api: rpc.proto, listen: '127.0.0.1:0'}\n"
    )
    rpc = 'syntax = "proto3";\nmessage M {}\nservice S { rpc G(M) returns (M); }\n'
    followed(tmp_path)
    write(tmp_path, {"inward.yaml": inward, "rpc.proto": rpc})
    assert FollowedBundle(tmp_path / "bundle", "people", KEY).ready() is not None
    monkeypatch.setattr(methods, "has_protobuf", lambda: False)
    with pytest.raises(GuardError, match=r"the system has gRPC services: .* without the protobuf library") as caught:
        FollowedBundle(tmp_path / "bundle", "people", KEY)
    assert "inward[grpc]" in caught.value.hint
