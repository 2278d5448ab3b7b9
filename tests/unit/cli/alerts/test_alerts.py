"""The list of alerts, and what people do with them, as a person would."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from inward.alerting.alert import Alert, alert_id
from inward.alerting.keeping.database import FILE, Database
from inward.alerting.keeping.store import AlertStore
from inward.control.layout import Layout
from inward.envoy.log_folder import LogFolder
from inward.record.call import Call, timestamp
from inward.record.follow import Place
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

NOW = datetime.now(UTC)
NASTY = "a \x1b[2J\u202e caller"


def alert(subject: str = "visitor", **fields: Any) -> Alert:
    known: dict[str, Any] = {
        "id": alert_id("probing", subject),
        "time": timestamp(NOW),
        "began": timestamp(NOW - timedelta(minutes=1)),
        "detector": "probing",
        "severity": "high",
        "why": f"{subject} was refused 9 different operations",
        "caller": subject,
        "callee": "greeter",
        "count": 9,
        "calls": ("call-1", "call-2"),
    }
    return Alert(**{**known, **fields})


def keep(folder: Path, *alerts: Alert) -> None:
    layout = Layout.of(folder)
    store = AlertStore(Database(layout.state / FILE))
    store.begin(NOW - timedelta(days=1), Place(1, 0))
    store.commit(Place(1, 1), alerts)
    store.close()


def acts(folder: Path) -> list[dict[str, Any]]:
    found = LogFolder(Layout.of(folder).log("inward"), "acts")
    if not found.path.exists():
        return []
    return [json.loads(line) for number in found.numbers() for line in found.file(number).read_bytes().splitlines()]


def test_before_anything_was_watched(inward: Inward, system: Path) -> None:
    done = inward("alerts")
    assert (done.code, done.out) == (0, "")
    assert "nothing has been watched here yet: alerts are found while `inward up` runs" in done.err
    assert inward("alerts", "--json").out == ""
    assert inward("alerts", "show", "abcd").code == 1
    assert inward("alerts", "rules").code == 0
    del system


def test_nothing_found_says_since_when_what_is_watched(inward: Inward, system: Path) -> None:
    keep(system)
    done = inward("alerts")
    assert done.out == ""
    assert f"the record is watched since {timestamp(NOW - timedelta(days=1))[:19].replace('T', ' ')} UTC" in done.err
    assert "nobody watches now: `inward up` goes on where it was" in done.err


def test_the_list(inward: Inward, system: Path) -> None:
    keep(system, alert(), alert("other", severity="low", detector="volume"), alert(NASTY))
    done = inward("alerts")
    assert done.code == 0
    assert [line.split()[2] for line in done.out.splitlines()] == ["severity", "high", "high", "low"] or len(
        done.out.splitlines()
    ) == 4
    assert "\x1b[2J" not in done.out
    assert "\u202e" not in done.out
    lines = [json.loads(line) for line in inward("alerts", "--json", "--detector", "volume").out.splitlines()]
    assert [(line["caller"], line["state"], line["page"]) for line in lines] == [
        ("other", "open", "docs/alerts/volume.md")
    ]
    assert len(inward("alerts", "--json", "--limit", "1").out.splitlines()) == 1
    assert inward("alerts", "--since", "2099-01-01").out == ""
    event = json.loads(inward("alerts", "--ocsf", "--detector", "probing").out.splitlines()[0])
    assert event["class_uid"] == 2004
    assert event["finding_info"]["attacks"][0]["technique"]["uid"] == "T1046"


def test_one_in_full(inward: Inward, system: Path) -> None:
    keep(system, alert())
    with Recorder(Layout.of(system).record) as recorder:
        fields: dict[str, Any] = {"decision": "deny", "carried_out": "deny", "reason": "no_grant", "status": 403}
        named: dict[str, Any] = {"caller": "visitor", "callee": "greeter", "method": "GET", "path": "/x\x1b"}
        recorder.append([Call(time=timestamp(NOW), id="call-1", **fields, **named)])
    done = inward("alerts", "show", alert().id[:8])
    assert done.code == 0
    assert done.out.splitlines()[0] == "visitor was refused 9 different operations"
    assert "docs/alerts/probing.md" in done.out
    assert "GET /x\\x1b" in done.out
    assert "inward quarantine visitor" in done.out
    assert "inward alerts mute --detector probing --caller visitor --for 7d" in done.out
    found = inward("alerts", "show", alert().id[:8], "--json").json
    assert (found["count"], [call["id"] for call in found["found"]]) == (9, ["call-1"])


def test_a_name_that_is_no_word_stands_in_no_command(inward: Inward, system: Path) -> None:
    keep(system, alert("x; rm -rf /"))
    assert "rm -rf" not in inward("alerts", "show", alert("x; rm -rf /").id[:8]).out.partition("what to do")[2]


def test_acknowledged(inward: Inward, system: Path) -> None:
    keep(system, alert(), alert("other"))
    name = alert().id
    done = inward("alerts", "ack", name[:8], "--note", "a test")
    assert (done.code, done.out.startswith(f"{name[:12]} is acknowledged")) == (0, True)
    assert inward("alerts", "ack", name[:8], "--json").json == {"acknowledged": [{"id": name, "changed": False}]}
    assert len(inward("alerts", "--open", "--json").out.splitlines()) == 1
    assert "acknowledged" in inward("alerts").out
    assert "a test" in inward("alerts", "show", name[:8]).out
    assert [(act["what"], act["about"], act["detail"]) for act in acts(system)] == [("acknowledge", name, "a test")]
    assert acts(system)[0]["by"]
    before = len(acts(system))
    assert inward("alerts", "ack", alert("other").id[:8], "0000").code == 3  # nothing is done where one is wrong
    assert len(acts(system)) == before
    assert len(inward("alerts", "--open", "--json").out.splitlines()) == 1


def test_muted_and_no_longer(inward: Inward, system: Path) -> None:
    keep(system, alert())
    done = inward("alerts", "mute", "--detector", "probing", "--caller", "visitor", "--for", "2h", "--note", "busy")
    assert done.code == 0
    assert "detector probing, caller visitor" in done.out
    assert "to end it before: inward alerts unmute 1" in done.out
    assert "muted until" in inward("alerts", "show", alert().id[:8]).out
    assert [mute["number"] for mute in inward("alerts", "rules", "--json").json["mutes"]] == [1]
    assert inward("alerts", "unmute", "1", "--json").json["unmuted"]["caller"] == "visitor"
    assert inward("alerts", "unmute", "1").code == 3
    assert [act["what"] for act in acts(system)] == ["mute", "unmute"]
    assert acts(system)[0]["about"] == "detector probing, caller visitor"
    assert "no service `nobody`" in inward("alerts", "mute", "--caller", "nobody", "--for", "1d").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["mute", "--caller", "visitor"],
        ["mute", "--for", "1h"],
        ["mute", "--caller", "visitor", "--for", "1h", "--until", "2099-01-01"],
        ["mute", "--caller", "visitor", "--for", "for ever"],
        ["mute", "--caller", "visitor", "--for", "60w"],
        ["mute", "--caller", "visitor", "--until", "2020-01-01"],
        ["mute", "--detector", "prob", "--for", "1h"],
        ["mute", "--caller", "visitor", "--for", "1h", "--note", "a\nb"],
        ["ack", "zz"],
        ["ack", "abcd"],
        ["ack", "../x"],
        ["show", "%%%%"],
        ["unmute", "7"],
        ["--since", "yesterday"],
        ["--open", "rules"],
        ["replay", "--since", "x"],
        ["test", "--calls", "nothing.ndjson"],
    ],
)
def test_bad_input(inward: Inward, system: Path, arguments: list[str]) -> None:
    keep(system, alert())
    done = inward("alerts", *arguments)
    assert (done.code, done.err.count("\n")) == (3, 1), done
    assert acts(system) == []


RULE = "title: Refused\nlogsource: {product: inward, category: calls}\ndetection: {a: {decision: deny}, condition: a}\n"


def test_rules_are_checked_tried_and_replayed(inward: Inward, system: Path) -> None:
    (system / "alerts").mkdir()
    (system / "alerts" / "refused.yml").write_text(RULE)
    assert inward("alerts", "test").out == "the settings and 1 rule are right\n"
    assert inward("alerts", "test", "--json").json == {"rules": ["refused"]}
    call = Call(time=timestamp(NOW), id="call-1", decision="deny", carried_out="deny", reason="no_grant")
    (system / "calls.ndjson").write_bytes(msgspec.json.encode(call) + b"\n")
    (found,) = inward("alerts", "test", "--calls", "calls.ndjson", "--json").out.splitlines()
    assert json.loads(found)["detector"] == "sigma:refused"
    assert inward("alerts", "replay").code == 0
    with Recorder(Layout.of(system).record) as recorder:
        recorder.append([call, call])
    done = inward("alerts", "replay", "--since", "1h")
    assert (done.code, done.out.splitlines()[-1].partition(" since")[0]) == (2, "1 alert")
    assert inward("alerts", "replay", "--since", "2099-01-01").code == 0
    assert "sigma:refused" in inward("alerts", "rules").out
    (system / "alerts" / "refused.yml").write_text(RULE.replace("decision", "decison"))
    done = inward("alerts", "test")
    assert (done.code, done.err.startswith("alerts/refused.yml:3: calls have no field `decison`")) == (3, True)
    assert inward("check").err == done.err
    assert inward("alerts", "replay").code == inward("alerts", "rules").code == 3
    (system / "calls.ndjson").write_text("nonsense\n")
    (system / "alerts" / "refused.yml").unlink()
    assert inward("alerts", "test", "--calls", "calls.ndjson").err.startswith("inward: calls.ndjson:1: a line")


def test_a_damaged_file_says_so(inward: Inward, system: Path) -> None:
    (Layout.of(system).state / FILE).write_bytes(b"nonsense" * 999)
    done = inward("alerts")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "is damaged" in done.err
