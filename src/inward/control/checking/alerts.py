"""What `check` says of alerts: every mistake in `alerts` of inward.yaml and in the rules of the team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.alerting.sigma.load import FOLDER, rule_files
from inward.catalog.system import FILE
from inward.errors import InvalidSystemError

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.findings import Finding


def of_alerts(folder: Path) -> tuple[Finding, ...]:
    """Return no findings, as there are only mistakes: raises `InvalidSystemError` for those."""
    if not rule_files(folder) and FOLDER.encode() not in (folder / FILE).read_bytes():
        return ()
    # here, and not above: most systems say nothing of alerts, and all detectors have to be imported for it
    from inward.alerting.settings import load_settings  # noqa: PLC0415 - see above

    _, mistakes = load_settings(folder)
    if mistakes:
        raise InvalidSystemError(mistakes)
    return ()
