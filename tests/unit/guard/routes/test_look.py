"""What is held against the description, what is told of it, and when a service must not start."""

from __future__ import annotations

import dataclasses
import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.frameworks import ASGI, WSGI, made
from tests.contract.guard.people import followed

from inward.catalog.model import Mode
from inward.guard.bodies.answer import Answer
from inward.guard.bundle import GuardError
from inward.guard.routes.look import look_at, require_closed, tell, undocumented
from inward.guard.routes.report import MOST_TOLD
from inward.guard.routes.route import WEBSOCKET, Route

if TYPE_CHECKING:
    from inward.catalog.model import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return followed(tmp_path_factory.mktemp("people")).follow().service


def around(app: Any) -> Any:
    return SimpleNamespace(app=app)


@pytest.mark.parametrize("framework", [*ASGI, *WSGI])
def test_routes_that_nobody_described_are_found(framework: str, service: Service) -> None:
    look = look_at(around(made(framework)), service)
    assert look.routes is not None
    found = {(route.path, route.method) for route in look.undocumented if not route.path.startswith("/static")}
    hidden = {("/hidden/{answer}", method) for method in ("GET", "POST")}
    posted = {(f"/{path}/{{answer}}", "POST") for path in ("watched", "plain")}
    assert found == ({("/hidden/{answer}", None)} if framework.startswith("django") else hidden | posted)


def test_variables_may_have_any_name_and_web_sockets_are_never_described(service: Service) -> None:
    described = [Route("/people/{who}", "GET"), Route("/people/{x}", None)]
    not_so = [Route("/people/{who}", WEBSOCKET), Route("/people", None), Route("/people/{a}/{b}", "GET")]
    assert undocumented([*described, *not_so], service) == tuple(not_so)


def test_what_is_asked_is_all_that_is_served_and_all_that_is_described(service: Service) -> None:
    asked = look_at(around(made("starlette")), service).asked
    assert {Route("/hidden/{answer}", "POST"), Route("/people/{answer}", "HEAD")} <= set(asked)
    assert len(asked) == len(set(asked))
    assert len(look_at(around(object()), service).asked) == len(service.operations)


def test_what_is_undocumented_is_told(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "inward.guard"):
        tell(look_at(around(made("flask")), service))
    assert "people serves `GET /hidden/{answer}`, which no API description has" in caplog.text


def test_that_nothing_was_looked_at_is_told(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "inward.guard"):
        tell(look_at(around(object()), service))
    assert "not known which routes people serves" in caplog.text
    with caplog.at_level(logging.WARNING, "inward.guard"):
        tell(look_at(around(SimpleNamespace(routes=[])), service))
    assert f"no route of people was found, and {len(service.operations)} operations are documented" in caplog.text


def test_a_framework_that_cannot_be_read_keeps_nobody_from_starting(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    broken: Any = SimpleNamespace(url_map=SimpleNamespace(iter_rules=lambda: 1 / 0))
    with caplog.at_level(logging.WARNING, "inward.guard"):
        assert look_at(around(broken), service).routes is None
    assert "cannot be read" in caplog.text


def test_a_service_that_enforces_does_not_start_where_something_is_open(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    look = look_at(around(made("starlette")), service)
    require_closed(look, [])
    open_ = [Route(f"/{number}", "GET") for number in range(7)]
    with pytest.raises(GuardError, match=r"people serves `GET /0`, .*`GET /4` and 2 more past its guard"):
        require_closed(look, open_)
    with pytest.raises(GuardError, match=r"`\* /metrics/\{path\}`"):
        require_closed(dataclasses.replace(look, beside=(Route("/metrics/{path}", None),)), [])
    operations = tuple(dataclasses.replace(each, mode=Mode.OBSERVE) for each in service.operations)
    one_enforces = dataclasses.replace(service, mode=Mode.OBSERVE)
    with pytest.raises(GuardError):
        require_closed(dataclasses.replace(look, service=one_enforces), open_)
    observes = dataclasses.replace(one_enforces, operations=operations)
    with caplog.at_level(logging.WARNING, "inward.guard"):
        require_closed(dataclasses.replace(look, service=observes), open_)
    assert "past its guard" in caplog.text


def test_a_report_stands_in_the_refusal_and_is_bounded(service: Service) -> None:
    look = look_at(around(made("starlette")), service)
    many = dataclasses.replace(look, undocumented=tuple(Route(f"/{number}", "GET") for number in range(MOST_TOLD + 1)))
    answer = many.answered(Answer(403, [("content-type", "x"), ("content-length", "9")], b'{"code":"bad_identity"}'))
    assert answer.headers == [("content-type", "x"), ("content-length", str(len(answer.body)))]
    told = json.loads(answer.body)
    assert told["code"] == "bad_identity"
    assert told["report"]["routes"] == len(look.routes or ())
    assert len(told["report"]["undocumented"]) == MOST_TOLD
