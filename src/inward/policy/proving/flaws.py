"""What can be wrong with one policy, as a value and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from inward.policy.authoring.wording import clauses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inward.errors import Place
    from inward.policy.model import Policy
    from inward.policy.proving.witness import Witness

Kind = Literal["never_applies", "redundant", "overruled", "can_fail", "unknown"]
MOST_NAMES = 5  # of policies in one text
MOST_CHARACTERS = 120  # of a clause in a text


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one policy: in words (lower case, no full stop), and what to do about it.

    `others` are the policies that make up for it, or overrule it; `witness` is a request for which it fails;
    `constructs` are what kept something from being known.
    """

    kind: Kind
    policy: Policy
    what: str
    hint: str
    others: tuple[Policy, ...] = ()
    witness: Witness | None = None
    constructs: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        """Where the policy stands."""
        return self.policy.place


def out_of_scope(policy: Policy, *, callers: bool, targets: bool) -> Flaw:
    """Say that no cell is in the scope: whether any service is in its principal, anything in its other parts."""
    if not callers:
        why = "no service is in its principal"
    elif not targets:
        why = "no operation or data class is in its action and its resource"
    else:
        why = "no operation or data class that its callers could call is in its scope"
    return Flaw("never_applies", policy, f"`{policy.id}` never applies: {why}", "take it out, or mend its scope")


def impossible(policy: Policy, clause: int | None, *, alone: bool) -> Flaw:
    """Say that its conditions cannot hold: the clause of that number cannot, alone or after the ones before it."""
    if clause is None:
        why = "its conditions cannot hold"
    else:
        which = f"`{clause_text(policy, clause)}`"
        why = f"{which} cannot hold" if alone else f"{which} cannot hold where the clauses before it do"
    return Flaw("never_applies", policy, f"`{policy.id}` never applies: {why}", "take it out, or mend its conditions")


def redundant_grant(policy: Policy, others: Sequence[Policy]) -> Flaw:
    """Say that other grants allow whatever it allows."""
    what = f"`{policy.id}` grants nothing that {named(others)} {_do(others, 'does', 'do')} not grant"
    return Flaw("redundant", policy, what, "take it out", tuple(others))


def redundant_forbid(policy: Policy) -> Flaw:
    """Say that nothing that it forbids is granted."""
    what = f"`{policy.id}` forbids nothing that is granted"
    hint = "take it out, or keep it as a guardrail, in guardrails.cedar"
    return Flaw("redundant", policy, what, hint)


def overruled(policy: Policy, others: Sequence[Policy]) -> Flaw:
    """Say that whatever it grants is refused by others."""
    what = f"`{policy.id}` grants nothing: {named(others)} {_do(others, 'refuses', 'refuse')} all of it"
    return Flaw("overruled", policy, what, "take one of them out", tuple(others))


def failing(policy: Policy, witness: Witness) -> Flaw:
    """Say that it fails to evaluate for a request."""
    what = f"`{policy.id}` can fail to evaluate, which refuses the call: {witness}"
    return Flaw(
        "can_fail",
        policy,
        what,
        "test both bounds before you compute, as in `x > -100 && x < 100 && x * 2 < 100`",
        witness=witness,
    )


def unknown(policy: Policy, question: str, constructs: Iterable[str]) -> Flaw:
    """Say that a question about it has no answer, and what kept it from having one."""
    listed = tuple(sorted(constructs))
    what = f"whether `{policy.id}` {question} is not known: {', '.join(listed)}"
    return Flaw("unknown", policy, what, "", constructs=listed)


def named(policies: Sequence[Policy]) -> str:
    """Return a few policies with their places, and how many more there are."""
    shown = [f"`{policy.id}` ({policy.place})" for policy in policies[:MOST_NAMES]]
    if len(policies) > MOST_NAMES:
        shown.append(f"{len(policies) - MOST_NAMES} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def clause_text(policy: Policy, number: int) -> str:
    """Return the clause of that number, from 0, as it is written, on one line and not too long."""
    clause = clauses_of(policy)[number]
    text = " ".join((" && " if clause.kind == "when" else " || ").join(clause.terms).split())
    short = text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"
    return f"{clause.kind} {{ {short} }}"


def _do(policies: Sequence[Policy], one: str, several: str) -> str:
    return one if len(policies) == 1 else several
