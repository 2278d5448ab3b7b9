"""`inward discover`: it prints what it found, writes a system without a mistake, and overwrites nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import pytest

from inward.catalog.system import load_system
from inward.discovery.fetch import Fetched
from inward.record.call import Call, encode_entry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

SOURCE = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/orders/{id}')\ndef get(id): ...\n"
LINE = '10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "{} {} HTTP/1.1" {} 5\n'


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to begin a system in, beside a source and a log."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/app.py").write_text(SOURCE)
    calls = [("GET", f"/orders/{n}", 200) for n in range(5)] + [("DELETE", f"/orders/{n}", 204) for n in range(4)]
    calls += [("GET", "/.env", 404)] * 9 + [("GET", "/moved", 301)] * 5
    (tmp_path / "access.log").write_text("".join(LINE.format(*call) for call in calls))
    folder = tmp_path / "my-shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_nothing_is_written_until_it_is_asked_for(inward: Inward, empty: Path) -> None:
    done = inward("discover", "--service", "orders", "--from-source", "../source", "--from-log", "../access.log")
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[:4] for row in rows[1:]] == [
        ["GET", "/moved", "doubtful", "5"],
        ["DELETE", "/orders/{id}", "likely", "4"],
        ["GET", "/orders/{id}", "sure", "5"],
    ]
    assert "left out 9 calls: refused or failed" in done.err
    assert "nothing was written" in done.err
    assert list(empty.iterdir()) == []


def test_what_is_written_is_a_system_and_the_next_run_adds_what_is_new(inward: Inward, empty: Path) -> None:
    asked = ("discover", "--service", "orders", "--from-source", "../source", "--write", "--owner", "team-orders")
    done = inward(*asked)
    assert done.code == 0
    assert "wrote apis/orders.discovered.yaml" in done.out
    loaded = load_system(empty)
    assert loaded.mistakes == ()
    assert loaded.catalog is not None
    assert loaded.catalog.trust_domain == "my-shop.internal"
    service = loaded.catalog.services["orders"]
    assert (service.mode.value, [each.id for each in service.operations]) == ("observe", ["orders:GET /orders/{id}"])
    before = {path: path.read_bytes() for path in empty.rglob("*.yaml")}
    again = inward(*asked)
    assert (again.code, "nothing was found that is new" in again.err) == (0, True)
    assert before == {path: path.read_bytes() for path in empty.rglob("*.yaml")}
    more = inward("discover", "--service", "orders", "--from-log", "../access.log", "--write", "--json")
    assert more.json["files"] == ["apis/orders.discovered2.yaml", "inward.yaml"]
    assert more.json["doubtful"] == ["GET /moved"]
    assert (empty / "apis/orders.discovered.yaml").read_bytes() == before[empty / "apis/orders.discovered.yaml"]
    loaded = load_system(empty)
    assert loaded.mistakes == ()
    assert loaded.catalog is not None
    assert sorted(loaded.catalog.operations) == ["orders:DELETE /orders/{id}", "orders:GET /orders/{id}"]


DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "x", "version": "1"},
    "servers": [{"url": "/v1"}],
    "paths": {"/orders/{id}": {"get": {"operationId": "getOrder", "responses": {}}}},
}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What a running service answers."""
    document: dict[str, object] = dict(DOCUMENT)

    def answer(url: str, _seconds: float) -> Fetched:
        return Fetched(url, "127.0.0.1", json.dumps(document).encode())

    monkeypatch.setattr("inward.control.discovering.fetch", answer)
    return document


def test_a_fetched_document_is_kept_as_it_is(inward: Inward, empty: Path, served: dict[str, object]) -> None:
    done = inward(
        "discover", "--service", "orders", "--from-url", "http://x/openapi.json", "--write", "--owner", "team-a"
    )
    assert done.code == 0
    assert "fetched http://x/openapi.json from 127.0.0.1" in done.err
    assert (empty / "apis/orders.openapi.json").read_bytes() == json.dumps(served).encode()
    loaded = load_system(empty)
    assert loaded.catalog is not None
    assert list(loaded.catalog.operations) == ["orders:getOrder"]
    served["paths"] = {**DOCUMENT["paths"], "/new": {"post": {"operationId": "createNew", "responses": {}}}}  # type: ignore[dict-item]  # it is a mapping
    again = inward("discover", "--service", "orders", "--from-url", "http://x/openapi.json", "--write")
    assert again.code == 0
    assert (empty / "apis/orders.openapi.json").read_bytes() == json.dumps(DOCUMENT).encode()
    loaded = load_system(empty)
    assert (loaded.mistakes, sorted(loaded.catalog.operations if loaded.catalog else ())) == (
        (),
        ["orders:createNew", "orders:getOrder"],
    )


def test_a_file_that_is_there_is_not_overwritten(inward: Inward, empty: Path, served: dict[str, object]) -> None:
    assert served
    (empty / "apis").mkdir()
    (empty / "apis/orders.openapi.json").write_text("{}\n")
    done = inward(
        "discover", "--service", "orders", "--from-url", "http://x/openapi.json", "--write", "--owner", "team-a"
    )
    assert done.code == 3
    assert "is there already, and holds something else" in done.err
    assert (empty / "apis/orders.openapi.json").read_text() == "{}\n"
    assert not (empty / "inward.yaml").exists()


def test_the_record_tells_what_is_called_and_described_nowhere(inward: Inward, system: Path) -> None:
    record = system / ".inward/record"
    for folder in (record.parent, record):
        folder.mkdir(mode=0o700)
    calls: list[tuple[str, int, Literal["allow", "deny"]]] = [
        (f"/hidden/{number}", 200, "allow") for number in range(3)
    ]
    calls += [("/refused", 403, "deny")] * 3
    entries = [
        Call(
            time=f"2026-01-01T00:00:{number:02d}.000Z", id=str(number), callee="greeter", method="GET", path=path,
            status=status, decision="deny", carried_out=carried, reason="unknown_operation", mode="observe",
        )
        for number, (path, status, carried) in enumerate(calls)
    ]  # fmt: skip
    (record / "calls-2026-01-01-00000001.ndjson").write_bytes(b"".join(map(encode_entry, entries)))
    done = inward("discover", "--service", "greeter", "--from-record", "--json")
    assert [(each["path"], each["calls"]) for each in done.json["operations"]] == [("/hidden/{hidden_id}", 3)]
    assert done.json["left_out"] == [{"why": "refused or failed (4xx, 5xx)", "calls": 3, "examples": []}]
    assert done.json["known"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--service", "orders"), "nothing to look at"),
        (("--service", "Orders", "--from-source", "../source"), "cannot be the name of a service"),
        (("--service", "orders", "--from-source", "../absent"), "there is no `../absent`"),
        (("--service", "orders", "--from-source", "../source", "--write"), "has no owner"),
        (("--service", "orders", "--from-record"), "the system has no service"),
        (("--service", "orders", "--from-source", "../source", "--listen", "x"), "no address"),
        (("--service", "orders", "--from-proto", "../source"), "describes no gRPC service"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    inward: Inward, empty: Path, options: tuple[str, ...], said: str
) -> None:
    done = inward("discover", *options)
    assert done.code == 3
    assert said in done.err
    assert list(empty.iterdir()) == []


def test_methods_of_proto_files_come_with_what_they_import(inward: Inward, empty: Path) -> None:
    pytest.importorskip("grpc_tools")
    protos = empty.parent / "protos"
    (protos / "shop").mkdir(parents=True)
    (protos / "shop/types.proto").write_text('syntax = "proto3"; package shop; message Order { string id = 1; }')
    (protos / "unused.proto").write_text('syntax = "proto3"; package other; message X { string id = 1; }')
    (protos / "orders.proto").write_text(
        'syntax = "proto3"; package shop; import "shop/types.proto";\n'
        "service Orders {\n  rpc Get(Order) returns (Order);\n}\n"
    )
    done = inward("discover", "--service", "orders", "--from-proto", "../protos", "--write", "--owner", "team-orders")
    assert done.code == 0, done.err
    assert sorted(path.relative_to(empty).as_posix() for path in empty.rglob("*.proto")) == [
        "apis/orders/orders.proto",
        "apis/orders/shop/types.proto",
    ]
    loaded = load_system(empty)
    assert (loaded.mistakes, list(loaded.catalog.operations if loaded.catalog else ())) == (
        (),
        ["orders:shop.Orders/Get"],
    )
