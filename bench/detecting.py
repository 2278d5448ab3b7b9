"""How well the detectors find what was put into generated companies, how often they err, and what they cost.

Tuned on the seeds `TUNING`, judged on `JUDGING`: no setting was looked at with the latter. Beside them stand two
plain ways to watch the rate of each edge: a z-score over the last week, and a library's anomaly scores (river). The
same three on labelled series of the Numenta Anomaly Benchmark, where `INWARD_NAB` names its folder.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench.attacks import attacked_company
from bench.generated_company import SERVICES, START
from bench.report import Series
from inward.alerting.engine import Engine, EngineSettings
from inward.alerting.registry import REGISTRY
from inward.alerting.view import View
from inward.record.call import Call, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from bench.generated_company import Attack, Company
    from inward.record.call import Entry

    Watch: TypeAlias = Callable[[Company, str], Iterator[tuple[float, str, str]]]

TUNING = range(1, 10)
JUDGING = range(201, 213)
_AFTER = 1800.0  # seconds after an attack in which an alert is still one of it
_RATES = ("volume", "data-volume")


@dataclass
class Score:
    """Of one detector, or one way to watch rates."""

    attacks: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0
    days: float = 0.0
    delays: list[float] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of the attacks that it is there for that it found."""
        return self.found / self.attacks if self.attacks else float("nan")

    @property
    def precision(self) -> float:
        """The share of its alerts that are about an attack, whichever."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else float("nan")

    @property
    def false_a_day(self) -> float:
        """Alerts of a company about nothing, a day after the learning time."""
        return self.wrong / self.days if self.days else float("nan")


@dataclass(frozen=True, slots=True)
class Fired:
    """When which caller was told of, by which detector; one for each alert's id."""

    detector: str
    moment: float
    caller: str
    id: str


def alerts_of(company: Company) -> list[Fired]:
    """Return the first alert of each id."""
    engine = Engine(EngineSettings(), company.view, secret="bench")  # noqa: S106 - chosen, so that each run is the same
    first: dict[str, Fired] = {}
    for each in engine.feed(company.entries):
        moment = datetime.fromisoformat(each.time).timestamp()
        first.setdefault(each.id, Fired(each.detector, moment, each.caller or "", each.id))
    return list(first.values())


def judge(company: Company, fired: Iterable[Fired], scores: dict[str, Score], names: Sequence[str]) -> None:
    """Hold alerts against the attacks that were put in; adds to `scores`."""
    by_name: dict[str, list[Fired]] = defaultdict(list)
    for each in fired:
        by_name[each.detector].append(each)
    for name in names:
        score = scores[name]
        score.days += company.days - 7
        for each in by_name[name]:
            about = any(_is_about(each, attack) for attack in company.attacks)
            score.right += about
            score.wrong += not about
        for attack in company.attacks:
            if name not in attack.expected:
                continue
            score.attacks += 1
            moments = [each.moment for each in by_name[name] if _is_about(each, attack)]
            if moments:
                score.found += 1
                score.delays.append(max(0.0, min(moments) - attack.start))


def _is_about(fired: Fired, attack: Attack) -> bool:
    return fired.caller in attack.callers and attack.start - 1 <= fired.moment <= attack.end + _AFTER


def judged(
    seeds: Iterable[int],
    days: int = 30,
    kinds: tuple[str, ...] = (),
    services: int = SERVICES,
    *,
    plain: Mapping[str, Watch] | None = None,
) -> dict[str, Score]:
    """Return the score of each detector over the companies of `seeds`, and of all together by kind of attack."""
    scores: dict[str, Score] = defaultdict(Score)
    for seed in seeds:
        company = attacked_company(seed, days, kinds, services)
        fired = alerts_of(company)
        judge(company, fired, scores, tuple(REGISTRY))
        for attack in company.attacks:
            kind = scores[attack.kind]
            kind.attacks += 1
            moments = [each.moment for each in fired if _is_about(each, attack)]
            if moments:
                kind.found += 1
                kind.delays.append(max(0.0, min(moments) - attack.start))
        for name, watch in (plain or {}).items():
            for rate in _RATES:
                theirs = [Fired(f"{name}, {rate}", *each) for each in watch(company, rate)]
                _judge_as(company, theirs, scores, rate)
    return scores


def _judge_as(company: Company, fired: list[Fired], scores: dict[str, Score], rate: str) -> None:
    [name] = {each.detector for each in fired} or {""}
    if name:
        renamed = [Fired(rate, each.moment, each.caller, each.id) for each in fired]
        kept: dict[str, Score] = {rate: scores[name]}
        judge(company, renamed, kept, (rate,))


def print_scores(title: str, scores: dict[str, Score]) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for name in ("", "attacks", "recall", "precision", "false a day", "delay, min (median)"):
        table.add_column(name, justify="left" if not name else "right")
    for name, score in scores.items():
        alerts = score.days > 0
        table.add_row(
            name,
            str(score.attacks),
            f"{score.recall:.2f}",
            f"{score.precision:.2f}" if alerts else "",
            f"{score.false_a_day:.3f}" if alerts else "",
            f"{statistics.median(score.delays) / 60:.1f}" if score.delays else "",
        )
    Console(width=150).print(table)


def measure() -> Series:
    """Print how well, and return what it costs."""
    from bench.plain_rates import PLAIN  # noqa: PLC0415 - needs river, which tests do without

    print_scores(f"judged on {len(JUDGING)} companies of 30 days", judged(JUDGING, plain=PLAIN))
    if os.environ.get("INWARD_NAB"):
        from bench.labelled_series import print_series  # noqa: PLC0415 - only where there are any

        print_series(Path(os.environ["INWARD_NAB"]))
    series = Series("detectors, all together", "CPU µs a call", "20,000 calls a second")
    busy, company = _busy(10.0), attacked_company(TUNING[0])
    for _ in range(3):
        engine = Engine(EngineSettings(), View(dict.fromkeys(_names(500), ("pii",))))
        for name in ("20,000 calls a second", "the next as many"):
            _measure_one(series, name, engine, busy)
        _measure_one(series, "a month of a company", Engine(EngineSettings(), company.view), company.entries)
    return series


def _measure_one(series: Series, name: str, engine: Engine, entries: list[Entry]) -> None:
    before = time.process_time()
    engine.feed(entries)
    cpu = time.process_time() - before
    series.add(name, us=cpu / len(entries) * 1e6, kilobytes=len(engine.snapshot()) / 1000)


def _names(count: int) -> list[str]:
    return [f"s{number % 100}:op{number // 100}" for number in range(count)]


def _busy(seconds: float) -> list[Entry]:
    """Return 20,000 calls a second over 2,000 edges, each for one of a million objects."""
    chance, names = random.Random(1), _names(500)
    found: list[Entry] = []
    for number in range(int(seconds * 20_000)):
        moment = datetime.fromtimestamp(START + number / 20_000, UTC)
        operation = names[chance.randrange(500)]
        found.append(
            Call(
                time=timestamp(moment),
                id=f"c{number}",
                caller=f"s{(int(operation[1:3].rstrip(':')) + chance.randrange(1, 5)) % 100}",
                callee=operation.partition(":")[0],
                address=f"10.0.0.{chance.randrange(4)}",
                operation=operation,
                parameters={"id": str(chance.randrange(1_000_000))},
                decision="allow",
                carried_out="allow",
                reason="granted",
                policies=("p",),
                status=200,
                bytes_out=900,
            )
        )
    return found
