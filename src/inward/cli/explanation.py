"""An explanation of the policy package, printed for people or as JSON values."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.text import Text

from inward.catalog.model import Mode
from inward.cli.output import print_line, printable, printable_lines, styled
from inward.cli.verdict import meaning
from inward.policy.resources.model import Objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.cli.output import Style
    from inward.policy.authoring.explain import Examined, Explanation, Nearest, Term
    from inward.policy.authoring.targets import Standing, TargetExplanation

_TO_OBJECTS: Mapping[Standing, tuple[str, Style]] = {
    "always": ("allowed, whatever it holds", "green"),
    "depends": ("allowed or not, as it is", "yellow"),
    "never": ("refused", "red"),
}
_OF_DATA: Mapping[Standing, tuple[str, Style]] = {
    "always": ("disclosed", "green"),
    "depends": ("disclosed or not, as the time is", "yellow"),
    "never": ("not disclosed", "red"),
}


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
        _print_grant(explanation.grant, explanation.grant_file)
        command = f"inward allow{option} {explanation.caller} '{explanation.operation}' --reason …"
        print_line(f"`{printable(command)}` writes it there")


def print_target(explanation: TargetExplanation, option: str, *, suggest: bool) -> None:
    """Print what is granted on objects, or of a data class; where nothing is and it is to `suggest`, what would."""
    target, caller = explanation.target, explanation.caller
    said, style = (_TO_OBJECTS if isinstance(target, Objects) else _OF_DATA)[explanation.standing]
    arrow = f"{caller} → {target.name}: " if isinstance(target, Objects) else f"{target.name} → {caller}: "
    what = "policy about such objects" if isinstance(target, Objects) else "policy discloses it"
    none = "" if explanation.examined else f", no {what}"
    print_line(Text(printable(arrow)).append(said + none, style=style))
    for examined in explanation.examined:
        _print_policy(examined, is_deciding=False)
    if not suggest or explanation.standing == "always":
        return
    if explanation.standing == "depends":
        if isinstance(target, Objects):
            print_line("the terms that depend are about the object, or about a query that is not recorded")
    elif not explanation.grant:
        print_line(_barred(explanation))
    elif isinstance(target, Objects):
        _print_grant(explanation.grant, explanation.grant_file)
        attributes = ", ".join(map(str, target.type.attributes))
        print_line(printable(f"`when {{ … }}` narrows it by what the type declares: {attributes}"))
    else:
        _print_grant(explanation.grant, explanation.grant_file)
        command = f"inward policy template{option} disclose caller={caller} class={target.name} reason=… --write"
        print_line(f"only {explanation.owner} grants that; `{printable(command)}` writes it there")


def _barred(explanation: TargetExplanation) -> str:
    forbids = [each.policy for each in explanation.examined if each.policy.effect == "forbid" and not each.expired]
    if forbids:
        return f"no grant would allow it as long as {', '.join(f'`{each.id}`' for each in forbids)} forbids it"
    return f"{explanation.owner} grants it, and owns no service in whose file it could"


def _print_grant(text: str, file: str) -> None:
    print_line(f"the smallest grant that would allow it, in {file}:")
    print_line()
    for line in text.splitlines():
        print_line(styled(f"    {line}", "green"))
    print_line()


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
            {**_policy_as_json(examined), "decides": examined.policy in explanation.deciding}
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


def target_as_json(explanation: TargetExplanation) -> dict[str, Any]:
    """Return what is granted on objects, or of a data class, as JSON values."""
    target = explanation.target
    about: dict[str, Any] = (
        {"operation": target.operation.id, "type": target.type.name}
        if isinstance(target, Objects)
        else {"class": target.name}
    )
    return {
        "caller": explanation.caller,
        **about,
        "owner": explanation.owner,
        "standing": explanation.standing,
        "policies": [_policy_as_json(examined) for examined in explanation.examined],
        "grant": explanation.grant or None,
        "grant_file": explanation.grant_file or None,
    }


def _policy_as_json(examined: Examined) -> dict[str, Any]:
    policy = examined.policy
    return {
        "id": policy.id,
        "effect": policy.effect,
        "file": policy.place.file,
        "line": policy.place.line,
        "reason": policy.reason,
        "expired": examined.expired,
        "terms": [
            {"kind": term.kind, "text": term.text, "met": term.met, "problem": term.problem or None}
            for term in examined.terms
        ],
    }
