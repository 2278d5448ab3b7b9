"""JUnit XML: suites of cases, as CI systems show them beside the tests of programs.

There is no standard; this is the part of the format that Jenkins, GitLab and GitHub's reporters all read: `testsuites`
over `testsuite` over `testcase`, a `failure` in those that failed, `file` and `line` as attributes. No times are
given: they would make two runs over the same files differ. XML 1.0 cannot hold most control characters, not even
escaped (section 2.2), so what a file or a name brings in is written as a visible escape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from inward.cli.formats.entries import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.control.checking.steps import Report, Taken

_NO_XML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was looked at; `failure` says what was wrong, its first line in short; `line` counts from 1."""

    name: str
    classname: str
    failure: str | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases under one name."""

    name: str
    cases: Sequence[Case]

    @property
    def failures(self) -> int:
        """How many of its cases failed."""
        return sum(case.failure is not None for case in self.cases)


def render(suites: Sequence[Suite]) -> str:
    """Return the XML document; a case's failure is its message, the first line of it is the attribute."""
    tests, failures = sum(len(suite.cases) for suite in suites), sum(suite.failures for suite in suites)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites{_attributes(name='inward', tests=tests, failures=failures, errors=0)}>")
    for suite in suites:
        counts = _attributes(name=suite.name, tests=len(suite.cases), failures=suite.failures, errors=0, skipped=0)
        lines.append(f"  <testsuite{counts}>")
        lines += [line for case in suite.cases for line in _case(case)]
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _case(case: Case) -> Iterator[str]:
    named = _attributes(name=case.name, classname=case.classname, file=case.file, line=case.line)
    if case.failure is None:
        yield f"    <testcase{named}/>"
        return
    yield f"    <testcase{named}>"
    first = case.failure.partition("\n")[0]
    yield f"      <failure{_attributes(message=first, type='failure')}>{escape(_visible(case.failure))}</failure>"
    yield "    </testcase>"


def _attributes(**values: str | int | None) -> str:
    """Return attributes, a space before each; those that are None are left out."""
    return "".join(f" {name}={quoteattr(_visible(str(value)))}" for name, value in values.items() if value is not None)


def _visible(text: str) -> str:
    return _NO_XML.sub(lambda found: ascii(found[0])[1:-1], text)


def suites_of(report: Report, prefix: str) -> list[Suite]:
    """Return a check as suites, one a step: what is wrong has failed, a note has passed.

    A step that found nothing is one case that has passed, so that it can be seen to have been taken.
    """
    return [Suite(step.name, [*_cases_of(step, prefix)] or [Case(step.name, "inward")]) for step in report.steps]


def _cases_of(step: Taken, prefix: str) -> Iterator[Case]:
    for entry in entries_of(step):
        failure = None if entry.level == "note" else entry.text
        yield Case(f"{entry.kind}: {entry.key}", entry.file, failure, prefix + entry.file, entry.line)
