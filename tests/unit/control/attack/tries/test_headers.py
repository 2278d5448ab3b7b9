from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.control.attack.test_intruder import OBSERVED, Recorded

from inward.control.attack.attempt import Sent
from inward.control.attack.tries.headers import forged_tokens, identities, users
from inward.identity.user_token import UserTokenError

if TYPE_CHECKING:
    from tests.unit.control.attack.conftest import MakeIntruder


def test_no_forged_token_is_believed(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder()
    tokens = intruder.catalog.users
    assert tokens is not None
    said = {}
    for what, token in forged_tokens(intruder).items():
        with pytest.raises(UserTokenError) as refused:
            tokens.verify(token, intruder.now)
        said[what] = refused.value.message
    # it is right but for the signature: it has the issuer's key, algorithm and type
    assert "signature" in said["a token signed by somebody else"]


def test_being_taken_for_a_user_is_a_breach(make_intruder: MakeIntruder) -> None:
    attempts = list(users(make_intruder()))
    assert {each.target for each in attempts} == {"orders:getOrder"}
    back = Sent(200, None, "r")
    allowed = {"decision": "allow", "carried_out": "allow", "reason": "granted"}
    assert attempts[0].judge(back, Recorded(**allowed)).outcome == "held"
    assert attempts[0].judge(back, Recorded(**allowed, user="ada")).outcome == "breached"
    assert attempts[0].judge(back, Recorded(id="x")).outcome == "untried"


def test_a_claim_is_judged_by_whom_the_record_has(make_intruder: MakeIntruder) -> None:
    attempts = {each.what: each for each in identities(make_intruder())}
    claim = attempts["x-forwarded-client-cert: office"]
    assert claim.target == "orders:getKeys"
    assert claim.judge(Sent(403, "no_grant", "r"), Recorded()).outcome == "held"
    assert claim.judge(Sent(403, "no_grant", "r"), Recorded(caller="office")).outcome == "breached"
    observed = claim.judge(Sent(200, None, "r"), Recorded(**OBSERVED))
    assert (observed.outcome, observed.why.partition(";")[0]) == ("held", "recorded as till")


def test_a_reference_of_its_choice_must_not_be_recorded(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder()
    chosen = next(each for each in identities(intruder) if each.what == "a reference of its choice")
    assert chosen.judge(Sent(403, "no_grant", "r"), Recorded()).outcome == "held"
