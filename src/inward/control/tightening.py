"""Tightening a system: proposed, loaded, proven, replayed, and, where that is wanted, written.

1. What was used comes from the rollups; which pairs go, from `insight.tighten.planning`.
2. The changed files are loaded with all others, as they would be. `compare` must prove that they allow nothing new;
   pairs of which it cannot are left as they are.
3. Recorded calls that could be decided otherwise are decided again, one by one. A pair of which one would be refused,
   or cannot be decided, is left as it is. Then it begins anew with 2, until nothing is left to mend.
4. Files are written only if all of the system is still as it was read; if one cannot be, those before it are put back.

# INVARIANT: what is returned has passed 2 and 3 as it is, and nothing else is ever written.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from inward.catalog.system import policy_files
from inward.control.quarantine import load_quarantine
from inward.control.surveying import MOST_SINCE, surveyed
from inward.errors import InwardError
from inward.insight.recorded import Decider
from inward.insight.replay import Replayer
from inward.insight.tighten.evidence import Callout, Care, Evidence, callouts_of
from inward.insight.tighten.planning import Pair, judged, make_plan
from inward.insight.tighten.suspects import find_suspects
from inward.insight.unused.scopes import scopes_of
from inward.insight.unused.uses import restored
from inward.policy.authoring.replace import EditRefusedError, read_file, replace_file
from inward.policy.comparing.compare import System, compare
from inward.policy.decide import Engine
from inward.policy.loading.load import FOLDER, load_policies
from inward.policy.loading.rules import GUARDRAILS
from inward.policy.loading.version import version_of
from inward.policy.narrowing.rewrite import ByHandError, Narrowed, rewritten, texts_of
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime, timedelta

    from inward.control.bundle import Policy as Loaded
    from inward.control.layout import Layout
    from inward.insight.replay import Replay
    from inward.insight.tighten.planning import Narrowing, Plan
    from inward.insight.unused.coverage import Coverage
    from inward.insight.unused.scopes import Scope
    from inward.policy.comparing.change import Comparison
    from inward.policy.model import Policies

    Files = dict[str, tuple[bytes, bytes]]  # by name: before and after
    Watch = Callable[[str, int, int], None]

ROUNDS = 20
MAX_PAIRS = 1_000_000
_DEFECT = "this is a defect of Inward: please report it"
_STEPS = ("reading what was used", "writing the proposal", "proving it", "replaying the record")


class TightenError(InwardError):
    """No proposal could be made that is proven and breaks nothing."""

    code = "tighten"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: what was used since `since` stays, `service` limits it to one policy file."""

    since: datetime
    now: datetime
    min_age: timedelta
    least: float
    service: str | None = None


@dataclass(slots=True)
class Replayed:
    """What the replay was of: all calls that were allowed since then, and those that were decided one by one."""

    calls: int = 0
    one_by_one: int = 0


@dataclass(slots=True)
class Tightening:
    """A proposal: the changed files, what each grant loses, and what was noticed. Without files nothing is proposed."""

    coverage: Coverage
    grants: int
    pairs: int  # that today's grants allow, whoever uses them
    files: Files = field(default_factory=dict)
    narrowed: list[Narrowing] = field(default_factory=list)
    becomes: dict[str, dict[str, str]] = field(default_factory=dict)  # by grant: the policies that it becomes
    callouts: list[Callout] = field(default_factory=list)
    crowded: bool = False  # whether the rollups did not tell all operations of some caller apart
    replayed: Replayed = field(default_factory=Replayed)
    version: str = ""


def tighten(
    layout: Layout,
    environment: Mapping[str, str],
    system: Loaded,
    asked: Asked,
    watch: Watch | None = None,
) -> Tightening:
    """Return the proposal for a system that was loaded from its folder.

    Raises `TightenError`, `StateError`, `RecordError`, and `BadInputError` for a time that is too long.
    """
    return _Tightener(layout, system, asked, watch).run(environment)


def write(folder: Path, system: Loaded, files: Files) -> None:
    """Write the files of a proposal for `system`, all or none.

    Raises `EditRefusedError` if anything of the system has changed since it was loaded, and `BadInputError`.
    """
    for name, content in system.files.items():
        if read_file(folder, name) != content:
            raise EditRefusedError(f"{name} has changed meanwhile", hint="try again")
    if new := sorted(set(policy_files(folder)).difference(system.files)):
        raise EditRefusedError(f"{new[0]} was added meanwhile", hint="try again")
    done: list[str] = []
    try:
        for name, (before, after) in files.items():
            replace_file(folder, name, before, after)
            done.append(name)
    except BaseException:
        for name in reversed(done):
            before, after = files[name]
            replace_file(folder, name, after, before)
        raise


class _Tightener:
    """One run."""

    def __init__(self, layout: Layout, system: Loaded, asked: Asked, watch: Watch | None) -> None:
        self._layout = layout
        self._system = system
        self._asked = asked
        self._watch = watch
        self._today = Decider(system.catalog, system.engine, system.version)
        self._needed: dict[Pair, str] = {}
        self._callouts: list[Callout] = []
        self._proposed = system.policies

    def run(self, environment: Mapping[str, str]) -> Tightening:
        self._step(0)
        index = self._system.engine.index
        scopes = [
            each for each in judged(scopes_of(self._system.catalog, index), self._asked.now) if self._is_asked(each)
        ]
        if sum(len(each.services) * len(each.operations) for each in scopes) > MAX_PAIRS:
            raise TightenError(
                f"the grants give more than {MAX_PAIRS:,} pairs of a caller and an operation",
                hint="look at one policy file: `inward tighten SERVICE`",
            )
        granted = {Pair(caller, each) for scope in scopes for caller in scope.services for each in scope.operations}
        evidence = self._gather(environment, scopes)
        found = Tightening(evidence.coverage, len(scopes), len(granted), crowded=bool(evidence.uses.folded))
        found.replayed.calls = sum(evidence.calls.values())
        self._callouts = list(evidence.spared(scopes))
        if evidence.coverage.begin is None:
            return found
        for _ in range(ROUNDS):
            spared = {each.policy for each in self._callouts if each.policy is not None}
            plan = make_plan(scopes, evidence.calls, evidence.judge, spared, self._needed)
            if self._propose(plan, found) and self._is_proven(found) and self._breaks_nothing(found):
                found.callouts = [
                    *self._callouts,
                    *callouts_of(plan.stays),
                    *self._told(granted),
                    *evidence.seldom(granted),
                ]
                return found
        raise TightenError(
            f"no proposal came out of {ROUNDS} rounds that is proven and breaks nothing",
            hint="narrow it to one policy file: `inward tighten SERVICE`",
        )

    def _is_asked(self, scope: Scope) -> bool:
        return self._asked.service is None or scope.policy.file_owner == self._asked.service

    def _gather(self, environment: Mapping[str, str], scopes: list[Scope]) -> Evidence:
        asked = self._asked
        care = Care(asked.min_age, asked.least, load_quarantine(self._layout))
        with surveyed(self._layout, environment, self._system, asked.since, asked.now, self._catching_up) as survey:
            evidence = Evidence(self._system.catalog, survey.uses, survey.coverage, survey.ages, care)
            operations = {each for scope in scopes for each in scope.operations}
            days = survey.rollups.days(asked.now - MOST_SINCE, operations=operations)
            evidence.add(restored(days, survey.names))
        return evidence

    def _catching_up(self, done: int, of: int) -> None:
        self._step(0, done >> 20, of >> 20)

    def _step(self, number: int, done: int = 0, of: int = 0) -> None:
        if self._watch is not None:
            self._watch(_STEPS[number], done if of else number, of or len(_STEPS))

    def _propose(self, plan: Plan, found: Tightening) -> bool:
        """Write the texts of a plan into `found`; false: some grants must be left to a person, so plan again."""
        self._step(1)
        taken = set(self._system.policies.by_id)
        becomes: dict[str, dict[str, str]] = {}
        for each in plan.narrowed:
            narrowed = Narrowed(each.policy, each.scope.services, each.scope.operations, each.kept)
            try:
                becomes[each.policy.id] = texts_of(narrowed, self._system.catalog, taken)
            except ByHandError as error:
                self._callouts.append(Callout("by_hand", error.advice, policy=each.policy.id))
                continue
            taken.update(becomes[each.policy.id])
        if len(becomes) < len(plan.narrowed):
            return False
        texts = {name: list(parts.values()) for name, parts in becomes.items()}
        by_file: dict[str, list[Narrowing]] = defaultdict(list)
        for narrowing in plan.narrowed:
            by_file[narrowing.policy.place.file].append(narrowing)
        found.files = {}
        for name, some in by_file.items():
            before = self._system.files[name]
            found.files[name] = before, rewritten(name, before, texts, [each.policy for each in some])
        found.narrowed, found.becomes = plan.narrowed, becomes
        return True

    def _is_proven(self, found: Tightening) -> bool:
        """Prove that a proposal allows nothing new; false: pairs of which that is not known stay, so plan again."""
        self._step(2)
        if not found.files:
            return True
        self._proposed = self._load(found.files)
        now = self._asked.now
        catalog = self._system.catalog
        comparison = compare(System(catalog, self._system.policies), System(catalog, self._proposed), now)
        if not comparison.widens:
            return True
        unproven = set(_widening(comparison)).difference(self._needed)
        if not any(each.covers(pair) for each in found.narrowed for pair in unproven):
            raise TightenError("it cannot be proven that the proposal allows nothing new")
        self._needed |= dict.fromkeys(unproven, "it could not be proven that nothing more would be allowed")
        return False

    def _load(self, files: Files) -> Policies:
        content = dict(self._system.files) | {name: after for name, (_, after) in files.items()}
        with tempfile.TemporaryDirectory(prefix="inward-tighten-") as scratch:
            folder = Path(scratch)
            for name, data in content.items():
                if name == GUARDRAILS or name.startswith(f"{FOLDER}/"):
                    target = folder / name
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(data)
            policies, mistakes = load_policies(folder, self._system.catalog)
        if mistakes:
            raise TightenError(f"the proposal has a mistake: {mistakes[0]}", hint=_DEFECT)
        return policies

    def _breaks_nothing(self, found: Tightening) -> bool:
        """Replay the record; false: pairs that a call needs stay, so plan again."""
        self._step(3)
        catalog = self._system.catalog
        content = dict(self._system.files) | {name: after for name, (_, after) in found.files.items()}
        found.version = version_of(content)
        if not found.files:
            return True
        engine = Engine(catalog, self._proposed)
        services = {each.policy.file_owner for each in found.narrowed if each.policy.file_owner is not None}
        suspects = find_suspects(catalog, self._system.engine.index, engine.index, services)
        entries = read_entries(self._layout.record, dataclasses.replace(suspects, since=found.coverage.since))
        replayer = Replayer(Decider(catalog, engine, found.version), self._today)
        result = replayer.add(entries)
        found.replayed.one_by_one = result.calls
        if sum(number for (change, already), number in result.rest.items() if not already and change != "allowed"):
            raise TightenError("the replay found too many different calls that would be refused")
        broken = {pair: why for pair, why in self._broken(result) if pair not in self._needed}
        self._needed |= broken
        return not broken

    def _broken(self, result: Replay) -> Iterator[tuple[Pair, str]]:
        """Yield the pairs that must stay for calls that would be refused, or cannot be decided."""
        catalog = self._system.catalog
        for key, group in result.groups.items():
            if key.already or key.change == "allowed":
                continue
            known = catalog.by_spiffe_id(key.caller)
            caller = known.name if known is not None else key.caller
            if key.change == "refused":
                pair = Pair(caller, key.new_operation or "")
                if pair in self._needed:
                    raise TightenError("a call would be refused that nothing was taken from", hint=_DEFECT)
                yield pair, f"needed by {_calls(group.calls)}"
                continue
            # of a pair that stays as it is, nothing changes, whatever the call was
            why = f"what is not recorded would decide {_calls(group.calls)}"
            for operation in catalog.services[key.callee].operations:
                yield Pair(caller, operation.id), why

    def _told(self, granted: Collection[Pair]) -> Iterator[Callout]:
        """Yield why pairs stay as they are, those with one reason together."""
        together: dict[str, list[Pair]] = defaultdict(list)
        for pair, why in self._needed.items():
            if pair in granted:
                together[why].append(pair)
        for why, pairs in together.items():
            yield Callout("needed", why, pairs=tuple(sorted(pairs)))


def _calls(number: int) -> str:
    return f"{number:,} recorded call{'' if number == 1 else 's'}"


def _widening(comparison: Comparison) -> Iterator[Pair]:
    """Yield the pairs of which it is not proven that they are no wider."""
    for change in comparison.changes:
        if change.widens:
            yield from (Pair(*pair) for pair in product(change.callers, change.targets))
    for unknown in comparison.unknown:
        yield from (Pair(*pair) for pair in product(unknown.callers, unknown.targets))
