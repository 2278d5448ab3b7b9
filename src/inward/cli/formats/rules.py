"""What each kind of entry means: the rules that code scanning shows beside a result, and their help.

The ids are stable: a rule that somebody dismissed, or a filter that somebody wrote, must still mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.cli.formats.entries import MISTAKE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.cli.formats.entries import Level


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of entry: `name` in a few words, what it means, what to do, and the level that it mostly has."""

    name: str
    meaning: str
    help: str
    level: Level


RULES: Mapping[str, Rule] = {
    MISTAKE: Rule(
        "Mistake in the system folder",
        "The system folder cannot be enforced as it is.",
        "Mend it where it is told. A running system keeps the last policy without a mistake; a new one does not start.",
        "error",
    ),
    "observed": Rule(
        "Nothing is refused",
        "A service or an operation is in mode `observe`: calls that no grant allows are recorded, and let through.",
        "Look at what would be refused with `inward calls --denied`, grant what is meant, then set `mode: enforce`.",
        "warning",
    ),
    "open_port": Rule(
        "Reachable past its Envoy",
        "A service listens on a loopback port: every process of the machine can call it, and no policy is asked.",
        "Use `{socket}` in `run` if the program can listen on a Unix socket.",
        "warning",
    ),
    "undocumented": Rule(
        "No API description",
        "A service takes calls and has no API description, so that no operation of it can be granted.",
        "Give it an `api`.",
        "warning",
    ),
    "expired": Rule(
        "Expired policy",
        "A policy no longer holds: what it granted is refused, or what it forbade may be allowed.",
        "Take it out, or set a later `@expires`.",
        "warning",
    ),
    "expires_soon": Rule(
        "Policy that expires soon",
        "A policy holds for less than thirty days more.",
        "Set a later `@expires`, or let it go.",
        "note",
    ),
    "wide_open": Rule(
        "Grant that is wide open",
        "A grant names no caller, or no operation: it holds for those to come too, which nobody has reviewed.",
        "Name the callers and the operations.",
        "warning",
    ),
    "not_granted": Rule(
        "Operation that nobody may call",
        "No grant allows an operation: every call of it is refused.",
        "Grant it with `inward allow`, or leave it: it may be meant.",
        "note",
    ),
    "slow_path": Rule(
        "Condition on the slow path",
        "Envoy cannot decide a condition by itself and asks another process, which costs every call of the operation.",
        "Write the condition with the constructs that Envoy can decide: `inward check --slow-path` names the others.",
        "note",
    ),
    "unguarded": Rule(
        "Program without a guard",
        "A service has `guard: true`, and its program answers a request without an identity.",
        "Put `Guard` around everything that the program serves, as its last line.",
        "warning",
    ),
    "not_asked": Rule(
        "Program that could not be asked",
        "A service has `guard: true`, and whether its program is guarded is not known: it does not start alone.",
        "Mend what keeps it from listening. `inward up` hands no calls to it before it was asked.",
        "warning",
    ),
    "undocumented_route": Rule(
        "Undocumented route",
        "A guarded program serves what no API description has. Mode enforce refuses it, mode observe lets it through.",
        "Describe it, or take it out.",
        "note",
    ),
    "unknown_routes": Rule(
        "Routes that are not known",
        "The guard of a program does not know its framework, so that nothing is told of undocumented routes.",
        "Nothing needs to be done: what is undocumented is refused in mode enforce all the same.",
        "note",
    ),
    "test_failed": Rule(
        "Failed test of the policies",
        "A call is not decided as a test in `policies/*.test.yaml` expects.",
        "Mend the policy, or what the test expects. `inward policy test` shows every case.",
        "warning",
    ),
    "uncalled_objects": Rule(
        "Grant on objects without a call",
        "A grant says what callers may do to objects, and none of them may call the operation: it takes no effect.",
        "Grant the call too (`resource == Service::…`), or take the grant out.",
        "note",
    ),
    "unserved_data": Rule(
        "Data class that nothing is marked with",
        "A data class is declared, and no API description says where it is served or sent.",
        "Mark its fields with `x-inward-data`, in the description or by an overlay, or take the class out.",
        "note",
    ),
    "undisclosed_data": Rule(
        "Caller that is not shown all of an answer",
        "A caller may call an operation that serves a data class which is not disclosed to it.",
        "Let a guard in the service withhold it, or let its owner disclose it: `inward data` says what is served.",
        "note",
    ),
    "unviewed_rpc": Rule(
        "gRPC method whose data nobody withholds",
        "A gRPC method serves or takes a data class that is not disclosed to all, and its service has no guard: its "
        "Envoy cannot look into the messages, and refuses such calls.",
        "Put a guard into the service, and say `guard: true` in inward.yaml.",
        "warning",
    ),
    "unfollowed_disclosure": Rule(
        "Disclosure under a condition that Envoy cannot follow",
        "A class is disclosed under a condition on the time that Envoy cannot follow when it views answers, so that it "
        "is withheld.",
        "Compare `context.time` with constants only, use @expires, or put a guard into the service.",
        "note",
    ),
    "unreceivable_data": Rule(
        "Request with data that its service may not receive",
        "An operation takes a data class that is not disclosed to the service whose operation it is.",
        "Let the owner of the class disclose it to the service, or take the field out: a request that holds it is "
        "refused.",
        "warning",
    ),
    "undescribed_data": Rule(
        "Answers without a schema",
        "A service declares data in some answers and does not say what others hold, so that nothing is withheld there.",
        "Describe the answers by a schema.",
        "note",
    ),
    "undeclared_data": Rule(
        "Undeclared data in answers",
        "Sampled answers hold what looks like personal data or a secret, in a field that no API description declares.",
        "Declare it with `x-inward-data`, take it out of the answers, or mark the field `x-inward-data: none` if it is "
        "none. `inward data --undeclared` shows all of it.",
        "warning",
    ),
    "guardrail_refuted": Rule(
        "Guardrail that is refuted",
        "The owners' policies allow a call that a guardrail forbids. It is refused, by the guardrail alone.",
        "Narrow the grant that lets it through, or the guardrail: `inward policy prove` shows both.",
        "warning",
    ),
    "guardrail_unknown": Rule(
        "Guardrail that is not proven",
        "Whether some grant allows what a guardrail forbids is not known, because of a construct or for want of time.",
        "Write the condition more simply: `inward policy prove` names what stopped the proof.",
        "warning",
    ),
    "never_applies": Rule(
        "Policy that never applies",
        "No call is in the scope of a policy, or its conditions hold for none.",
        "Take it out, or mend its scope or its conditions.",
        "note",
    ),
    "redundant": Rule(
        "Policy that changes nothing",
        "Other grants allow whatever a grant allows; or a forbid forbids nothing that is granted.",
        "Take it out.",
        "note",
    ),
    "overruled": Rule(
        "Grant that is refused by others",
        "Everything that a grant allows is refused by a forbid, or by a policy that fails.",
        "Take the grant out, or narrow what refuses it.",
        "note",
    ),
    "can_fail": Rule(
        "Policy that can fail",
        "A condition fails to evaluate for some call, by an overflow for instance, and the call is refused.",
        "Test both bounds before you compute, as in `x > -100 && x < 100 && x * 2 < 100`.",
        "warning",
    ),
    "not_known": Rule(
        "Not known of a policy",
        "Whether a policy is needed, or can fail, is not known, because of a construct or for want of time.",
        "Write the condition more simply.",
        "note",
    ),
}
