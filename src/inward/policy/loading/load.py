"""Reads the policies of a system folder: `policies/<service>.cedar` and `guardrails.cedar`; and the types they name.

All mistakes are reported in one run, with file and line. Where there is any, no policy is returned: a forbid
that could not be read must not be a forbid that does not apply.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import cedarpy

from inward.errors import Mistake, Place
from inward.policy.loading.rules import GUARDRAILS, Parsed, Rules, nearest, shown, shown_line
from inward.policy.loading.source import MAX_FILE_BYTES, MAX_MISTAKES, Statement, parse_statements, read_regular
from inward.policy.loading.validate import Validator
from inward.policy.model import Policies, Policy
from inward.policy.resources.load import SUFFIX as TYPES_SUFFIX
from inward.policy.resources.load import load_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cedarpy import pst

    from inward.catalog.model import Catalog
    from inward.policy.resources.model import Resources

FOLDER = "policies"
SUFFIX = ".cedar"
MAX_REASON = 500  # characters
_TOGETHER = 500  # policies that are validated before it is seen whether there are mistakes enough
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ANNOTATIONS = frozenset({"id", "reason", "expires", "keep"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(_DATE.pattern + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})")

Span = tuple[int, int, int]  # the line at which a policy begins, and its two ends as offsets in the text


@dataclass
class Memo:
    """What one load found out, so that the next one looks only at what changed.

    `trees` are by source text, and are for the same process only. `spans` are where policies stand in files without a
    mistake of their own, by the file's hash.
    """

    trees: dict[str, Parsed] = field(default_factory=dict)
    valid: set[bytes] = field(default_factory=set)
    spans: dict[str, list[Span]] = field(default_factory=dict)


def load_policies(
    folder: Path, catalog: Catalog, memo: Memo | None = None, watch: Callable[[int, int], None] | None = None
) -> tuple[Policies, list[Mistake]]:
    """Load the policies of the system in `folder`; with any mistake there are none, and nothing is granted.

    A folder without policies is a system that grants nothing. A policy that has expired is loaded all the
    same. `memo` is kept up to date, and holds no more than the last load used. `watch` is told how many files are
    read, of how many.
    """
    resources, mistakes = load_resources(folder, catalog)
    reading = _Reading(catalog, memo if memo is not None else Memo(), resources, mistakes)
    files = list(reading.find(folder))
    for number, (service, name) in enumerate(files):
        if watch is not None:
            watch(number, len(files))
        reading.read(folder, service, name)
    return reading.finish()


class _Reading:
    """One run over the files of a system."""

    def __init__(self, catalog: Catalog, memo: Memo, resources: Resources, mistakes: list[Mistake]) -> None:
        self._catalog = catalog
        self._memo = memo
        self._trees: dict[str, Parsed] = {}
        self._spans: dict[str, list[Span]] = {}
        self._resources = resources
        self._rules = Rules(catalog, resources)
        self._validator = Validator(catalog, memo.valid, resources)
        self._policies: dict[str, Policy] = {}
        self._unread = {mistake.place.file.partition("/")[2].removesuffix(TYPES_SUFFIX) for mistake in mistakes}
        self._mistakes = mistakes

    def find(self, folder: Path) -> Iterator[tuple[str | None, str]]:
        """Yield the service (None: guardrails) and the name, relative to the folder, of each policy file."""
        if os.path.lexists(folder / GUARDRAILS):
            yield None, GUARDRAILS
        try:
            entries = sorted(os.scandir(folder / FOLDER), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except OSError as error:
            self._mistake(Place(FOLDER), f"the folder cannot be read: {error.strerror}")
            return
        for entry in entries:
            name = f"{FOLDER}/{entry.name}"
            service = entry.name.removesuffix(SUFFIX)
            if entry.name.startswith(".") or not (entry.is_dir() or entry.name.lower().endswith(SUFFIX)):
                continue  # an editor's files, a README
            if entry.is_dir():
                self._mistake(Place(shown(name)), "a folder here is not read", "put its files right into policies/")
            elif entry.name == GUARDRAILS and service not in self._catalog.services:
                self._mistake(Place(name), "guardrails stand beside inward.yaml", f"move it to {GUARDRAILS}")
            elif service not in self._catalog.services:
                hint = nearest(service, self._catalog.services) or "name it after the service that it grants"
                self._mistake(Place(shown(name)), f"there is no service `{shown(service)}`", hint)
            else:
                yield service, name

    def read(self, folder: Path, service: str | None, name: str) -> None:
        """Read one file; `service` is whose it is, None for the guardrails."""
        try:
            data = read_regular(folder / name, MAX_FILE_BYTES)
        except OSError as error:
            self._mistake(Place(name), f"the file cannot be read: {error.strerror or error}")
            return
        statements, mistakes = self._split(data, name)
        self._parse_together(statements)
        policies: list[Policy] = []
        # a policy is not to be blamed for a type whose declaration cannot be read
        types_known = not (self._unread if service is None else service in self._unread)
        for statement in statements:
            if len(mistakes) >= MAX_MISTAKES:
                break
            place = Place(name, statement.line)
            parsed = self._parse(statement, place, mistakes)
            if parsed is None:
                continue
            found = _annotated(parsed.tree, service, place, statement.text, mistakes)
            findings = self._rules.check(parsed, service) if types_known else []
            mistakes += (Mistake(place, what, hint) for what, hint in findings)
            if found is None:
                continue
            if (other := self._policies.setdefault(found.id, found)) is not found:
                mistakes.append(Mistake(place, f"the id `{found.id}` is taken by {other.place}", "choose another one"))
            elif types_known and not findings:
                policies.append(found)
        self._validate(policies, service, mistakes)
        self._mistakes += mistakes[:MAX_MISTAKES]
        if len(mistakes) > MAX_MISTAKES:
            self._mistake(Place(name), f"{len(mistakes) - MAX_MISTAKES} more mistakes")

    def _validate(self, policies: list[Policy], service: str | None, mistakes: list[Mistake]) -> None:
        """Add what Cedar finds wrong, until it is enough to begin with: to name all of a large file takes long."""
        for start in range(0, len(policies), _TOGETHER):
            if len(mistakes) >= MAX_MISTAKES:
                return
            some = policies[start : start + _TOGETHER]
            invalid = self._validator.check([(policy.text, self._trees[policy.text]) for policy in some], service)
            mistakes += (
                Mistake(some[number].place, what, hint)
                for number, findings in sorted(invalid.items())
                for what, hint in findings
            )

    def finish(self) -> tuple[Policies, list[Mistake]]:
        """Return what was read."""
        self._memo.trees, self._memo.valid, self._memo.spans = self._trees, self._validator.used, self._spans
        if self._mistakes:
            return Policies.of(()), sorted(set(self._mistakes))
        return Policies.of(self._policies.values(), self._resources), []

    def _mistake(self, place: Place, what: str, hint: str = "") -> None:
        self._mistakes.append(Mistake(place, what, hint))

    def _split(self, data: bytes, name: str) -> tuple[list[Statement], list[Mistake]]:
        """Split a file into policies, or take them from where they stood in it before."""
        digest = hashlib.sha256(data).hexdigest()
        spans = self._memo.spans.get(digest)
        if spans is not None:
            self._spans[digest] = spans
            text = data.decode("utf-8")
            return [Statement(text[start:end], line, start, end) for line, start, end in spans], []
        statements, mistakes = parse_statements(data, name)
        if not mistakes:
            self._spans[digest] = [(each.line, each.start, each.end) for each in statements]
        return statements, mistakes

    def _parse_together(self, statements: Sequence[Statement]) -> None:
        """Parse what is new in a file at once, in half the time; where that fails, `_parse` says which one is wrong."""
        known = self._memo.trees
        new = list(dict.fromkeys(statement.text for statement in statements if statement.text not in known))
        try:
            parsed = cedarpy.PolicySet.from_str("\n".join(new)).to_pst()
        except ValueError:
            return
        if parsed.templates or len(parsed.static_policies) != len(new):
            return
        # Cedar numbers policies by where they stand, and each text ends with the one `;` in it
        known |= {text: Parsed.of(parsed.static_policies[f"policy{number}"]) for number, text in enumerate(new)}

    def _parse(self, statement: Statement, place: Place, mistakes: list[Mistake]) -> Parsed | None:
        """Return the syntax tree of one policy."""
        found = self._memo.trees.get(statement.text)
        if found is None:
            try:
                parsed = cedarpy.PolicySet.from_str(statement.text).to_pst()
            except ValueError as error:
                what = shown_line(str(error).removeprefix("cedarpy: "))
                mistakes.append(Mistake(place, f"no valid Cedar policy: {what}"))
                return None
            if parsed.templates:
                mistakes.append(Mistake(place, "a template: `?principal` and `?resource` have no value here"))
                return None
            if len(parsed.static_policies) != 1:
                mistakes.append(Mistake(place, "not one policy", "close each policy with `;`"))
                return None
            found = Parsed.of(next(iter(parsed.static_policies.values())))
        self._trees[statement.text] = found
        return found


def _annotated(
    tree: pst.Template, service: str | None, place: Place, text: str, mistakes: list[Mistake]
) -> Policy | None:
    """Return the policy that the annotations of `tree` make of it, or None after adding to `mistakes`."""
    found: list[tuple[str, str]] = []
    annotations = tree.annotations
    identifier, reason = annotations.get("id", ""), annotations.get("reason", "")
    for name in sorted(annotations.keys() - _ANNOTATIONS):
        known = nearest(name, _ANNOTATIONS)
        found.append((f"unknown annotation `@{shown(name)}`", known or "there are @id, @reason, @expires and @keep"))
    if not identifier:
        found.append(("a policy without @id", 'write @id("…") before it'))
    elif not _ID.fullmatch(identifier):
        found.append((f"the id `{shown(identifier)}`", "use up to 100 letters, digits, dots, dashes and underscores"))
    found += _reasons(annotations)
    expires = None
    if "expires" in annotations:
        expires = parse_expiry(annotations["expires"])
        if expires is None:
            what = f"the expiry `{shown(annotations['expires'])}`"
            found.append((what, "write a day such as 2027-06-30, or a time such as 2027-06-30T12:00:00Z"))
    mistakes += (Mistake(place, what, hint) for what, hint in found)
    if found:
        return None
    tree = dataclasses.replace(tree, id=identifier)  # so that Cedar names it in what it answers
    return Policy(identifier, tree.effect, reason, expires, service, place, text, tree)


def _reasons(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the sentences that the annotations of a policy hold, and what to do."""
    reason, keep = annotations.get("reason", ""), annotations.get("keep")
    if not reason.strip():
        yield "a policy without @reason", 'write @reason("…") before it: who needs this, and why'
    if keep is not None and not keep.strip():
        yield "a @keep without a reason", 'write @keep("…"): why it is kept though nobody uses it'
    if any(len(text) > MAX_REASON or not text.isprintable() for text in (reason, keep or "") if text.strip()):
        yield "a reason that is no single line", f"use up to {MAX_REASON} printable characters"


def parse_expiry(text: str) -> datetime | None:
    """Return the first moment (UTC) at which that `@expires` no longer holds; None if it is no expiry.

    A day (`2027-06-30`) holds to its end; a time (RFC 3339 section 5.6, with upper-case `T` and `Z`) is the
    moment.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        return datetime.fromisoformat(text).astimezone(UTC) if _DATE_TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None
