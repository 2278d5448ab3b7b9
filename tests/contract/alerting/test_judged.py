"""The detectors on made-up companies: a short form of the benchmark, held to loose bounds."""

from __future__ import annotations

from bench.detecting import judged

KINDS = ("objects", "functions", "flood", "bulk_data", "chain", "unused_grant", "stolen_token", "cut_off")
SEEDS = (901, 902)  # neither tuned nor judged on
DAYS, SERVICES = 19, 9


def test_attacks_are_found_and_everyday_calls_are_not_told_of() -> None:
    scores = judged(SEEDS, DAYS, KINDS, SERVICES)
    attacks = [score for name, score in scores.items() if name.startswith("API")]
    assert sum(score.attacks for score in attacks) >= 8
    assert sum(score.found for score in attacks) >= 0.75 * sum(score.attacks for score in attacks)
    quiet = [score for name, score in scores.items() if score.days and name != "first-seen-edge"]
    assert sum(score.wrong for score in quiet) <= 0.3 * len(SEEDS) * (DAYS - 7)
    assert scores["first-seen-edge"].false_a_day < 1.0
