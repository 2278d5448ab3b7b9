"""`check`: reads a system, then takes one step after the other, each of which says what is wrong in its own way.

A step is a name and a function from what is checked to findings; what it adds to is `STEPS`, and nothing else. A step
that meets mistakes in files of its own raises `InvalidSystemError`, which does not keep the others from being taken.
Every format prints the same report.
"""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.control.bundle import SystemReader
from inward.control.checking.alerts import of_alerts
from inward.control.checking.cache import CheckCache, CheckMemo
from inward.control.checking.cases import of_tests
from inward.control.checking.data import of_data
from inward.control.checking.objects import of_objects
from inward.control.checking.parts import of_posture_by_parts
from inward.control.checking.routes import of_guards
from inward.control.findings import in_order, of_policies, of_services, of_slow_path
from inward.control.proofs import of_guardrails
from inward.control.sampling.undeclared import kept_history, of_undeclared
from inward.errors import ExitCode, InvalidSystemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from inward.control.bundle import Policy
    from inward.control.findings import Finding
    from inward.errors import Mistake

_OBJECTS = 200_000  # made between two looks for garbage
READING = "system"  # the step that has no function: without it there is nothing to look at


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: the system folder, what it was read as, the moment that counts as now, and what was known."""

    folder: Path
    system: Policy
    now: datetime
    memo: CheckMemo


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a check. `name` is what progress and reports call it; `look` yields what it finds."""

    name: str
    look: Callable[[Subject], Iterable[Finding]]


STEPS: tuple[Step, ...] = (
    Step("services", lambda subject: of_services(subject.system)),
    Step("policies", lambda subject: of_policies(subject.system, subject.now)),
    Step("tests", lambda subject: of_tests(subject.folder, subject.system)),
    Step("objects", lambda subject: of_objects(subject.system, subject.now)),
    Step("data", lambda subject: of_data(subject.system, subject.now)),
    Step("sampled answers", lambda subject: of_undeclared(subject.system, kept_history(subject.folder))),
    Step("alerts", lambda subject: of_alerts(subject.folder)),
    Step("guardrails", lambda subject: of_guardrails(subject.system, subject.now)),
    Step("posture", lambda subject: of_posture_by_parts(subject.system, subject.now, subject.memo.posture)),
    Step("slow path", lambda subject: of_slow_path(subject.system, subject.memo.verdicts)),
)
# Taken only where somebody wants it, since it runs the programs.
ROUTES = Step("guarded programs", lambda subject: of_guards(subject.folder, subject.system, os.environ))


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken, and what came of it, in the order of files and lines."""

    name: str
    findings: tuple[Finding, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `system` is None where its files have mistakes: then no step but reading was taken."""

    folder: Path
    system: Policy | None
    steps: tuple[Taken, ...]

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Everything for which the folder would not be enforced, or a step could not be taken."""
        return tuple(sorted({mistake for step in self.steps for mistake in step.mistakes}))

    @property
    def findings(self) -> list[Finding]:
        """Findings, then notes, of all steps together."""
        return in_order([finding for step in self.steps for finding in step.findings])

    @property
    def exit_code(self) -> ExitCode:
        """What `inward check` exits with."""
        if self.mistakes:
            return ExitCode.BAD_INPUT
        return ExitCode.REFUSED if any(each.level == "finding" for each in self.findings) else ExitCode.SUCCESS


def check(
    folder: Path,
    now: datetime,
    *,
    watch: Callable[[str, int, int], None] | None = None,
    cache: CheckCache | None = None,
    steps: Sequence[Step] = STEPS,
) -> Report:
    """Check the system in `folder` at a moment. Never raises for what is wrong in its files.

    `watch` is told what is being done, how much of it is done, and of how much. `cache` holds what an earlier check
    found out, and takes what this one does if it takes all the steps.
    """
    tell = watch or _nobody
    with _collecting_rarely():
        memo = cache.load() if cache else CheckMemo()
        try:
            system = SystemReader(folder, memo.system, tell).load()
        except InvalidSystemError as error:
            return Report(folder, None, (Taken(READING, mistakes=error.mistakes),))
        taken = [Taken(READING)]
        for number, step in enumerate(steps):
            tell(step.name, number, len(steps))
            taken.append(_take(step, Subject(folder, system, now, memo)))
        if cache and set(STEPS) <= set(steps):
            cache.store(memo)
    return Report(folder, system, tuple(taken))


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Look for garbage less often: nearly all objects of a system stay, and looking is a sixth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _take(step: Step, subject: Subject) -> Taken:
    try:
        return Taken(step.name, tuple(in_order(step.look(subject))))
    except InvalidSystemError as error:
        return Taken(step.name, mistakes=error.mistakes)


def _nobody(_what: str, _done: int, _of: int) -> None:
    """Watch nothing."""
