from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from inward.control.layout import Layout
from inward.identity.private_files import private_folder
from inward.record.call import Call, Gap, timestamp
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

    from inward.record.call import Entry


def call(number: int, **fields: Any) -> Call:
    given = {
        "time": timestamp(datetime.now(UTC) - timedelta(seconds=100 - number)),
        "id": f"id-{number}",
        "caller": "visitor",
        "callee": "greeter",
        "operation": "greeter:getGreeting",
        "method": "GET",
        "path": f"/greetings/{number}",
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
        "policies": ("visitor-reads-greetings",),
        "status": 200,
        "duration_us": 1234,
    }
    return Call(**{**given, **fields})


def record(system: Path, *entries: Entry) -> None:
    layout = Layout.of(system)
    with Recorder(private_folder(layout.record)) as recorder:
        recorder.append(list(entries), [])


def test_an_empty_record_says_what_to_do(inward: Inward, system: Path) -> None:
    done = inward("calls")
    assert (done.code, done.out) == (0, "")
    assert "`inward up`" in done.err
    del system


def test_the_newest_come_last_and_no_more_than_the_limit(inward: Inward, system: Path) -> None:
    record(system, *(call(number) for number in range(60)))
    lines = inward("calls").out.splitlines()
    assert len([line for line in lines if "/greetings/" in line]) == 50
    assert "/greetings/59" in lines[-1]
    assert lines[-1].split()[-2:] == ["200", "1.2"]
    assert len(inward("calls", "--limit", "0", "--json").out.splitlines()) == 60
    assert "/greetings/58" in inward("calls", "--limit", "2").out.splitlines()[-2]


def test_what_was_refused_carries_its_reference(inward: Inward, system: Path) -> None:
    record(
        system,
        call(1),
        call(2, decision="deny", carried_out="deny", reason="no_grant", policies=(), status=403),
        call(3, decision="deny", carried_out="allow", reason="no_grant", policies=(), mode="observe"),
        call(4, decision="deny", carried_out="deny", reason="forbidden", policies=("never",), status=403),
        call(5, status=503, detail="upstream_reset_before_response_started"),
    )
    lines = inward("calls").out.splitlines()[1:]
    assert "id-1" not in lines[0]
    assert [line.split()[-1] for line in lines[1:]] == ["id-2", "id-3", "id-4", "id-5"]
    assert [
        word for line in lines for word in line.split() if word in {"allowed", "refused", "observed", "unreachable"}
    ] == [
        "allowed",
        "refused",
        "observed",
        "refused",
        "unreachable",
    ]
    assert "forbidden (never)" in lines[3]
    denied = inward("calls", "--denied", "--json").out.splitlines()
    assert len(denied) == 3


def test_hostile_content_and_absent_content(inward: Inward, system: Path) -> None:
    record(
        system,
        call(1, path="/\x1b[2J\n" + "x" * 5000, method="G\x07T"),
        call(2, caller=None, callee=None, operation=None, method=None, path=None, status=None, duration_us=None),
    )
    done = inward("calls")
    assert "\x1b" not in done.out
    assert "\x07" not in done.out
    assert len(done.out.splitlines()) == 3
    assert max(map(len, done.out.splitlines())) < 300
    assert "? → ?" in done.out


def test_gaps_are_shown(inward: Inward, system: Path) -> None:
    gap = Gap(time=timestamp(datetime.now(UTC)), why="the log was cut", service="greeter", lost_bytes=12)
    record(system, call(1), gap, call(2))
    lines = inward("calls").out.splitlines()
    assert "a gap of greeter, 12 bytes: the log was cut" in lines[2]
    assert "gap" in inward("calls", "--json").out.splitlines()[1]


def test_the_day_is_told_when_it_is_another(inward: Inward, system: Path) -> None:
    record(system, call(1, time="2020-01-01T12:00:00.000Z"), call(2, time="2020-01-02T12:00:00.000Z"))
    lines = inward("calls").out.splitlines()
    assert [lines[0], lines[3]] == ["2020-01-01 (UTC)", "2020-01-02 (UTC)"]


def test_names_that_do_not_exist(inward: Inward, system: Path) -> None:
    done = inward("calls", "--callee", "greter", "--operation", "greeter:getGreting")
    assert (done.code, done.out) == (0, "")
    assert "did you mean `greeter`?" in done.err
    assert "did you mean `greeter:getGreeting`?" in done.err
    del system


def test_calls_as_events_of_others(inward: Inward, system: Path) -> None:
    record(system, call(1), Gap(time="2026-08-01T12:00:00.000Z", why="lost"), call(2))
    lines = inward("calls", "--ocsf").out.splitlines()
    events = [msgspec.json.decode(line) for line in lines]
    assert [event["http_request"]["url"]["path"] for event in events] == ["/greetings/1", "/greetings/2"]
    assert {event["class_uid"] for event in events} == {6003}
    assert inward("calls", "--ocsf", "--caller", "nobody").out == ""


def test_any_field_can_be_asked_for(inward: Inward, system: Path) -> None:
    record(
        system,
        call(1, path="/greetings/{name}", parameters={"name": "ada"}, user="u-1", status=200),
        call(2, status=503, address="10.0.0.7", withheld=("pii.email",)),
        call(3, decision="deny", carried_out="deny", reason="no_grant", status=403, policies=()),
    )

    def found(*terms: str) -> list[str]:
        options = [part for term in terms for part in ("--where", term)]
        return [msgspec.json.decode(line)["id"] for line in inward("calls", "--json", *options).out.splitlines()]

    assert found("status>=500") == ["id-2"]
    assert found("status!=200") == ["id-2", "id-3"]
    assert found("user=u-1") == found("parameters.name=ada") == found("path=/greetings/ada") == ["id-1"]
    assert found("withheld=pii.email") == found("address~10.0") == ["id-2"]
    assert found("policies=") == ["id-3"]
    assert found("user=", "status<500") == ["id-3"]
    for wrong, said in (("nothing=1", "no condition"), ("status=many", "a whole number"), ("status", "no condition")):
        done = inward("calls", "--where", wrong)
        assert (done.code, said in done.err) == (3, True)


def test_until(inward: Inward, system: Path) -> None:
    record(system, *(call(number) for number in (1, 98)))
    out = inward("calls", "--json", "--until", "30s").out.splitlines()
    assert [msgspec.json.decode(line)["id"] for line in out] == ["id-1"]


def test_csv_is_harmless_in_a_spreadsheet(inward: Inward, system: Path) -> None:
    hostile = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a"b,c', "\x1b[2J", "\u202eabc"]
    record(system, *(call(number, path=path, user=path) for number, path in enumerate(hostile)))
    rows = list(csv.reader(io.StringIO(inward("calls", "--csv").out)))
    assert rows[0] == list(Call.__struct_fields__)
    users = [row[rows[0].index("user")] for row in rows[1:]]
    assert users == ["'=HYPERLINK(1)", "'+1", "'-1", "'@SUM(A1)", "\\t=1", "\\r=1", 'a"b,c', "\\x1b[2J", "\\u202eabc"]
    assert not any(cell[:1] in {"=", "+", "-", "@", "\t", "\r"} for row in rows for cell in row)


def test_json_moves_no_cursor(inward: Inward, system: Path) -> None:
    record(system, call(1, path="/\x1b[2J\x9b2J\u202e\x7f\U000e0041"))
    out = inward("calls", "--json").out
    assert out.rstrip("\n").isprintable()
    assert msgspec.json.decode(out)["path"] == "/\x1b[2J\x9b2J\u202e\x7f\U000e0041"


def test_sql(inward: Inward, system: Path) -> None:
    record(system, *(call(number, caller=f"caller-{number % 2}") for number in range(5)))
    sql = "SELECT caller, count(*) AS calls FROM calls GROUP BY 1 ORDER BY 1"
    assert [line.split() for line in inward("calls", "--sql", sql).out.splitlines()] == [
        ["caller", "calls"],
        ["caller-0", "3"],
        ["caller-1", "2"],
    ]
    as_json = [msgspec.json.decode(line) for line in inward("calls", "--sql", sql, "--json").out.splitlines()]
    assert as_json == [{"caller": "caller-0", "calls": 3}, {"caller": "caller-1", "calls": 2}]
    assert inward("calls", "--sql", sql, "--csv").out.split("\r\n")[1] == "caller-0,3"
    assert "nothing was found" in inward("calls", "--sql", "SELECT * FROM calls WHERE id = 'x'").err
    odd = "SELECT 'nan'::DOUBLE AS a, 2 AS a, histogram(time) AS h, '\uff1d1' AS f FROM calls"
    [as_json] = msgspec.json.decode("[" + inward("calls", "--sql", odd, "--json").out + "]")
    assert (as_json["a"], as_json["a_1"], list(as_json["h"].values())) == ("nan", 2, [1] * 5)
    assert inward("calls", "--sql", odd, "--csv").out.rstrip().endswith(",'\uff1d1")
    for arguments, said in (
        (["--sql", "DROP VIEW calls"], "only one SELECT"),
        (["--sql", "SELECT nothing FROM calls"], "nothing"),
        (["--sql", sql, "--denied"], "chooses by itself"),
    ):
        done = inward("calls", *arguments)
        assert (done.code, said in done.err, len(done.err.splitlines())) == (3, True, 1)
