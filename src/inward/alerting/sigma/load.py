"""Loading the rules of a system: `alerts/*.yml`, one rule a file, with every mistake in them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from inward.alerting.sigma.rule import Rule, read_rule
from inward.catalog.document import did_you_mean, shown

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.folder import SystemFolder

FOLDER = "alerts"
MOST_RULES = 1000
_SUFFIXES = (".yml", ".yaml")


def rule_files(folder: Path) -> list[str]:
    """Return the names of the files of rules of a system, sorted, relative to it.

    A folder that cannot be read is named itself: whoever opens it finds the mistake.
    """
    try:
        names = [path.name for path in (folder / FOLDER).iterdir() if path.suffix in _SUFFIXES]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return [FOLDER]
    return [f"{FOLDER}/{name}" for name in sorted(names)]


def load_rules(folder: SystemFolder) -> list[Rule]:
    """Return the rules of a system, correlations after what they name; mistakes are added to those of `folder`."""
    rules: list[Rule] = []
    names = rule_files(folder.root)
    for name in names[:MOST_RULES]:
        document = folder.open(name, plain=True)
        rule = read_rule(document, PurePosixPath(name).stem) if document is not None else None
        if document is None or rule is None:
            continue
        taken = next((each for each in rules if _names(each) & _names(rule)), None)
        if taken is not None:
            twice = min(_names(taken) & _names(rule))
            document.mistake(f"`{twice}` is the name of the rule in {taken.place.file} too", "give it another `id`")
            continue
        rules.append(rule)
    if len(names) > MOST_RULES and (last := folder.open(names[MOST_RULES], plain=True)) is not None:
        last.mistake(f"there are more than {MOST_RULES} rules")
    return _in_order(rules, complete=not folder.mistakes)


def _names(rule: Rule) -> set[str]:
    return {rule.id, *([rule.name] if rule.name else [])}


def _in_order(rules: list[Rule], *, complete: bool) -> list[Rule]:
    """Return rules so that what a correlation names comes before it; one that names itself, at last, is a mistake."""
    known = {name: rule for rule in rules for name in _names(rule)}
    ordered: dict[str, Rule] = {}
    waiting = {rule.id: rule for rule in rules}
    while ready := [rule for rule in waiting.values() if _needs(rule, known).isdisjoint(waiting)]:
        for rule in ready:
            ordered[rule.id] = waiting.pop(rule.id)
    for rule in waiting.values():
        assert rule.correlation is not None  # noqa: S101 - only those name others
        place = next(value for name, value in rule.correlation.places.items() if known[name].id in waiting)
        place.mistake("the correlations name each other in a circle")
    for rule in rules if complete else ():  # a rule with a mistake is not there, and its name is no mistake of others
        for name, value in rule.correlation.places.items() if rule.correlation else ():
            if name not in known:
                value.mistake(f"there is no rule `{shown(name)}`", did_you_mean(name, known))
            elif known[name].retired:
                value.mistake(f"the rule `{shown(name)}` is not used any more", "its `status` says so")
    return list(ordered.values())


def _needs(rule: Rule, known: dict[str, Rule]) -> set[str]:
    names = rule.correlation.rules if rule.correlation else ()
    return {known[name].id for name in names if name in known}
