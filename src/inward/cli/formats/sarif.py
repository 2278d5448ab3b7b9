"""SARIF 2.1.0 (OASIS), as code scanning of GitHub, GitLab and Azure takes it: one run, a rule for each kind of entry.

Decisions that the standard leaves open:

- Paths are from the root of the git work tree, under the base `%SRCROOT%`, whose own place is not told: readers know
  it, and it is nobody else's business where a build machine keeps its files (section 3.14.14).
- `partialFingerprints` name what an entry is about, and neither its line nor its words, so that a result that moved, or
  that expires a day sooner, is the one that was there before. The second of the same kind about the same gets another.
- Texts are shown as they are. Readers replace `{0}` only where a result has arguments, and these have none, so braces
  are not doubled; `](` is taken apart, since it would make a link of what a file says (section 3.11.6).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from inward import __version__
from inward.cli.formats.entries import entries_of
from inward.cli.formats.rules import RULES

if TYPE_CHECKING:
    from inward.cli.formats.entries import Entry
    from inward.control.checking.steps import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "inward/v1"
_ROOT = "%SRCROOT%"
_RULE_INDEX = {kind: number for number, kind in enumerate(RULES)}


def render(report: Report, prefix: str) -> str:
    """Return the SARIF log; `prefix` leads from the repository's root to the system folder."""
    seen: Counter[str] = Counter()
    run = {
        "tool": {"driver": {"name": "inward", "version": __version__, "rules": _rules()}},
        # Several systems of one repository are told apart by what stands before the last slash.
        "automationDetails": {"id": f"inward/{prefix}"},
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the root of the repository"}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": int(report.exit_code)}],
        "results": [_result(entry, prefix, seen) for entry in entries_of(report)],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _rules() -> list[dict[str, Any]]:
    return [
        {
            "id": kind,
            "name": "".join(word.capitalize() for word in kind.split("_")),
            "shortDescription": {"text": rule.name},
            "fullDescription": {"text": rule.meaning},
            "help": {"text": f"{rule.meaning} {rule.help}"},
            "defaultConfiguration": {"level": rule.level},
        }
        for kind, rule in RULES.items()
    ]


def _result(entry: Entry, prefix: str, seen: Counter[str]) -> dict[str, Any]:
    artifact = {"uri": quote((prefix + entry.file).encode("utf-8", "surrogatepass")), "uriBaseId": _ROOT}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if entry.line is not None:
        physical["region"] = {"startLine": entry.line}
    return {
        "ruleId": entry.kind,
        "ruleIndex": _RULE_INDEX[entry.kind],
        "level": entry.level,
        "message": {"text": entry.text.replace("](", "] (")},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {FINGERPRINT: _fingerprint(entry, seen)},
    }


def _fingerprint(entry: Entry, seen: Counter[str]) -> str:
    digest = hashlib.sha256()
    for part in (entry.kind, entry.file, entry.key):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    same = digest.hexdigest()[:32]
    seen[same] += 1
    return f"{same}:{seen[same]}"
