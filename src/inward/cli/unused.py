"""`inward unused`: grants, conditions and disclosures that nobody used, and what proves it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, service_named, system_layout
from inward.cli.output import print_json, print_line, remark, styled
from inward.cli.progress import shown_progress
from inward.cli.surveyed import DEFAULT_SINCE, SinceOption, catching_up, print_record, record_as_json
from inward.control.checking.cache import load_known
from inward.control.surveying import surveyed
from inward.insight.unused.find import Finder, Sure, caveats, few
from inward.insight.unused.find import candidates as find_candidates
from inward.insight.unused.history import History
from inward.insight.unused.scopes import scopes_of
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Collection

    from inward.cli.output import Style
    from inward.insight.unused.coverage import Coverage
    from inward.insight.unused.find import Unused
    from inward.insight.unused.scopes import Scope

_STYLES: dict[Sure, Style] = {Sure.UNUSED: "red", Sure.UNSURE: "yellow", Sure.YOUNG: "dim"}


def unused(
    since: SinceOption = DEFAULT_SINCE,
    service: Annotated[
        str | None, typer.Option(metavar="SERVICE", help="Only what stands in the policy file of this service.")
    ] = None,
    sure: Annotated[bool, typer.Option("--sure", help="Only what is sure.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Print the grants, conditions and disclosures that nobody used, the longest unused first, and what proves it.

    `unused` is what the record shows; `unsure` was not used and may be some day, such as by a job that runs every
    quarter; `too young` has been changed since. Nothing is changed: take one out with `inward revoke`, or by hand.
    """
    now = datetime.now(UTC)
    start = parse_since(since, now)
    layout = system_layout(system)
    known = load_known(layout.system, os.environ)
    if service is not None:
        service_named(known.catalog, service)
    index = known.engine.index
    scopes = scopes_of(known.catalog, index)
    with (
        shown_progress(wanted=not json) as watch,
        surveyed(layout, os.environ, known, start, now, catching_up(watch)) as survey,
    ):
        wanted = [each for each in scopes if service is None or each.policy.file_owner == service]
        candidates = list(find_candidates(known.catalog, wanted, survey.uses, now))
        history = History.of(candidates, survey.before(candidates))
        found = Finder(survey.uses, history, survey.coverage, survey.ages).find(candidates)
        coverage = survey.coverage
    objects = [each for each in wanted if each.objects]
    if sure:
        found = [each for each in found if each.sure is Sure.UNUSED]
    if json:
        print_json(
            {
                "record": record_as_json(coverage),
                "grants": len(wanted),
                "found": [_as_json(each) for each in found],
                "cannot_tell": [each.policy.id for each in objects],
                "caveats": list(caveats(coverage)),
            }
        )
        return
    shared = _shared_doubts(found)
    for each in found:
        _print(each, now, shared)
    for sentence in shared:
        print_line(styled(f"but of all of them: {sentence}", "yellow"))
    _print_end(found, wanted, objects, coverage)


def _shared_doubts(found: list[Unused]) -> list[str]:
    """Return the doubts that there are of each of several, to be said once."""
    if len(found) < 2:  # noqa: PLR2004 - one shares with nobody
        return []
    return [sentence for sentence in found[0].doubts if all(sentence in each.doubts for each in found)]


def _print(found: Unused, now: datetime, shared: Collection[str]) -> None:
    policy = found.scope.policy
    idle = "" if found.since is None else f"{max(0, (now - found.since).days):,} days"
    kind = {"grant": "", "condition": "the condition of ", "disclosure": "the disclosure "}[found.kind]
    head = styled(f"{found.sure:<9}", _STYLES[found.sure]) + styled(f"  {idle:>10}  ", "")
    print_line(head + styled(kind, "") + styled(policy.id, "bold") + styled(f"  {policy.place}", "dim"))
    print_line(styled(f"           {_gives(found.scope)}", ""))
    for sentence in found.proof:
        print_line(styled(f"           {sentence}", "dim"))
    for sentence in found.doubts:
        if sentence in shared:
            continue
        print_line(styled(f"           but {sentence}", "yellow"))


def _gives(scope: Scope) -> str:
    who = few(scope.services) or "nobody"
    return f"{who} → {few(scope.classes or scope.operations) or 'nothing'}"


def _print_end(found: list[Unused], wanted: list[Scope], objects: list[Scope], coverage: Coverage) -> None:
    counts = {sure: sum(each.sure is sure for each in found) for sure in Sure}
    told = ", ".join(f"{count:,} {sure}" for sure, count in counts.items() if count)
    grants = f"{len(wanted):,} grant{'' if len(wanted) == 1 else 's'}"
    print_line(styled(f"{grants}: {told or 'nothing to tell of any'}", "bold"))
    print_record(coverage)
    for sentence in caveats(coverage) if counts[Sure.UNUSED] else ():
        remark(styled(sentence, "dim"))
    if objects:
        names = few([each.policy.id for each in objects])
        remark(styled(f"grants on objects are not judged, as no enforcer tells whether they are used: {names}", "dim"))


def _as_json(found: Unused) -> dict[str, Any]:
    policy, scope = found.scope.policy, found.scope
    return {
        "kind": found.kind,
        "policy": policy.id,
        "file": policy.place.file,
        "line": policy.place.line,
        "reason": policy.reason,
        "sure": found.sure,
        "since": timestamp(found.since) if found.since else None,
        "last_used": found.last.date().isoformat() if found.last else None,
        "services": scope.services,
        "operations": scope.operations,
        "classes": scope.classes,
        "proof": found.proof,
        "doubts": found.doubts,
    }
