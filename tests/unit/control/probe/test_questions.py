"""What is asked, in which order: never anything that could change something."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from inward.catalog.model import Rpc
from inward.catalog.resolve import Resolver
from inward.control.bundle import load_policy
from inward.control.probe.questions import OFTEN_SERVED, SAFE, Question, can_be_asked, questions_of

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Service

API = """\
openapi: 3.1.0
info: {title: people, version: '1'}
paths:
  /people/{id}/lines/{number}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
      - {name: number, in: path, required: true, schema: {type: integer}}
    get: {responses: {'200': {description: done}}}
    head: {responses: {'200': {description: done}}}
    delete: {responses: {'200': {description: done}}}
  /jobs:
    post: {responses: {'200': {description: done}}}
    put: {responses: {'200': {description: done}}}
  /health:
    get: {responses: {'200': {description: done}}}
"""
SYSTEM = """\
trust_domain: people.test
services:
  people: {owner: team-people, api: people.yaml, listen: "127.0.0.1:0", run: "serve {socket}", guard: true}
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    (tmp_path / "inward.yaml").write_text(SYSTEM)
    (tmp_path / "people.yaml").write_text(API)
    (tmp_path / "policies").mkdir()
    return load_policy(tmp_path).catalog.services["people"]


def test_safe_operations_come_before_the_paths_of_others_and_those_before_what_is_often_served(
    service: Service,
) -> None:
    first, *rest = questions_of(service)
    assert Resolver(service).resolve(first.method, first.path) is None
    assert first.about_routes
    assert rest == [
        Question("GET", "/health"),
        Question("GET", "/people/x/lines/0"),
        Question("HEAD", "/people/x/lines/0"),
        Question("OPTIONS", "/jobs"),
        Question("OPTIONS", "/people/x/lines/0"),
        *(Question("GET", path) for path in OFTEN_SERVED if path != "/health"),
    ]
    assert {each.method for each in rest} <= SAFE


def test_the_path_that_nobody_has_is_another_one_each_time(service: Service) -> None:
    assert questions_of(service)[0] != questions_of(service)[0]


def test_a_path_of_an_operation_leads_to_it(service: Service) -> None:
    resolve = Resolver(service).resolve
    tried = [
        resolve(method, each.path) for each in questions_of(service) for method in ("GET", "HEAD", "POST", "DELETE")
    ]
    found = {operation.id for operation, _ in filter(None, tried)}
    assert found == {operation.id for operation in service.operations} - {"people:PUT /jobs"}


def test_who_is_asked(service: Service) -> None:
    assert can_be_asked(service)
    assert not can_be_asked(dataclasses.replace(service, guarded=False))
    assert not can_be_asked(dataclasses.replace(service, run="serve"))  # it takes calls itself, by mutual TLS


def test_a_grpc_service_is_asked_for_a_method_that_nobody_has(service: Service) -> None:
    method = dataclasses.replace(service.operations[0], rpc=Rpc(client_streaming=False, server_streaming=False))
    rpc = dataclasses.replace(service, operations=(*service.operations, method))
    (question,) = questions_of(rpc)
    assert (question.method, question.by_grpc) == ("POST", True)
    assert Resolver(rpc).resolve(question.method, question.path) is None
    assert questions_of(rpc) != [question]
