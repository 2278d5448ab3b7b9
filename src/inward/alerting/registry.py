"""The detectors that there are: their names, settings, and what attackers' technique and API risk each is about.

Sources: MITRE ATT&CK (Enterprise, v17), OWASP API Security Top 10 (2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from inward.alerting.detectors.after_quarantine import AfterQuarantine, AfterQuarantineSettings
from inward.alerting.detectors.enumeration import Enumeration, EnumerationSettings
from inward.alerting.detectors.first_seen_edge import FirstSeenEdge, FirstSeenEdgeSettings
from inward.alerting.detectors.forgotten_operation import ForgottenOperation, ForgottenOperationSettings
from inward.alerting.detectors.lateral_movement import LateralMovement, LateralMovementSettings
from inward.alerting.detectors.probing import Probing, ProbingSettings
from inward.alerting.detectors.two_places import TwoPlaces, TwoPlacesSettings
from inward.alerting.detectors.undocumented_operation import UndocumentedOperation, UndocumentedOperationSettings
from inward.alerting.detectors.volume import DataVolume, DataVolumeSettings, Volume, VolumeSettings
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inward.alerting.detector import Detector
    from inward.alerting.view import View


class DetectorSettingsError(BadInputError):
    """A detector is given settings that it does not have, or values that they cannot take."""

    code = "detector_settings"


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique of MITRE ATT&CK, and the tactic that it serves here."""

    id: str
    name: str
    tactic_id: str
    tactic: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One detector. `make` takes settings of the type `settings`, a view of the catalog, and the engine's secret."""

    slug: str
    title: str
    settings: type[msgspec.Struct]
    make: Callable[[Any, View, str], Detector]
    technique: Technique
    owasp: str  # `API1:2023 Broken Object Level Authorization`


_KINDS = (
    Kind(
        "first-seen-edge",
        "a caller uses an operation that it never used",
        FirstSeenEdgeSettings,
        lambda settings, _view, _secret: FirstSeenEdge(settings),
        Technique("T1078", "Valid Accounts", "TA0001", "Initial Access"),
        "API5:2023 Broken Function Level Authorization",
    ),
    Kind(
        "probing",
        "a caller is refused many different things",
        ProbingSettings,
        lambda settings, _view, secret: Probing(settings, secret),
        Technique("T1046", "Network Service Discovery", "TA0007", "Discovery"),
        "API5:2023 Broken Function Level Authorization",
    ),
    Kind(
        "enumeration",
        "a caller asks for far more different objects than usual",
        EnumerationSettings,
        lambda settings, _view, secret: Enumeration(settings, secret),
        Technique("T1213", "Data from Information Repositories", "TA0009", "Collection"),
        "API1:2023 Broken Object Level Authorization",
    ),
    Kind(
        "volume",
        "a caller calls a service out of season",
        VolumeSettings,
        lambda settings, _view, _secret: Volume(settings),
        Technique("T1499", "Endpoint Denial of Service", "TA0040", "Impact"),
        "API4:2023 Unrestricted Resource Consumption",
    ),
    Kind(
        "data-volume",
        "a caller is given data of a class out of season",
        DataVolumeSettings,
        lambda settings, view, _secret: DataVolume(settings, view),
        Technique("T1119", "Automated Collection", "TA0009", "Collection"),
        "API6:2023 Unrestricted Access to Sensitive Business Flows",
    ),
    Kind(
        "forgotten-operation",
        "an operation that nobody used for weeks is called",
        ForgottenOperationSettings,
        lambda settings, view, _secret: ForgottenOperation(settings, view),
        Technique("T1210", "Exploitation of Remote Services", "TA0008", "Lateral Movement"),
        "API9:2023 Improper Inventory Management",
    ),
    Kind(
        "undocumented-operation",
        "a service answers on a path that no description has",
        UndocumentedOperationSettings,
        lambda settings, _view, _secret: UndocumentedOperation(settings),
        Technique("T1210", "Exploitation of Remote Services", "TA0008", "Lateral Movement"),
        "API9:2023 Improper Inventory Management",
    ),
    Kind(
        "two-places",
        "one identity is used from two places at once",
        TwoPlacesSettings,
        lambda settings, _view, _secret: TwoPlaces(settings),
        Technique("T1550", "Use Alternate Authentication Material", "TA0008", "Lateral Movement"),
        "API2:2023 Broken Authentication",
    ),
    Kind(
        "after-quarantine",
        "an identity is used after its quarantine",
        AfterQuarantineSettings,
        lambda settings, _view, _secret: AfterQuarantine(settings),
        Technique("T1078", "Valid Accounts", "TA0003", "Persistence"),
        "API2:2023 Broken Authentication",
    ),
    Kind(
        "lateral-movement",
        "edges that were never there follow one another",
        LateralMovementSettings,
        lambda settings, _view, _secret: LateralMovement(settings),
        Technique("T1021", "Remote Services", "TA0008", "Lateral Movement"),
        "API7:2023 Server Side Request Forgery",
    ),
)
REGISTRY: Mapping[str, Kind] = MappingProxyType({kind.slug: kind for kind in _KINDS})


def parse_settings(slug: str, values: object) -> msgspec.Struct:
    """Return the settings of a detector from plain values, as YAML or JSON gives them.

    Raises `DetectorSettingsError` for a detector that does not exist, a setting that it does not have, and a value that
    the setting cannot take.
    """
    kind = REGISTRY.get(slug)
    if kind is None:
        raise DetectorSettingsError(f"there is no detector `{slug}`", hint=f"there are {', '.join(REGISTRY)}")
    try:
        return msgspec.convert(values, kind.settings)
    except msgspec.ValidationError as error:
        names = ", ".join(kind.settings.__struct_fields__)
        raise DetectorSettingsError(
            f"the settings of `{slug}` cannot be used: {str(error)[:1].lower()}{str(error)[1:]}",
            hint=f"it has {names}; see docs/alerts/{slug}.md",
        ) from error
