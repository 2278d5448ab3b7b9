from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.unit.policy.cases.conftest import NOW

from inward.policy.cases import read as reading
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from tests.unit.policy.cases.conftest import Read

GOOD = """
callers:
  sellers: [checkout, orders]
requests:
  seven: {path: {id: 7}}
  eight: {path: {id: 8}}
tests:
  - name: what sellers do
    callers: [sellers, reporting]
    operations: [orders:getOrder, "checkout:write"]
    requests: [seven, eight]
    allow:
      sellers: [checkout:pay]
      "*":
        orders:read: [eight]
  - name: later
    now: 2027-06-30T01:00:00+02:00
    callers: [reporting]
    operations: [orders:createOrder]
    reason: expired
"""


def test_a_test_is_the_product_of_its_lists_and_what_is_not_listed_is_refused(read: Read) -> None:
    (first, second), mistakes = read(NOW + GOOD)
    assert mistakes == []
    assert (first.name, str(first.place)) == ("what sellers do", "policies/orders.test.yaml:9")
    assert [(case.name, case.allowed) for case in first.cases] == [
        ("checkout → orders:getOrder with seven", False),
        ("checkout → orders:getOrder with eight", True),
        ("checkout → checkout:pay with seven", True),
        ("checkout → checkout:pay with eight", True),
        ("orders → orders:getOrder with seven", False),
        ("orders → orders:getOrder with eight", True),
        ("orders → checkout:pay with seven", True),
        ("orders → checkout:pay with eight", True),
        ("reporting → orders:getOrder with seven", False),
        ("reporting → orders:getOrder with eight", True),
        ("reporting → checkout:pay with seven", False),
        ("reporting → checkout:pay with eight", False),
    ]
    assert (first.now, first.reason) == (datetime(2027, 1, 15, 12, tzinfo=UTC), None)
    assert (second.now, second.reason) == (datetime(2027, 6, 29, 23, tzinfo=UTC), Reason.EXPIRED)
    assert [(case.name, case.request.path) for case in second.cases] == [("reporting → orders:createOrder", "/orders")]


def test_every_mistake_is_told_with_its_line_and_no_test_is_returned(read: Read) -> None:
    tests, mistakes = read("""colour: red
now: 2027-01-15
callers:
  checkout: [orders]
  nobody: []
requests:
  unused: {}
  seven: {path: {id: 7}}
  typed: {pth: x}
tests:
  - name: one
    callers: [chekout, reporting, reporting]
    operations: [orders:getOder, oders:getOrder, getOrder, "reporting:*"]
    requests: [sevn, typed]
    reason: because
    allow: {payments: [payments:charge]}
  - name: one
    callers: []
    operations: orders:createOrder
    colour: red
    allow: {reporting: {}}
  - callers: [reporting]
    operations: [orders:getOrder]
    requests: [seven]
    allow:
      payments: [orders:getOrder]
      reporting: [orders:createOrder]
  - name: needy
    callers: [reporting]
    operations: [orders:getOrder]
    allow: {reporting: {orders:getOrder: [seven]}}
  - text
""")
    assert tests == ()
    assert mistakes == [
        "1: unknown key `colour` (known are `now`, `callers`, `requests`, `tests`)",
        "2: `2027-01-15` is no time (write it as 2027-01-15T12:00:00Z)",
        "4: `checkout` stands for a service already (give the list another name)",
        "5: `nobody` names no service",
        "5: no test uses `nobody` (take it out)",
        "7: no test uses `unused` (take it out)",
        "9: unknown key `pth` (did you mean `path`?)",
        "12: `reporting` stands here a second time (keep one)",
        "12: there is no caller `chekout` (did you mean `checkout`?)",
        "13: `reporting:*` stands for no operation",
        "13: there is no operation `getOrder` (an operation is written `service:name`, such as `orders:getOrder`)",
        "13: there is no operation `oders:getOrder` (did you mean `orders`?)",
        "13: there is no operation `orders:getOder` (did you mean `orders:getOrder`?)",
        "14: there is no request `sevn` (did you mean `seven`?)",
        (
            "15: `because` is no reason for which policies refuse (known are `no_grant`, `condition`, `expired`, "
            "`forbidden`, `bad_parameter`, `policy_error`)"
        ),
        (
            "16: the test does not ask about the caller `payments` (take it out, or put it into the test's list of "
            "callers too)"
        ),
        "17: the test `one` stands here a second time, first at policies/orders.test.yaml:11",
        "18: `callers` names no caller",
        "19: `operations` must be a list and is text",
        "20: unknown key `colour` (known are `name`, `now`, `callers`, `operations`, `requests`, `allow`, `reason`)",
        "21: `reporting` names no operation",
        "22: item 3 of `tests` has no `name` (say in a few words what it shows)",
        (
            "26: the test does not ask about the caller `payments` (take it out, or put it into the test's list of "
            "callers too)"
        ),
        (
            "27: the test does not ask about the operation `orders:createOrder` (take it out, or put it into the "
            "test's list of operations too)"
        ),
        "28: `orders:getOrder` needs the path parameter `id` (name a request that has it)",
        (
            "31: the test does not ask about the request `seven` (take it out, or put it into the test's list of "
            "requests too)"
        ),
        "32: item 5 of `tests` must be a mapping and is text",
    ]


@pytest.mark.parametrize(
    "now",
    ["2027-01-15", "2027-01-15T12:00:00", "12:00", "now", "0001-01-01T00:00:00+14:00", "2027-02-30T12:00:00Z"],
)
def test_a_time_without_a_zone_or_a_day_is_no_time(read: Read, now: str) -> None:
    (mistake,) = read(f"now: {now}\n" + GOOD)[1]
    assert mistake == f"1: `{now}` is no time (write it as 2027-01-15T12:00:00Z)"


def test_each_test_without_a_request_is_told_what_is_missing(read: Read) -> None:
    lines = [f"- {{name: {name}, callers: [orders], operations: [orders:getOrder]}}\n" for name in "ab"]
    missing = "`orders:getOrder` needs the path parameter `id` (name a request that has it)"
    assert read(NOW + "tests:\n" + "".join(lines))[1] == [f"3: {missing}", f"4: {missing}"]


def test_no_list_is_named_like_what_stands_for_every_service(read: Read) -> None:
    text = GOOD.replace("callers:\n", 'callers:\n  "*": [orders]\n', 1)
    assert read(NOW + text)[1] == ["4: `*` stands for every service already (give the list another name)"]


def test_no_day_decides_what_a_test_says(read: Read) -> None:
    tests, (mistake,) = read("tests: [{name: a, callers: [orders], operations: [orders:createOrder]}]")
    assert tests == ()
    assert mistake.startswith("1: the document has no `now` (a time such as")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("users: {ann: {}}\n" + GOOD, 2),
        (GOOD.replace("seven: {", "seven: {users: ann, "), 6),
        (GOOD.replace("    reason: expired", "    users: [ann]"), 21),
    ],
)
def test_end_users_get_an_answer_of_their_own(read: Read, text: str, line: int) -> None:
    assert read(NOW + text)[1] == [f"{line}: policies cannot read end users yet, so tests have none (take `users` out)"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "1: the document must be a mapping and is empty"),
        ("[]", "1: the document must be a mapping and is a list"),
        (NOW, "1: the document has no `tests`"),
        (NOW + "tests: []", "2: there is no test in it"),
        (NOW + "tests: {}", "2: `tests` must be a list and is a mapping"),
        (NOW + "tests: [", "3: is not valid YAML: did not find expected node content while parsing a flow node"),
        (NOW + "callers: 1\n" + "".join(GOOD.partition("requests:")[1:]).replace("sellers", "orders"), "2: `callers`"),
        (NOW + 'requests: {"": {}}\n' + "".join(GOOD.partition("tests:")[1:]), "2: `` cannot be the name of a request"),
    ],
)
def test_what_is_no_test_file(read: Read, text: str, what: str) -> None:
    tests, mistakes = read(text)
    assert tests == ()
    assert mistakes[0].startswith(what)


def test_a_reason_with_nothing_refused_is_a_mistake(read: Read) -> None:
    text = GOOD + "    allow: {reporting: [orders:createOrder]}\n"
    assert read(NOW + text)[1] == ["17: it expects the reason `expired`, and no refusal"]


def test_a_name_must_fit_a_line(read: Read) -> None:
    for name in ('"a\\nb"', "x" * 201):
        (mistake,) = read(NOW + GOOD.replace("what sellers do", name))[1]
        assert mistake == "9: a name that is no single line of up to 200 printable characters"


def test_the_number_of_cases_is_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_CASES", 13)
    assert read(NOW + GOOD)[1] == []
    monkeypatch.setattr(reading, "MAX_CASES", 12)
    assert read(NOW + GOOD)[1] == ["17: with this test the file has more than 12 cases (split it, or ask about fewer)"]
    monkeypatch.setattr(reading, "MAX_CASES", 13)
    monkeypatch.setattr(reading, "MAX_LISTED", 6)
    assert read(NOW + GOOD)[1] == ["15: `allow` lists the same cases again and again (list each once)"]


def test_mistakes_without_end_are_cut_short(read: Read) -> None:
    names = ", ".join(f"r{number}" for number in range(250))
    text = f"tests: [{{name: a, callers: [orders], operations: [orders:createOrder], requests: [{names}]}}]"
    mistakes = read(NOW + text)[1]
    assert len(mistakes) == 101
    assert " 150 more mistakes" in mistakes


def test_aliases_that_multiply_are_refused(read: Read) -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 50)}]" for n in range(1, 6)]
    tests, (mistake,) = read("\n".join(lines))
    assert tests == ()
    assert "aliases that stand for more than" in mistake
