"""The end user of a call, as a handler asks for it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.contract.guard.people import DESCRIPTION, FILES, KEY, write
from tests.tokens import ISSUER, Signer, claims, key_set

from inward.guard.bodies.answer import Answer
from inward.guard.bundle import FollowedBundle
from inward.guard.core import Inbound
from inward.guard.user import ClaimedUser
from inward.identity.user_token import UserTokenError, UserTokens
from inward.record.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from inward.guard.core import Admission, Call, Core

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
SIGNER = Signer()
TOKEN = SIGNER.token(claims(NOW, aud="people.test"))
USERS = f"users: {{issuer: '{ISSUER}', keys: keys/users.json}}\n"


@pytest.fixture
def core(tmp_path: Path) -> Core:
    files = {"inward.yaml": FILES["inward.yaml"] + USERS, "keys/users.json": key_set(SIGNER).decode()}
    write(tmp_path, FILES | files | {"people.json": json.dumps(DESCRIPTION)})
    return FollowedBundle(tmp_path / "bundle", "people", KEY).follow()


def call(core: Core, *tokens: str) -> Call:
    return admit(core, *tokens).call


def admit(core: Core, *tokens: str, caller: str = "till") -> Admission:
    inbound = Inbound(
        "GET",
        "/people/1",
        "",
        (f"URI=spiffe://people.test/{caller}",),
        private=True,
        reference="r",
        passed=tuple(("txn-token", token) for token in tokens),
    )
    return core.admit(inbound, NOW)


def test_a_token_of_the_systems_issuer_proves_the_user(core: Core) -> None:
    user = call(core, TOKEN).user
    assert user is not None
    assert (user.subject, user.transaction) == ("ada", "t-1")


def test_no_token_two_tokens_and_a_wrong_one_prove_nobody(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inward.guard")
    other = Signer().token(claims(NOW, aud="people.test"))
    assert [call(core, *tokens).user for tokens in ((), (TOKEN, TOKEN), (other,), ("no token",))] == [None] * 4
    assert other not in caplog.text
    assert "the end user of a call is not known: a token whose signature is not the issuer's" in caplog.text


def test_where_no_issuer_is_named_nobody_is_proven() -> None:
    assert ClaimedUser(TOKEN, None, NOW).proven() is None


def test_it_is_looked_at_once_and_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    verify = UserTokens.verify

    def counted(tokens: UserTokens, token: str, now: datetime) -> object:
        asked.append(token)
        return verify(tokens, token, now)

    monkeypatch.setattr(UserTokens, "verify", counted)
    claimed = ClaimedUser(TOKEN, UserTokens(ISSUER, "people.test", key_set(SIGNER)), NOW)
    assert asked == []
    assert claimed.proven() is claimed.proven()
    assert asked == [TOKEN]


def test_no_text_of_a_call_has_the_token(core: Core) -> None:
    found = call(core, TOKEN)
    assert TOKEN not in f"{found!r} {found.claimed!r} {found.onward!r}"


def test_whom_a_token_proves_is_recorded_with_whatever_else_there_is_to_say(core: Core) -> None:
    shown = Answer(200, [("content-type", "application/json")], b"{}")
    for tokens, user in (((TOKEN,), "ada"), ((), None)):
        admission = admit(core, *tokens)
        assert (admission.verdict or Verdict()).user == user
        assert (admission.show("GET", shown)[1] or Verdict()).user == user
        assert admission.unviewable_answer(200)[1].user == user
        refused = admit(core, *tokens, caller="ghost")
        assert refused.refusal()[1] == Verdict(reason="unknown_caller", user=user)


def test_a_token_is_looked_at_once_and_not_before_anybody_asks(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def verify(_: UserTokens, token: str, now: datetime) -> None:
        looked.append(token)
        raise UserTokenError(f"at {now}")

    monkeypatch.setattr(UserTokens, "verify", verify)
    admission = admit(core, TOKEN)
    assert looked == []
    assert [admission.call.user, admission.call.user, admission.verdict] == [None] * 3
    assert looked == [TOKEN]
