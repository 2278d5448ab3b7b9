"""`inward policy prove`: guardrails proven or refuted, and policies that do nothing or can fail."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.catalog.document import did_you_mean, shown
from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import mistake_as_json, print_json
from inward.cli.policy.proofs import as_json, print_proofs
from inward.cli.progress import shown_progress
from inward.control.bundle import load_policy
from inward.errors import BadInputError, ExitCode, InvalidSystemError
from inward.policy.proving.posture import posture
from inward.policy.proving.prove import prove as prove_guardrails

if TYPE_CHECKING:
    from inward.control.bundle import Policy


def prove(
    guardrail: Annotated[
        str | None, typer.Option("--guardrail", metavar="ID", help="Prove this one, and look at nothing else.")
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Prove that no grant allows what a guardrail forbids, for every request there is, or show one that gets through.

    Then list the policies that do nothing, and those that can fail to evaluate.

    Exit 0: every guardrail is proven. 2: one is refuted, or it is not known. 3: there are mistakes in the system.
    """
    now = datetime.now(UTC)
    try:
        policy = load_policy(system_folder(system))
    except InvalidSystemError as error:
        if not json:
            raise
        print_json({"mistakes": [mistake_as_json(mistake) for mistake in error.mistakes]})
        return error.exit_code
    if guardrail is not None:
        _require_guardrail(policy, guardrail, now)
    only = None if guardrail is None else (guardrail,)
    with shown_progress() as watch:
        verdicts = prove_guardrails(
            policy.catalog, policy.policies, now, only=only, watch=watch and partial(watch, "proving")
        )
        if watch and guardrail is None:
            watch("looking at policies", 0, len(policy.policies))
        flaws = posture(policy.catalog, policy.policies, now) if guardrail is None else None
    if json:
        print_json(as_json(verdicts, flaws, policy, now))
    else:
        print_proofs(verdicts, flaws, policy, now)
    return ExitCode.SUCCESS if all(verdict.status == "proven" for verdict in verdicts) else ExitCode.REFUSED


def _require_guardrail(policy: Policy, name: str, now: datetime) -> None:
    """Raise `BadInputError` for what is no guardrail, or is none any more."""
    found = policy.policies.by_id.get(name)
    if found is None or found.file_owner is not None:
        ids = [each.id for each in policy.policies if each.file_owner is None]
        what = f"there is no guardrail `{shown(name)}`" if found is None else f"`{name}` is no guardrail"
        raise BadInputError(what, hint=did_you_mean(name, ids) if ids else "there are none in guardrails.cedar")
    if found.expires is not None and found.expires <= now:
        raise BadInputError(f"`{name}` ({found.place}) has expired", hint="set a later @expires, or take it out")
