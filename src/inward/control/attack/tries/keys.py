"""The key of its own identity: what its process was given, and whether that is enough to take the identity away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.control.attack.attempt import Attempt, Found, Sent, Verdict, not_sent
from inward.control.attack.processes import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.control.attack.intruder import Intruder

_KEY = "PRIVATE KEY-----"  # of PEM (RFC 7468)
_NAMED = ("INWARD_SVID_KEY", "INWARD_CA_PASSPHRASE")


def own_key(intruder: Intruder) -> Iterator[Attempt]:
    """Yield a look at the environment of the service's own process."""
    what = "what its process was given"
    service = intruder.catalog.services.get(intruder.service)
    if service is not None and service.serves_tls:
        why = Verdict("untried", "`guard: tls`: its program holds the key itself, and whoever takes it over has it")
        yield not_sent("key", intruder.service, what, why)
        return

    def send() -> Sent:
        given = environment(intruder.layout, intruder.service)
        return Sent(said="its process cannot be looked at") if given is None else Sent(shown=tuple(keys_in(given)))

    def judge(sent: Sent, _found: Found) -> Verdict:
        if sent.said:
            return Verdict("untried", sent.said)
        if sent.shown:
            return Verdict("breached", f"there is a key in {', '.join(sent.shown)}")
        return Verdict("held", "there is none: its Envoy alone has the key")

    yield Attempt("key", intruder.service, what, judge, send)


def keys_in(given: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that hold a private key of Inward's, or name one."""
    for name, value in given.items():
        if name in _NAMED or (name.startswith("INWARD_") and _KEY in value):
            yield name
