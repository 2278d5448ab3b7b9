"""A gRPC server that nobody guards is found by asking over its socket; one with a guard runs no handler."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from tests.contract.guard.rpc.people import followed
from tests.contract.guard.rpc.servers import KINDS, Served

from inward.control.probe.look import Outcome, look
from inward.control.probe.questions import questions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Service
    from inward.guard.bundle import FollowedBundle


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="inw") as name:
        yield Path(name)


@pytest.fixture
def bundle(folder: Path) -> FollowedBundle:
    return followed(folder)


@pytest.fixture
def service(bundle: FollowedBundle) -> Service:
    run = "python -m people {socket}"
    return dataclasses.replace(bundle.follow().service, guarded=True, run=run)


def looked(address: str, service: Service) -> Outcome:
    return asyncio.run(look(address.removeprefix("unix:"), service, questions_of(service)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_guarded_server_refuses_what_nobody_has(
    kind: str, folder: Path, bundle: FollowedBundle, service: Service
) -> None:
    served = Served(kind, folder, bundle).start()
    try:
        outcome = looked(served.private, service)
    finally:
        served.stop()
    assert (outcome.closed, outcome.open, outcome.silent) == (True, None, None)
    assert served.handled.requests == []


def test_a_server_without_a_guard_is_found(folder: Path, service: Service) -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    address = f"unix:{folder}/own.sock"
    server.add_insecure_port(address)
    server.start()
    try:
        outcome = looked(address, service)
    finally:
        server.stop(None).wait(20)
    assert outcome.open is not None
    assert outcome.open.endswith("/Ask` with gRPC status 12, where its guard should refuse it")


def test_who_is_no_grpc_server_is_not_taken_for_a_guarded_one(folder: Path, service: Service) -> None:
    outcome = looked(f"unix:{folder}/nobody.sock", service)
    assert (outcome.closed, outcome.silent) == (False, "it did not answer as a gRPC server")
