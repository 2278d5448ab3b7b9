"""The filter that views answers fails, in every way that could be thought of: nothing gets through because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.behind import Behind
from tests.contract.guard.people import ANSWERS, SECRET, Scripted, handled
from tests.contract.guard.test_adapters import BODY, ask, code

from inward.envoy.access_log import parse_line
from inward.envoy.views import filters, program
from inward.envoy.views import source as sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REAL_SOURCE, REAL_PROGRAM = sources.source, program.program_of
CALLED = "  local ok, problem = pcall(what, handle, ...)\n"
UNCAUGHT = "  local ok, problem = true, nil; what(handle, ...)\n"


def planted(*changes: tuple[str, str]) -> Callable[[str], str]:
    """Return the source of the filter with some of its text replaced."""

    def source(token_key: str) -> str:
        text = REAL_SOURCE(token_key)
        for old, new in changes:
            assert text.count(old) == 1, (old, text.count(old))
            text = text.replace(old, new)
        return text

    return source


def begin(line: str) -> tuple[str, str]:
    return line, f"{line}\n  error('planted')"


ON_REQUEST, ON_RESPONSE = "local function on_request(handle)", "local function on_response(handle, number)"
DOCUMENT, GIVE = "local function document(s, place, view)", "local function give(handle, headers, length)"
AFTER_BODY = begin('  local seen = {caller = caller or "", cut = {}, hmac = SETTINGS.hmac}')
ANSWERS_FAIL = {
    "on_response": planted(begin(ON_RESPONSE)),
    "on_response, not caught": planted(begin(ON_RESPONSE), (CALLED, UNCAUGHT)),
    "before it is caught": planted(begin("function envoy_on_response(handle)")),
    "after the body": planted(AFTER_BODY),
    "after the body, not caught": planted(AFTER_BODY, (CALLED, UNCAUGHT)),
    "the view": planted(begin(DOCUMENT)),
    "no memory": planted((DOCUMENT, f"{DOCUMENT}\n  string.rep('x', 2 ^ 31 - 1)")),
    "at the end": planted(begin(GIVE)),
    "at the end, not caught": planted(begin(GIVE), (CALLED, UNCAUGHT)),
    "no function": planted(("function envoy_on_response(handle)", "function nobody_calls(handle)")),
    "a value of another type": planted((DOCUMENT, f"{DOCUMENT}\n  if true then return {{}} end")),
    "nothing in the file": lambda _: "-- empty",
}


def behind(
    monkeypatch: pytest.MonkeyPatch, folder: Path, source: Any = REAL_SOURCE, program_of: Any = REAL_PROGRAM
) -> Behind:
    monkeypatch.setattr(filters, "source", source)
    monkeypatch.setattr(filters, "program_of", program_of)
    return Behind(folder)


def refused(service: Behind, target: str, caller: str = "till", **options: Any) -> tuple[int, object]:
    got = ask(service, target, caller, **options)  # type: ignore[arg-type] # it can be asked like the others
    assert SECRET.encode() not in got.body
    assert "4111" not in got.body.decode()
    return got.status, code(got)


@pytest.mark.parametrize("where", ANSWERS_FAIL)
def test_an_answer_is_refused(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = behind(monkeypatch, tmp_path, ANSWERS_FAIL[where])
    try:
        for status, chunks in ((200, ()), (200, (BODY[:9], BODY[9:])), (404, ())):
            ANSWERS["scripted"] = Scripted(BODY, status=status, chunks=chunks)
            # what fails when it is known that there is no view is an error without its page
            assert refused(service, "/people/scripted") in {(502, "unviewable"), (404, None)}
        assert ask(service, "/plain/person").body == BODY  # type: ignore[arg-type] # as above
    finally:
        service.close()


@pytest.mark.parametrize(
    "source",
    [
        planted(begin(ON_REQUEST)),
        planted(begin(ON_REQUEST), (CALLED, UNCAUGHT)),
        planted(begin("function envoy_on_request(handle)")),
        planted(("function envoy_on_request(handle)", "function nobody_calls(handle)")),
    ],
)
def test_a_request_is_refused_and_so_is_every_answer(
    source: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = behind(monkeypatch, tmp_path, source)
    try:
        assert refused(service, "/people/person") == (502, "unviewable")
        assert refused(service, "/people/person", "office") == (502, "unviewable")
        handled.calls.clear()
        assert refused(service, "/taken/person", "office", method="POST", body=(BODY,)) == (503, "slow_path_down")
        assert handled.calls == []
    finally:
        service.close()


@pytest.mark.parametrize("text", ["", "{}", "[", '{"sets":[{}],"prefix":"spiffe://people.test/"}', "null"])
def test_without_a_program_everything_is_refused(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = behind(monkeypatch, tmp_path, program_of=lambda *_: (text, text))
    try:
        assert refused(service, "/people/person") == (502, "unviewable")
        assert refused(service, "/taken/person", "office", method="POST", body=(BODY,)) == (503, "slow_path_down")
    finally:
        service.close()


def test_what_failed_is_recorded_as_refused_and_not_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = planted((DOCUMENT, f"{DOCUMENT}\n  error(s)"), begin("local function refuse(handle, set, status)"))
    service = behind(monkeypatch, tmp_path, source)
    try:
        assert refused(service, "/people/person") == (502, "unviewable")
        (line,) = service.log_path.read_bytes().splitlines()
        call = parse_line(line, "people", service.policy.catalog, "log:1")
        assert call is not None
        assert (call.decision, call.carried_out, call.reason, call.enforcer) == (
            "deny",
            "deny",
            "unviewable",
            "ingress",
        )
        assert "a view failed" in service.said
        assert SECRET not in service.said
    finally:
        service.close()


def test_without_a_key_there_are_no_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    service = behind(monkeypatch, tmp_path, lambda _: REAL_SOURCE(str(tmp_path / "nothing")))
    try:
        got = ask(service, "/people/person", "till")  # type: ignore[arg-type] # as above
        assert (got.status, b"card" in got.body, b"****0101" in got.body) == (200, False, True)
    finally:
        service.close()
