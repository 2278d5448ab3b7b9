"""A system folder, loaded again and again: mistakes, changes, and the copy of the last one without a mistake."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.catalog.protobuf import compiler
from inward.control import bundle
from inward.control.bundle import (
    BundleError,
    Policy,
    RestlessSystemError,
    SystemReader,
    current_bundle,
    load_bundle,
    load_policy,
    store_bundle,
)
from inward.control.run.slow_path import FollowedPolicy
from inward.errors import InvalidSystemError
from inward.identity.private_files import private_folder
from inward.policy.loading.load import load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORDERS = "policies/orders.cedar"


@pytest.fixture
def reader(system: Path) -> SystemReader:
    reader = SystemReader(system)
    reader.load()
    return reader


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "bundle")


def test_a_policy_is_the_whole_system_and_its_version_is_of_all_files(system: Path, policy: Policy) -> None:
    assert set(policy.files) == {"inward.yaml", "apis/orders.json", "apis/audit.json", ORDERS}
    assert policy.files[ORDERS] == (system / ORDERS).read_bytes()
    assert load_policy(system).version == policy.version
    versions = {policy.version}
    for name in policy.files:
        path = system / name
        path.write_bytes(path.read_bytes() + b"\n")
        versions.add(load_policy(system).version)
    (system / ORDERS).rename(system / "policies/checkout.cedar.txt")
    versions.add(load_policy(system).version)
    assert len(versions) == 6
    assert all(len(version) == 12 for version in versions)


def test_where_one_file_ends_and_the_next_one_begins_is_part_of_the_version(policy: Policy) -> None:
    def version(files: dict[str, bytes]) -> str:
        return Policy(policy.catalog, policy.policies, policy.engine, files).version

    assert len({version({"a": b"bc"}), version({"ab": b"c"}), version({"a": b"b", "c": b""})}) == 3


def test_all_mistakes_are_told_at_once(system: Path) -> None:
    (system / ORDERS).write_text("permit(")
    (system / "apis/audit.json").unlink()
    (system / "inward.yaml").write_text(shop.SYSTEM + "  colour: red\n")
    with pytest.raises(InvalidSystemError) as raised:
        load_policy(system)
    told = " ".join(map(str, raised.value.mistakes))
    assert "colour" in told
    assert "apis/audit.json" in told


def touch_same(path: Path) -> None:
    """Write something of the same size, and give it the old time of modification."""
    before = path.stat()
    path.write_text(path.read_text().replace("checkout", "checkin0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)


def add(system: Path) -> None:
    (system / "policies/audit.cedar").write_text("// nothing\n")


def guardrail(system: Path) -> None:
    (system / "guardrails.cedar").write_text("// nothing\n")


def replace(system: Path) -> None:
    new = system / "new"
    new.write_text(shop.GRANT)
    new.rename(system / ORDERS)


@pytest.mark.parametrize(
    "change",
    [
        lambda system: (system / "inward.yaml").write_text(shop.SYSTEM + "\n"),
        lambda system: (system / "apis/orders.json").unlink(),
        lambda system: touch_same(system / ORDERS),
        lambda system: (system / ORDERS).unlink(),
        add,
        guardrail,
        replace,
    ],
)
def test_every_change_is_noticed_once(system: Path, reader: SystemReader, change: Callable[[Path], object]) -> None:
    assert not reader.changed()
    change(system)
    assert reader.changed()
    with contextlib.suppress(InvalidSystemError):
        reader.load()
    assert not reader.changed()


def test_two_changes_within_one_tick_of_the_clock_are_two(
    system: Path, reader: SystemReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most kernels stamp changes with a clock that ticks every few milliseconds: both would bear the same time."""
    exact = SystemReader._stamp_now

    def coarse(self: SystemReader) -> bundle.Stamp:
        return frozenset((name, inode, size, changed - changed % 10**7) for name, inode, size, changed in exact(self))

    monkeypatch.setattr(SystemReader, "_stamp_now", coarse)
    path = system / ORDERS
    for number in range(20):
        path.write_text(shop.GRANT + f"// {number:02d}\n")
        reader.load()
        path.write_text(shop.GRANT + f"// {99 - number:02d}\n")
        assert reader.changed(), number


def test_a_file_that_is_missing_is_noticed_when_it_comes(system: Path, reader: SystemReader) -> None:
    content = (system / "apis/audit.json").read_text()
    (system / "apis/audit.json").unlink()
    with pytest.raises(InvalidSystemError, match=r"apis/audit\.json"):
        reader.load()
    assert not reader.changed()
    (system / "apis/audit.json").write_text(content)
    assert reader.changed()
    reader.load()


def test_a_file_that_another_one_refers_to_is_part_of_the_system(system: Path, reader: SystemReader) -> None:
    document = json.loads((system / "apis/orders.json").read_text())
    document["paths"]["/orders"]["post"]["parameters"] = [{"$ref": "parts/shared.json#/region"}]
    (system / "apis/orders.json").write_text(json.dumps(document))
    part = system / "apis/parts/shared.json"
    part.parent.mkdir()
    part.write_text(json.dumps({"region": {"name": "region", "in": "query", "schema": {"type": "string"}}}))
    first = reader.load()
    assert "apis/parts/shared.json" in first.files
    assert not reader.changed()
    part.write_text(json.dumps({"region": {"name": "region", "in": "query", "schema": {"type": "integer"}}}))
    assert reader.changed()
    assert reader.load().version != first.version


def test_what_fails_to_load_is_still_to_be_loaded(
    system: Path, reader: SystemReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong, a change is not forgotten."""
    (system / ORDERS).write_text("")

    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(bundle, "load_policies", broken)
        with pytest.raises(RuntimeError):
            reader.load()
    assert reader.changed()
    assert len(reader.load().policies) == 0
    assert not reader.changed()


def test_a_folder_that_never_rests_is_given_up(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = load_policies
    count = 0

    def meddling(*arguments: object) -> object:
        nonlocal count
        count += 1
        (system / ORDERS).write_text(shop.GRANT + f"// {count}\n")
        return real(*arguments)  # type: ignore[arg-type]  # whatever it was given

    monkeypatch.setattr(bundle, "load_policies", meddling)
    with pytest.raises(RestlessSystemError):
        load_policy(system)
    assert count == bundle.TRIES - 1


def test_what_is_loaded_is_never_half_of_two_systems(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = load_policies
    meddled = False

    def meddling(*arguments: object) -> object:
        nonlocal meddled
        loaded = real(*arguments)  # type: ignore[arg-type]  # whatever it was given
        if not meddled:
            meddled = True
            (system / ORDERS).write_text("")
        return loaded

    monkeypatch.setattr(bundle, "load_policies", meddling)
    policy = load_policy(system)
    assert (len(policy.policies), policy.files[ORDERS]) == (0, b"")


def test_the_bundle_is_the_last_policy_that_was_stored(kept: Path, policy: Policy, system: Path) -> None:
    assert load_bundle(kept) is None
    assert current_bundle(kept) is None
    store_bundle(kept, policy)
    store_bundle(kept, policy)
    copy = load_bundle(kept)
    assert copy is not None
    assert (copy.version, copy.files) == (policy.version, policy.files)
    (system / ORDERS).write_text("")
    other = load_policy(system)
    store_bundle(kept, other)
    assert [each.name for each in kept.iterdir() if each.is_dir()] == [other.version]
    again = load_bundle(kept)
    assert again is not None
    assert again.version == other.version
    assert all(each.stat().st_mode & 0o077 == 0 for each in kept.rglob("*"))


def test_a_bundle_that_was_begun_is_none(kept: Path, policy: Policy) -> None:
    half = private_folder(kept / f".{policy.version}.new")
    (half / "inward.yaml").write_text("half")
    assert load_bundle(kept) is None
    store_bundle(kept, policy)
    assert load_bundle(kept) is not None
    assert not half.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../system", "/etc", "a\0b", "missing", "\udcff"])
def test_a_bundle_lies_in_its_folder_and_nowhere_else(kept: Path, name: str) -> None:
    (kept / "current").write_bytes(os.fsencode(name))
    assert current_bundle(kept) is None


def test_a_bundle_that_has_lost_a_forbid_is_not_loaded(kept: Path, system: Path) -> None:
    """It is deleted file by file when another one becomes current, and whoever reads it then must notice."""
    (system / "guardrails.cedar").write_text(
        '@id("never") @reason("r") forbid (principal, action, resource == Service::"orders");\n'
    )
    policy = load_policy(system)
    store_bundle(kept, policy)
    (kept / policy.version / "guardrails.cedar").unlink()
    with pytest.raises(BundleError):
        load_bundle(kept)
    with pytest.raises(BundleError):
        FollowedPolicy(kept)()


def test_one_is_followed_by_the_next_while_it_is_replaced_all_the_time(kept: Path, tmp_path: Path) -> None:
    policies = [
        shop.loaded(tmp_path / "x", {ORDERS: shop.policy("a"), "guardrails.cedar": f"// {number}\n"})
        for number in range(2)
    ]
    store_bundle(kept, policies[0])
    followed, done = FollowedPolicy(kept), threading.Event()

    def replace_often() -> None:
        for number in range(60):
            store_bundle(kept, policies[number % 2])
        done.set()

    writer = threading.Thread(target=replace_often)
    writer.start()
    seen = set()
    try:
        while not done.is_set():
            seen.add(followed().version)
    finally:
        writer.join()
    assert seen <= {policy.version for policy in policies}
    assert followed().version == policies[1].version


def test_without_a_bundle_nothing_is_followed(kept: Path, policy: Policy) -> None:
    followed = FollowedPolicy(kept)
    with pytest.raises((OSError, BundleError)):
        followed()
    store_bundle(kept, policy)
    first = followed()
    assert first.version == policy.version
    assert followed() is first  # loaded once
    (kept / "current").unlink()
    with pytest.raises(OSError, match="current"):
        followed()


PROTO = """\
syntax = "proto3";
package shop;
import "common.proto";
service Orders { rpc Get(Order) returns (Order); }
"""
COMMON = 'syntax = "proto3";\npackage shop;\nmessage Order { string id = 1; }\n'


@pytest.fixture
def grpc_system(tmp_path: Path) -> Path:
    """A system whose service is described by two `.proto` files."""
    inward = "trust_domain: a.test\nservices: {orders: {owner: t, api: apis/orders.proto, listen: '127.0.0.1:0'}}\n"
    return shop.write(
        tmp_path / "grpc", {"inward.yaml": inward, "apis/orders.proto": PROTO, "apis/common.proto": COMMON}
    )


def test_a_bundle_has_what_a_description_imports_and_what_it_was_compiled_to(
    grpc_system: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = load_policy(grpc_system)
    assert set(policy.files) == {"inward.yaml", "apis/orders.proto", "apis/common.proto"}
    store_bundle(kept, policy)
    monkeypatch.setattr(compiler, "_has_compiler", lambda: False)
    loaded = load_bundle(kept)
    assert loaded is not None
    assert loaded.version == policy.version
    assert loaded.catalog.operations.keys() == {"orders:shop.Orders/Get"}
    with pytest.raises(InvalidSystemError, match="without the compiler"):
        load_policy(grpc_system)


def test_a_change_of_an_imported_file_is_noticed(grpc_system: Path) -> None:
    reader = SystemReader(grpc_system)
    before = reader.load()
    assert not reader.changed()
    (grpc_system / "apis/common.proto").write_text(COMMON.replace("id = 1", "id = 2"))
    assert reader.changed()
    assert reader.load().version != before.version
    assert not reader.changed()
    (grpc_system / "common.proto").write_text("not looked for: there is one nearer")
    assert not reader.changed()
    (grpc_system / "apis/common.proto").unlink()
    assert reader.changed()
    with pytest.raises(InvalidSystemError, match=r"common\.proto:1: "):
        reader.load()
