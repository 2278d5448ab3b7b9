"""What a system says of its alerts: `alerts` in inward.yaml, and the rules in `alerts/*.yml`, with every mistake.

A mistake in there keeps no policy from being enforced: what is watched goes on as before, and the mistake is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

from inward.alerting.alert import Severity
from inward.alerting.engine import LEARN_DAYS, EngineSettings
from inward.alerting.registry import REGISTRY, DetectorSettingsError, parse_settings
from inward.alerting.sigma.load import load_rules
from inward.catalog.document import did_you_mean, shown
from inward.catalog.folder import SystemFolder
from inward.catalog.system import FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    import msgspec

    from inward.alerting.sigma.rule import Rule
    from inward.catalog.document import Value
    from inward.errors import Mistake

KEY = "alerts"
SEVERITIES: Final = get_args(Severity)  # the least grave first
MOST_AN_HOUR = 100  # services that may be put into quarantine by themselves
_MOST_DAYS = 90


@dataclass(frozen=True, slots=True)
class QuarantineSettings:
    """When a caller is cut off by an alert: by which detectors, how grave, whom never, and how many an hour."""

    detectors: frozenset[str] = frozenset()  # none: nobody is
    at_least: Severity = "high"
    never: frozenset[str] = frozenset()
    an_hour: int = 1

    def wants(self, detector: str, severity: Severity) -> bool:
        """Return whether an alert is one that cuts its caller off."""
        grave = SEVERITIES.index(severity) >= SEVERITIES.index(self.at_least)
        return detector in self.detectors and grave


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """What is watched, and what follows from it."""

    engine: EngineSettings = field(default_factory=EngineSettings)
    rules: tuple[Rule, ...] = ()
    quarantine: QuarantineSettings = QuarantineSettings()


def load_settings(system: Path) -> tuple[AlertSettings | None, list[Mistake]]:
    """Return what a system says of its alerts, None where that has mistakes; and those that are about alerts.

    Where inward.yaml cannot be read at all, there is neither.
    """
    folder = SystemFolder(system)
    root = folder.open(FILE, plain=True)
    others = set(folder.mistakes)
    rules = load_rules(folder)
    settings = AlertSettings(rules=tuple(rules))
    if root is not None and (value := root.get(KEY)) is not None:
        settings = _read(value, rules, _services(root))
    mistakes = sorted(set(folder.mistakes) - others)
    return (None if mistakes or root is None else settings), mistakes


def _services(root: Value) -> frozenset[str]:
    services = root.get("services")
    return frozenset(services.data) if services is not None and isinstance(services.data, dict) else frozenset()


def _read(value: Value, rules: Iterable[Rule], services: Collection[str]) -> AlertSettings:
    if not value.is_a(dict):
        return AlertSettings()
    value.check_keys(("detectors", "learn_days", "quarantine"))
    detectors, quarantined = _detectors(value.get("detectors"), {rule.detector for rule in rules})
    days = _whole(value.get("learn_days"), LEARN_DAYS, _MOST_DAYS)
    return AlertSettings(
        engine=EngineSettings(detectors, days),
        rules=tuple(rules),
        quarantine=_quarantine(value.get("quarantine"), frozenset(quarantined), services),
    )


def _detectors(value: Value | None, rules: Collection[str]) -> tuple[dict[str, msgspec.Struct | None], set[str]]:
    """Return the settings of detectors (None: off), and those that put callers into quarantine."""
    settings: dict[str, msgspec.Struct | None] = {}
    quarantined: set[str] = set()
    for name, given in value.entries() if value is not None else ():
        if name not in REGISTRY and name not in rules:
            given.mistake(f"there is no detector `{shown(name)}`", did_you_mean(name, [*REGISTRY, *rules]))
            continue
        if name in REGISTRY and (given.data is False or given.data == "off"):
            settings[name] = None
            continue
        if not given.is_a(dict):
            continue
        cuts_off = given.get("quarantine")
        if cuts_off is not None and cuts_off.boolean():
            quarantined.add(name)
        rest = {key: setting for key, setting in given.entries() if key != "quarantine"}
        chosen = {key: setting.data for key, setting in rest.items() if _fits(name, key, setting)}
        if name in REGISTRY:
            settings[name] = _whole_settings(name, chosen, given)
    return settings, quarantined


def _fits(slug: str, key: str, value: Value) -> bool:
    """Return whether a detector has such a setting, with such a value; it is a mistake if not."""
    if slug not in REGISTRY:
        value.mistake(f"a rule has no setting `{shown(key)}`", "write it into the rule")
        return False
    names = REGISTRY[slug].settings.__struct_fields__
    if key not in names:
        value.mistake(f"`{slug}` has no setting `{shown(key)}`", did_you_mean(key, [*names, "quarantine"]))
        return False
    try:
        parse_settings(slug, {key: value.data})
    except DetectorSettingsError as error:
        value.mistake(error.message, error.hint)
        return False
    return True


def _whole_settings(slug: str, chosen: Mapping[str, object], given: Value) -> msgspec.Struct:
    try:
        return parse_settings(slug, chosen)
    except DetectorSettingsError as error:  # each is right, and they do not go together
        given.mistake(error.message, error.hint)
        return parse_settings(slug, {})


def _quarantine(value: Value | None, detectors: frozenset[str], services: Collection[str]) -> QuarantineSettings:
    if value is None or not value.is_a(dict):
        return QuarantineSettings(detectors)
    value.check_keys(("at_least", "never", "an_hour"))
    severities: dict[str, Severity] = {each: each for each in SEVERITIES}
    at_least = value.get("at_least")
    text = at_least.text() if at_least is not None else None
    if at_least is not None and text is not None and text not in severities:
        at_least.mistake(f"`{shown(text)}` is no severity", did_you_mean(text, severities))
    never = value.get("never")
    names = []
    for item in never.items() if never is not None else ():
        name = item.text()
        if name is not None and name not in services:
            item.mistake(f"there is no service `{shown(name)}`", did_you_mean(name, services))
        elif name is not None:
            names.append(name)
    return QuarantineSettings(
        detectors=detectors,
        at_least=severities.get(text or "high", "high"),
        never=frozenset(names),
        an_hour=_whole(value.get("an_hour"), 1, MOST_AN_HOUR),
    )


def _whole(value: Value | None, default: int, most: int) -> int:
    if value is None:
        return default
    if isinstance(value.data, bool) or not isinstance(value.data, int) or not 0 <= value.data <= most:
        value.mistake(f"{value.label} must be a whole number from 0 to {most}")
        return default
    return value.data
