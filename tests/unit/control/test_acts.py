"""Acts: each is in the record once, whoever noted it and whether or not the system runs."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inward.control.acts import KIND, SERVICE, ActError, account, changes_of, note_act, parse_act
from inward.control.bundle import load_policy
from inward.control.layout import Layout
from inward.control.recording.intake import Intake
from inward.identity.private_files import private_folder
from inward.record.call import Act, Call, Gap
from inward.record.filter import Filter
from inward.record.reader import read_calls, read_entries
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from inward.record.call import Entry

YAML = """\
trust_domain: shop.internal
services:
  orders: {owner: team-orders, api: apis/orders.yaml, listen: '127.0.0.1:0', run: 'x {socket}'}
  checkout: {owner: team-checkout}
"""
API = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders:
    get: {operationId: listOrders, responses: {'200': {description: done}}}
    post: {operationId: createOrder, responses: {'200': {description: done}}}
"""
GRANT = """\
@id("%s")
@reason("%s")
permit (principal == Service::"checkout", action == Action::"orders:listOrders", resource == Service::"orders");
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    for name, content in {"inward.yaml": YAML, "apis/orders.yaml": API}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return Layout.of(tmp_path)


def recorded(layout: Layout) -> list[Entry]:
    """Take what was noted into the record, as `inward up` does; return what is in it now."""
    with Recorder(private_folder(layout.record)) as recorder:
        intake = Intake(layout, recorder, lambda: load_policy(layout.system).catalog, pytest.fail)
        intake.follow_left()
        intake.drain()
    return list(read_entries(layout.record))


def test_an_act_is_recorded_once(layout: Layout) -> None:
    note_act(layout, "quarantine", "orders", detail="odd calls", by="ada")
    note_act(layout, "release", "orders")
    acts = recorded(layout)
    assert [(act.what, act.about, act.detail, act.by) for act in acts if isinstance(act, Act)] == [
        ("quarantine", "orders", "odd calls", "ada"),
        ("release", "orders", None, None),
    ]
    assert recorded(layout) == acts
    note_act(layout, "start")
    assert len(recorded(layout)) == 3
    assert list(read_calls(layout.record)) == []


def test_acts_of_many_processes_are_all_there(layout: Layout) -> None:
    code = f"""
from pathlib import Path
from inward.control.acts import note_act
from inward.control.layout import Layout
for number in range(40):
    note_act(Layout.of(Path({str(layout.system)!r})), "start", str(number))
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [each.wait() for each in running] == [0] * 4
    assert len(recorded(layout)) == 160
    assert all(isinstance(each, Act) for each in recorded(layout))


def test_a_line_without_an_end_spoils_no_other(layout: Layout) -> None:
    note_act(layout, "start")
    (log,) = layout.log(SERVICE).glob(f"{KIND}-*.log")
    with log.open("ab") as file:
        file.write(b'{"kind":"act","ti')
    note_act(layout, "stop")
    found = recorded(layout)
    assert [type(each) for each in found] == [Act, Gap, Act]
    assert isinstance(found[1], Gap)
    assert found[1].why == "a line of the log of acts is none"


@pytest.mark.parametrize("line", [b"", b"{}", b"[", b'{"kind":"gap","time":"","why":""}', b"\xff", b'{"kind":"act"}'])
def test_what_is_no_act_is_none(line: bytes) -> None:
    assert parse_act(line, "inward/acts-00000001.log:1") is None


def test_what_cannot_be_noted_is_told(layout: Layout) -> None:
    layout.log(SERVICE).parent.mkdir(parents=True)
    layout.log(SERVICE).write_text("in the way")
    with pytest.raises(ActError, match="`quarantine` cannot be noted for the record"):
        note_act(layout, "quarantine")


def test_acts_are_shown_where_nothing_is_asked_of_calls() -> None:
    act = Act(time="2026-11-26T12:00:00.000Z", what="start")
    call = Call(time=act.time, id="1", decision="allow", carried_out="allow", reason="granted")
    assert Filter().matches(act)
    assert Filter(acts=True).matches(act)
    assert not Filter(acts=True).matches(call)
    renewed = Act(time=act.time, what="identity")
    assert (Filter().matches(renewed), Filter(acts=True).matches(renewed)) == (False, True)
    for asked in (Filter(denied=True), Filter(caller="a"), Filter(callee="a"), Filter(operation="a:b")):
        assert not asked.matches(act)


def test_a_change_of_the_folder_is_told_by_what_it_does(layout: Layout) -> None:
    policies = layout.system / "policies"
    policies.mkdir()
    (policies / "orders.cedar").write_text(GRANT % ("one", "a") + GRANT % ("two", "b"))
    old = load_policy(layout.system)
    (policies / "orders.cedar").write_text(GRANT % ("two", "c") + GRANT % ("three", "b"))
    (layout.system / "inward.yaml").write_text(
        YAML.replace("'x {socket}'", "'x {socket}', mode: observe, operations: {createOrder: {mode: enforce}}")
    )
    new = load_policy(layout.system)
    assert changes_of(old, new) == [
        ("policy", new.version, f"in the place of {old.version}; added: three; removed: one; changed: two"),
        ("mode", "orders", "enforce to observe"),
    ]
    assert changes_of(new, old)[1:] == [("mode", "orders", "observe to enforce")]


def test_a_change_of_what_the_record_keeps_is_told(layout: Layout) -> None:
    old = load_policy(layout.system)
    (layout.system / "inward.yaml").write_text(YAML + "record: {users: drop}\n")
    new = load_policy(layout.system)
    (what, about, detail), *more = changes_of(old, new)
    assert (what, about, more) == ("policy", new.version, [])
    assert detail == f"in the place of {old.version}; what the record keeps was changed"


def test_the_account_has_a_name() -> None:
    assert account() == pwd.getpwuid(os.getuid()).pw_name
