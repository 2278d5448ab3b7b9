"""An explanation of the policy package, printed for people or as JSON values."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.text import Text

from inward.catalog.model import Mode
from inward.cli.output import print_line, printable, printable_lines, styled
from inward.cli.verdict import meaning

if TYPE_CHECKING:
    from inward.policy.authoring.explain import Examined, Explanation, Nearest, Term


def print_explanation(explanation: Explanation, mode: Mode, option: str) -> None:
    """Print why a call is decided as it is, and what would have to change. `option` names the system in commands."""
    print_line(_headline(explanation, mode))
    if explanation.problem:
        print_line(f"  {printable(explanation.problem)}")
    for examined in explanation.examined:
        _print_policy(examined, is_deciding=examined.policy in explanation.deciding)
    if explanation.nearest is not None:
        print_line(f"nearest: {printable(_nearest(explanation.nearest, explanation))}")
    forbids = [each for each in explanation.examined if each.policy.effect == "forbid" and not each.expired]
    if explanation.nearest is not None and not explanation.grant and forbids:
        named = ", ".join(f"`{each.policy.id}`" for each in forbids)
        print_line(f"no grant would allow it as long as this is forbidden by {named}")
    if explanation.grant:
        print_line(f"the smallest grant that would allow it, in {explanation.grant_file}:")
        print_line()
        for line in explanation.grant.splitlines():
            print_line(styled(f"    {line}", "green"))
        print_line()
        command = f"inward allow{option} {explanation.caller} '{explanation.operation}' --reason …"
        print_line(f"`{printable(command)}` writes it there")


def _headline(explanation: Explanation, mode: Mode) -> Text:
    text = Text(f"{explanation.caller} → {printable(explanation.operation)}: ")
    decision = explanation.decision
    if decision is None:
        return text.append("it depends on the request", style="yellow")
    if decision.allowed:
        return text.append("allowed", style="green")
    text.append("refused", style="red").append(f": {decision.reason.value}, {meaning(decision.reason)}")
    if mode is Mode.OBSERVE:
        text.append("; let through all the same, since this is in mode observe", style="yellow")
    return text


def _print_policy(examined: Examined, *, is_deciding: bool) -> None:
    policy = examined.policy
    line = Text(f"  {policy.effect} {policy.id} ({policy.place})", style="bold" if is_deciding else "")
    if examined.expired:
        line.append("  expired", style="red")
    elif policy.expires is not None:
        line.append(f"  until {until(policy.expires)}", style="dim")
    line.append("  decides this" if is_deciding else "", style="dim")
    print_line(line)
    print_line(styled(f"    {policy.reason}", "dim"))
    for term in examined.terms:
        _print_term(term)


def _print_term(term: Term) -> None:
    words = {True: ("holds", "green"), False: ("does not hold", "red"), None: ("depends", "yellow")}
    # A term of an `unless` is met when it is false.
    word, style = words[term.met]
    if term.kind == "unless" and term.met is not None:
        word = "is not so" if term.met else "is so"
    text = " ".join(printable_lines(term.text).split())
    line = Text(f"      {term.kind} {text}  ")
    line.append(word, style=style)
    if term.problem:
        line.append(f"  {printable(term.problem)}", style="dim")
    print_line(line)


def until(expires: datetime) -> str:
    """Return the last day of an expiry that is the end of a day, else the moment."""
    last = expires - timedelta(microseconds=1)
    whole_day = last.date() != expires.date()
    return f"{last:%Y-%m-%d}" if whole_day else f"{expires:%Y-%m-%d %H:%M:%S} UTC"


def _nearest(nearest: Nearest, explanation: Explanation) -> str:
    policy = f"`{nearest.policy.id}` ({nearest.policy.place})"
    if nearest.differs == "condition":
        return f"{policy} grants it under conditions that do not hold"
    if nearest.differs == "expired":
        return f"{policy} granted it until {until(nearest.policy.expires) if nearest.policy.expires else 'now'}"
    if nearest.differs == "operation":
        return f"{policy} grants {explanation.caller} another operation, {nearest.operation}"
    return f"{policy} grants it to another caller, {nearest.caller}"


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON values."""
    decision, nearest = explanation.decision, explanation.nearest
    return {
        "caller": explanation.caller,
        "operation": explanation.operation,
        "decision": None if decision is None else ("allow" if decision.allowed else "deny"),
        "reason": None if decision is None else decision.reason.value,
        "meaning": None if decision is None else meaning(decision.reason),
        "policies": [
            {
                "id": examined.policy.id,
                "effect": examined.policy.effect,
                "file": examined.policy.place.file,
                "line": examined.policy.place.line,
                "reason": examined.policy.reason,
                "expired": examined.expired,
                "decides": examined.policy in explanation.deciding,
                "terms": [
                    {"kind": term.kind, "text": term.text, "met": term.met, "problem": term.problem or None}
                    for term in examined.terms
                ],
            }
            for examined in explanation.examined
        ],
        "nearest": nearest
        and {
            "differs": nearest.differs,
            "policy": nearest.policy.id,
            "file": nearest.policy.place.file,
            "line": nearest.policy.place.line,
            "caller": nearest.caller,
            "operation": nearest.operation,
        },
        "problem": explanation.problem or None,
        "grant": explanation.grant or None,
        "grant_file": explanation.grant_file or None,
    }
