from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.control.attack.server import serving
from tests.unit.control.attack.test_intruder import Recorded

from inward.control.attack.attempt import Attempt, Sent, Verdict
from inward.control.attack.forging import Forger
from inward.control.attack.tries.connections import connections, egresses, listeners

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.control.attack.conftest import MakeIntruder


def tried(attempt: Attempt) -> Verdict:
    assert attempt.send is not None
    return attempt.judge(attempt.send(), Recorded())


def test_an_ingress_that_asks_for_no_certificate_is_a_breach(make_intruder: MakeIntruder, tmp_path: Path) -> None:
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(Forger("company.test").signed("spiffe://company.test/orders"))
    with serving(certificate=certificate) as address:
        intruder = make_intruder(listen=str(address))
        found = {each.what: tried(each) for each in connections(intruder)}
    assert {name for name, each in found.items() if each.outcome == "breached"} >= {
        "TLS without a certificate",
        "a certificate that signs itself: office",
        "an authority of its own, of the same trust domain: office",
        "an authority of another trust domain: office",
        "an identity of another trust domain: office",
        "TLS 1.2",
    }
    assert found["plain HTTP"].outcome == "untried"  # nothing says that it was noticed


def test_an_ingress_without_tls_is_a_breach(make_intruder: MakeIntruder) -> None:
    with serving() as address:
        found = {each.what: tried(each) for each in connections(make_intruder(listen=str(address)))}
    assert {name for name, each in found.items() if each.outcome == "breached"} == {"plain HTTP"}


def test_a_handshake_is_held_where_the_record_has_it(make_intruder: MakeIntruder) -> None:
    attempt = next(connections(make_intruder()))
    assert attempt.callee == "orders"
    held = attempt.judge(Sent(port=7, said="closed"), Recorded(reason="bad_identity"))
    assert (held.outcome, held.reference) == ("held", "r")
    assert attempt.judge(Sent(port=8, said="closed"), Recorded()).outcome == "untried"
    assert attempt.judge(Sent(said="refused"), Recorded()).outcome == "untried"  # nothing listens


def test_a_port_past_an_envoy_is_open(make_intruder: MakeIntruder) -> None:
    with serving() as address:
        found = [each for each in listeners(make_intruder(app=str(address))) if str(address) in each.what]
        assert [(tried(each).outcome, tried(each).why) for each in found] == [
            ("open", "it answered 200, past its Envoy: its `run` line has a port")
        ]


def test_a_folder_that_others_can_enter_is_a_breach(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder()
    folder = intruder.layout.service("orders").path
    folder.mkdir(parents=True, mode=0o700)
    looks = [each for each in listeners(intruder) if "another account" in each.what]
    assert [tried(each).outcome for each in looks] == ["held", "held"]
    folder.chmod(0o750)
    assert [tried(each).outcome for each in looks] == ["breached", "held"]
    assert "(mode 750)" in tried(looks[0]).why


@pytest.mark.parametrize(
    ("recorded", "outcome"),
    [
        ({"reason": "bad_credential", "caller": None}, "held"),
        ({"reason": "unknown_service", "caller": "orders"}, "breached"),  # the credential was taken
        ({"reason": "granted", "decision": "allow", "carried_out": "allow", "caller": "orders"}, "breached"),
        ({"id": "another"}, "breached"),
    ],
)
def test_an_egress_of_another_must_not_know_whose_call_it_is(
    make_intruder: MakeIntruder, recorded: dict[str, str], outcome: str
) -> None:
    borrowed = [each for each in egresses(make_intruder()) if each.target == "orders"]
    assert [each.what for each in borrowed] == [
        "its egress, without a credential",
        "its egress, with a wrong one",
        "its egress, with its own",
    ]
    assert borrowed[0].judge(Sent(407, None, "r"), Recorded(**recorded)).outcome == outcome


def test_an_open_proxy_is_a_breach(make_intruder: MakeIntruder) -> None:
    own = [each for each in egresses(make_intruder()) if each.target == "till"]
    assert "GET http://169.254.169.254/" in {each.what for each in own}
    assert own[0].judge(Sent(404, None, "r"), Recorded(reason="unknown_service")).outcome == "held"
    assert own[0].judge(Sent(200, None, None), Recorded()).outcome == "breached"
