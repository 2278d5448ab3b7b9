"""What a comparison of two systems says, against the engines of both, asked about everything.

Nothing is missed, nothing is made up, and nothing is said where only the text differs.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.differential import systems

from inward.catalog.system import load_catalog
from inward.policy.comparing.compare import System, compare
from inward.policy.comparing.meeting import Meeting
from inward.policy.comparing.pairs import Meanings, Side
from inward.policy.decide import Engine
from inward.policy.loading.load import load_policies
from inward.policy.proving.witness import UnconfirmedError
from inward.policy.request import Request
from inward.policy.symbolic.condition import Conditions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from inward.policy.comparing.change import Change, Comparison, Example

NOW = systems.NOON - timedelta(hours=48)  # before every expiry
MOMENTS = tuple(systems.NOON + timedelta(hours=hours, minutes=7) for hours in (-48, -36, -12, -1, 0, 1, 12, 36))
PAIRS = 40


@dataclasses.dataclass(frozen=True)
class _Loaded:
    system: System
    engine: Engine

    def allows(self, request: Request, now: datetime) -> bool:
        return self.engine.decide(request, now).allowed

    def discloses(self, caller: str, data_class: str, now: datetime) -> bool:
        known = data_class in self.system.catalog.data_classes
        return known and self.engine.disclose(caller, data_class, now).allowed


def _load(folder: Path, files: dict[str, str]) -> _Loaded | None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    catalog, mistakes = load_catalog(folder)
    if catalog is None or mistakes:
        return None
    policies, mistakes = load_policies(folder, catalog)
    return None if mistakes else _Loaded(System(catalog, policies), Engine(catalog, policies))


# --- changes that may have an effect
# -------------------------------------------------------------------------------------------------


def _policies(files: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each policy's file and text."""
    for name, text in files.items():
        if name.endswith(".cedar"):
            yield from ((name, found) for found in re.findall(r"@id.*?;\n(?=\n|$)", text, re.DOTALL))


def _chosen(rng: random.Random, files: dict[str, str]) -> tuple[str, str]:
    found = sorted(_policies(files))
    return rng.choice(found) if found else ("guardrails.cedar", "")


def _replace(files: dict[str, str], name: str, text: str, by: str) -> None:
    if text:
        files[name] = files[name].replace(text, by, 1)


def _drop(rng: random.Random, files: dict[str, str]) -> None:
    name, text = _chosen(rng, files)
    _replace(files, name, text, "")


def _recondition(rng: random.Random, files: dict[str, str]) -> None:
    name, text = _chosen(rng, files)
    others = [other for file, other in sorted(_policies(files)) if file == name]
    if others:
        scope = re.sub(r"(?s)\)( when| unless).*", ");\n", text)
        [conditions] = re.findall(r"(?s)\)((?: when| unless) .*)?;\n$", rng.choice(others))
        _replace(files, name, text, scope.removesuffix(";\n") + conditions + ";\n")


def _expire(rng: random.Random, files: dict[str, str]) -> None:
    name, text = _chosen(rng, files)
    bare = re.sub(r"@expires\(.*?\)\n", "", text)
    moment = rng.choice(MOMENTS)
    _replace(files, name, text, bare.replace("@reason", f'@expires("{moment:%Y-%m-%dT%H:%M:%SZ}")\n@reason', 1))


def _turn(rng: random.Random, files: dict[str, str]) -> None:
    name, text = _chosen(rng, files)
    if name != "guardrails.cedar":
        turned = text.replace("permit (", "FORBID (").replace("forbid (", "permit (").replace("FORBID (", "forbid (")
        _replace(files, name, text, turned)


def _move(rng: random.Random, files: dict[str, str]) -> None:
    lines = files["inward.yaml"].splitlines()
    at = [number for number, line in enumerate(lines) if re.match(r"    (owner|zone|groups):", line)]
    number = rng.choice(at)
    lines[number] = {
        "owner": f"    owner: team-{rng.randint(0, 2)}",
        "zone": f"    zone: {rng.choice(['edge', 'core'])}",
        "groups": f"    groups: [{rng.choice(['red', 'green', 'red, blue'])}]",
    }[lines[number].strip().partition(":")[0]]
    files["inward.yaml"] = "\n".join(lines) + "\n"


def _require(rng: random.Random, files: dict[str, str]) -> None:
    name = rng.choice(sorted(name for name in files if name.startswith("apis/")))
    files[name] = re.sub(
        r"in: query, required: (true|false)",
        lambda _: f"in: query, required: {rng.choice(['true', 'false'])}",
        files[name],
    )


EDITS = (_drop, _drop, _recondition, _recondition, _expire, _turn, _move, _require)


@dataclasses.dataclass(frozen=True)
class _Pair:
    """A system before and after some changes, and what both engines say of many requests."""

    seed: int
    old: _Loaded
    new: _Loaded
    observed: list[tuple[str, str, bool, bool]]  # caller, target, whether each system allows


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[_Pair]:
    """Systems before and after a few changes."""
    return [_pair(seed, tmp_path_factory.mktemp(f"pair-{seed}")) for seed in range(PAIRS)]


def _pair(seed: int, folder: Path) -> _Pair:
    """Return a system before and after a few changes; changes that would be mistakes are left out."""
    system = systems.generate(seed, services=4, operations=4, policies=6)
    rng = random.Random(f"compare {seed}")  # noqa: S311 - the same every time, on purpose
    files = dict(system.files)
    old = new = _load(folder / "old", files)
    for number in range(rng.randint(1, 4)):
        tried = dict(files)
        rng.choice(EDITS)(rng, tried)
        loaded = _load(folder / str(number), tried)
        if loaded is not None:
            new, files = loaded, tried
    assert old is not None
    assert new is not None
    return _Pair(seed, old, new, list(_observed(system, old, new)))


def _observed(
    system: systems.GeneratedSystem, old: _Loaded, new: _Loaded, each: int = 8
) -> Iterator[tuple[str, str, bool, bool]]:
    """Yield caller, target, and whether each system allows, for many requests of all of them."""
    for call in system.calls(each):
        request = Request(call.caller, call.operation, call.path, call.query)
        for now in {max(call.now, NOW), *MOMENTS[:: len(MOMENTS) // 3]}:
            yield call.caller, call.operation, old.allows(request, now), new.allows(request, now)
    for caller in system.services:
        for name in {*old.system.catalog.data_classes, *new.system.catalog.data_classes}:
            for now in MOMENTS:
                yield caller, name, old.discloses(caller, name, now), new.discloses(caller, name, now)


def _problems(found: Comparison, pair: _Pair, seen: Counter[str]) -> list[str]:
    """Return where a comparison and the engines disagree."""
    by_cell: dict[tuple[str, str], Change] = {}
    problems = []
    for change in found.changes:
        seen[change.kind] += 1
        for cell in ((caller, target) for caller in change.callers for target in change.targets):
            if cell in by_cell:
                problems.append(f"{cell} is in two changes")
            by_cell[cell] = change
        problems += _unconfirmed(change, pair.old, pair.new)
    unknown = {(caller, target) for each in found.unknown for caller in each.callers for target in each.targets}
    for caller, target, before, after in pair.observed:
        here = by_cell.get((caller, target))
        kind = here.kind if here is not None else "none"
        gained, lost = kind in {"allowed", "wider", "changed"}, kind in {"refused", "narrower", "changed"}
        seen["differences"] += before != after
        wrong = (
            (after and not before and not gained)
            or (before and not after and not lost)
            or (before and kind == "allowed")
            or (after and kind == "refused")
        )
        if wrong and (caller, target) not in unknown:
            problems.append(f"{caller} {target} is {kind}, and {before} became {after}")
    return problems


def _unconfirmed(change: Change, old: _Loaded, new: _Loaded) -> list[str]:
    """Return the examples that the engines of the whole systems do not confirm."""
    problems = []
    for example, allowing, refusing in ((change.gained, new, old), (change.lost, old, new)):
        if example is not None and not (_allows(allowing, example) and not _allows(refusing, example)):
            problems.append(f"{example} is not confirmed")
    if (change.gained is None) == (change.kind in {"allowed", "wider", "changed"}):
        problems.append(f"a change without its example: {change}")
    return problems


def _allows(loaded: _Loaded, example: Example) -> bool:
    witness = example.witness
    if not witness.path:
        return loaded.discloses(witness.caller, witness.target, witness.moment)
    request = Request(witness.caller, witness.target, witness.path, witness.query)
    return loaded.allows(request, witness.moment)


def test_what_is_found_is_what_the_engines_do(pairs: list[_Pair]) -> None:
    seen: Counter[str] = Counter()
    for pair in pairs:
        found = compare(pair.old.system, pair.new.system, NOW)
        assert _problems(found, pair, seen) == [], f"seed {pair.seed}"
        assert found.unknown == ()
    assert seen["differences"] > 1000
    assert {kind for kind in ("allowed", "refused", "wider", "narrower", "changed") if seen[kind] < 3} == set()


@pytest.mark.long
def test_what_is_found_in_many_more_systems_is_what_the_engines_do(tmp_path: Path) -> None:
    for seed in range(PAIRS, PAIRS + 200):
        pair = _pair(seed, tmp_path / str(seed))
        found = compare(pair.old.system, pair.new.system, NOW)
        assert _problems(found, pair, Counter()) == [], f"seed {seed}"


def test_from_a_later_moment_on_only_what_is_still_to_come_counts(pairs: list[_Pair]) -> None:
    late = systems.NOON + timedelta(hours=48)  # after every expiry
    for pair in pairs[:20]:
        for change in compare(pair.old.system, pair.new.system, late).changes:
            assert change.until is None
            assert _unconfirmed(change, pair.old, pair.new) == []
            assert all(example.witness.moment >= late for example in (change.gained, change.lost) if example)


# --- changes that have none
# -------------------------------------------------------------------------------------------------


def _rewritten(rng: random.Random, text: str) -> str:
    """Return a policy that says the same in other words."""
    text = text.replace('@id("', '@id("renamed-', 1).replace("generated; // no comment", "another reason")
    head, *clauses = re.split(r"( when | unless )(?=\{)", text.removesuffix(";\n"))
    written = [head]
    for word, block in zip(clauses[::2], clauses[1::2], strict=True):
        inner = block.strip().removeprefix("{").removesuffix("}").strip()
        other = " unless " if word == " when " else " when "
        written.append(
            rng.choice(
                [
                    f"{other}{{ !({inner}) }}",
                    f"{word}{{ ({inner}) && true }}",
                    f"{word}{{ !(!({inner})) }}",
                    f"{word}{{ if {inner} then true else false }}",
                    f" // said again\n{word}{{ false || ({inner}) }}",
                ]
            )
        )
    return "".join(written) + ";\n"


def _split(text: str, number: int) -> str:
    """Return a policy as two: one for its first action, one for the rest."""
    found = re.search(r"action in \[([^\],]*), ([^\]]*)\]", text)
    if found is None:
        return text
    first = text.replace(found[0], f"action in {found[1]}").replace('@id("', f'@id("first{number}-', 1)
    return first + "\n" + text.replace(found[0], f"action in [{found[2]}]")


def test_text_that_changes_nothing_is_not_shown(tmp_path: Path) -> None:
    rewritten = split = 0
    for seed in range(PAIRS):
        system = systems.generate(seed, services=4, operations=4, policies=6)
        rng = random.Random(f"same {seed}")  # noqa: S311 - the same every time, on purpose
        old = _load(tmp_path / f"{seed}-old", dict(system.files))
        changed = {name: text for name, text in system.files.items() if not name.endswith(".cedar")}
        texts = list(_policies(dict(system.files)))
        rng.shuffle(texts)
        for number, (name, text) in enumerate(texts):
            two = _split(_rewritten(rng, text), number)
            split += two.count("@id") > 1
            rewritten += " when " in two or " unless " in two
            changed[name] = changed.get(name, "") + "\n" + two
        new = _load(tmp_path / f"{seed}-new", changed)
        assert old is not None
        assert new is not None
        found = compare(old.system, new.system, NOW)
        assert found.empty, (seed, found)
        assert not found.widens
        assert not found.narrows
    assert rewritten > 150
    assert split > 30


# --- planted errors
# -------------------------------------------------------------------------------------------------


def _caught(pairs: list[_Pair]) -> int:
    caught = 0
    for pair in pairs[:25]:
        try:
            found = compare(pair.old.system, pair.new.system, NOW)
        except UnconfirmedError:
            caught += 1
        else:
            caught += bool(_problems(found, pair, Counter()))
    return caught


def test_forbids_that_are_forgotten_would_be_noticed(pairs: list[_Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = Conditions.allowed
    monkeypatch.setattr(Conditions, "allowed", lambda self, permits, _forbids: allowed(self, permits, ()))
    assert _caught(pairs)


def test_a_direction_that_is_forgotten_would_be_noticed(pairs: list[_Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Meeting, "lost", property(lambda _: False))
    assert _caught(pairs) >= 3


def test_facts_of_callers_that_are_forgotten_would_be_noticed(
    pairs: list[_Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Side, "told", lambda self, mask, _caller, target: self.told_of(mask, target))
    assert _caught(pairs)


def test_plain_form_that_is_forgotten_would_be_noticed(pairs: list[_Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inward.policy.comparing.meeting._Half._plain", lambda *_: ())
    assert _caught(pairs)


def test_expiries_that_are_forgotten_would_be_noticed(pairs: list[_Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    of = Meanings.of
    monkeypatch.setattr(Meanings, "of", lambda self, policy: of(self, dataclasses.replace(policy, expires=None)))
    assert _caught(pairs) >= 3
