from __future__ import annotations

import dataclasses
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import cedarpy
import pytest

from inward.policy.loading.load import Memo, load_policies, parse_expiry
from inward.policy.loading.source import MAX_MISTAKES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.model import Policies

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]

ORDERS = "policies/orders.cedar"
SCOPE = 'permit (principal, action == Action::"orders:getOrder", resource);'
GOOD = f'@id("a")\n@reason("b")\n{SCOPE}\n'


def test_a_system_without_policies_grants_nothing(shop: Catalog, tmp_path: Path) -> None:
    policies, mistakes = load_policies(tmp_path, shop)
    assert (len(policies), mistakes) == (0, [])


def test_what_a_policy_says_of_itself(load: Load) -> None:
    text = f'// first\n\n@id("web-1") @reason("so that; it works")\n@expires("2027-06-30")\n{SCOPE}'
    guardrail = '@id("never") @reason("r") forbid (principal, action, resource) when { principal == resource };'
    policies, mistakes = load({ORDERS: text, "guardrails.cedar": guardrail})
    assert mistakes == []
    assert list(policies.by_id) == ["never", "web-1"]
    grant, never = policies.by_id["web-1"], policies.by_id["never"]
    assert (grant.effect, grant.reason, grant.file_owner) == ("permit", "so that; it works", "orders")
    assert grant.expires == datetime(2027, 7, 1, tzinfo=UTC)
    assert str(grant.place) == "policies/orders.cedar:3"
    assert grant.text == text.partition("\n\n")[2]
    assert grant.pst.id == "web-1"
    assert not grant.conditional
    assert (never.effect, never.file_owner, never.conditional, never.expires) == ("forbid", None, True, None)


def test_a_policy_that_has_expired_is_loaded(load: Load) -> None:
    policies, mistakes = load({ORDERS: f'@id("a") @reason("b") @expires("1999-12-31") {SCOPE}'})
    assert (len(policies), mistakes) == (1, [])


def test_a_policy_may_say_why_it_is_kept(load: Load) -> None:
    policies, mistakes = load({ORDERS: f'@id("a") @reason("b") @keep("c") {SCOPE} @id("d") @reason("e") {SCOPE}'})
    assert ([each.keep for each in policies], mistakes) == (["c", None], [])


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (f'@reason("r") {SCOPE}', 'a policy without @id (write @id("…") before it)'),
        (f'@id("") @reason("r") {SCOPE}', 'a policy without @id (write @id("…") before it)'),
        (f'@id("a") {SCOPE}', "a policy without @reason"),
        (f'@id("a") @reason(" ") {SCOPE}', "a policy without @reason"),
        (f'@id("a b") @reason("r") {SCOPE}', "the id `a b`"),
        (f'@id("ä") @reason("r") {SCOPE}', "the id `ä`"),
        (f'@id("a\\n") @reason("r") {SCOPE}', r"the id `a\n`"),
        (f'@id("{"a" * 101}") @reason("r") {SCOPE}', "the id `aaaa"),
        (f'@id("a") @reason("b\\u{{1b}}c") {SCOPE}', "a reason that is no single line"),
        (f'@id("a") @reason("{"b" * 501}") {SCOPE}', "a reason that is no single line"),
        (f'@id("a") @reason("r") @keep {SCOPE}', "a @keep without a reason"),
        (f'@id("a") @reason("r") @keep(" ") {SCOPE}', "a @keep without a reason"),
        (f'@id("a") @reason("r") @keep("b\\nc") {SCOPE}', "a reason that is no single line"),
        (f'@id("a") @reason("b") @expires("tomorrow") {SCOPE}', "the expiry `tomorrow`"),
        (f'@id("a") @reason("b") @expires {SCOPE}', "the expiry ``"),
        (
            f'@id("a") @reason("b") @expire("2030-01-01") {SCOPE}',
            "unknown annotation `@expire` (did you mean `expires`?)",
        ),
        (f'@id("a") @id("b") @reason("b") {SCOPE}', "no valid Cedar policy: duplicate annotation: @id"),
        ('@id("a") @reason("b") permit (principal, action);', "no valid Cedar policy: this policy is missing"),
        ('@id("a") @reason("b") permit (principal == ?principal, action, resource);', "a template: "),
        (
            f'@id("a") @reason("b") {SCOPE[:-1]} when {{ ip("1.1.1.1").isInRange(ip("1.1.1.1"), 3) }};',
            "no valid Cedar policy: function `isInRange` expects 2 argument(s), got 3",
        ),
        (
            f'@id("a") @reason("b") {SCOPE[:-1]} when {{ {" && ".join(["true"] * 200)} }};',
            "no valid Cedar policy: expression nesting exceeds the supported limit of 100 levels",
        ),
        ('@id("a") @reason("b") permit (principal, action, resource);', "this policy is not limited to `orders`"),
        (
            '@id("a") @reason("b") permit (principal, action == Action::"orders:getOdrer", resource);',
            "there is no operation `orders:getOdrer` (did you mean `orders:getOrder`?)",
        ),
        (
            f'@id("a") @reason("b") {SCOPE[:-1]} when {{ context.path.id == 3 }};',
            "the types Long and String are not compatible",
        ),
    ],
)
def test_one_mistake_at_its_line_and_nothing_is_granted(load: Load, text: str, mistake: str) -> None:
    policies, mistakes = load({ORDERS: f"// comment\n{GOOD.replace('a', 'good', 1)}\n\n{text}"})
    assert len(policies) == 0
    assert [str(each) for each in mistakes] == [str(mistakes[0])]
    assert str(mistakes[0]).startswith(f"policies/orders.cedar:7: {mistake}")


def test_all_mistakes_are_reported_in_one_run(load: Load) -> None:
    _, mistakes = load(
        {
            ORDERS: f'{GOOD}\n@id("x") {SCOPE}\npermit (;\n@id("y") @reason("r") permit (principal, action, resource);',
            "policies/payments.cedar": "\x00",
            "policies/nobody.cedar": GOOD,
            "guardrails.cedar": '@id("a") @reason("r") forbid (principal, action, resource);'
            f'\n@id("g") @reason("r") {SCOPE}',
        }
    )
    assert [str(mistake.place) for mistake in mistakes] == [
        "guardrails.cedar:2",
        "policies/nobody.cedar",
        "policies/orders.cedar:1",  # its id is taken by a guardrail
        "policies/orders.cedar:5",
        "policies/orders.cedar:6",
        "policies/orders.cedar:7",
        "policies/payments.cedar:1",
    ]


def test_one_policy_may_have_several_mistakes(load: Load) -> None:
    _, mistakes = load({ORDERS: '@id("?") @expires("x") @y permit (principal, action, resource);'})
    assert len(mistakes) == 5


def test_an_id_is_taken_once_over_all_files(load: Load) -> None:
    other = GOOD.replace("orders:getOrder", "payments:charge")
    _, mistakes = load({ORDERS: GOOD, "policies/payments.cedar": f"\n{other}"})
    assert [str(mistake) for mistake in mistakes] == [
        "policies/payments.cedar:2: the id `a` is taken by policies/orders.cedar:1 (choose another one)"
    ]


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("policies/order.cedar", "policies/order.cedar: there is no service `order` (did you mean `orders`?)"),
        ("policies/orders.CEDAR", "policies/orders.CEDAR: there is no service `orders.CEDAR`"),
        ("policies/.cedar.cedar", None),
        ("policies/README.md", None),
        ("policies/orders.cedar.swp", None),
        ("policies/guardrails.cedar", "policies/guardrails.cedar: guardrails stand beside inward.yaml"),
        ("policies/more/orders.cedar", "policies/more: a folder here is not read"),
    ],
)
def test_files_that_belong_to_nobody(load: Load, name: str, mistake: str | None) -> None:
    policies, mistakes = load({name: GOOD})
    assert len(policies) == 0
    assert len(mistakes) == (mistake is not None)
    assert mistake is None or str(mistakes[0]).startswith(mistake)


def test_a_file_name_that_is_no_text(shop: Catalog, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / os.fsdecode(b"policies/\xff\x1b.cedar")).write_text(GOOD)
    _, mistakes = load_policies(tmp_path, shop)
    assert [str(mistake) for mistake in mistakes] == [
        r"policies/\udcff\x1b.cedar: there is no service `\udcff\x1b` (name it after the service that it grants)"
    ]


def test_what_is_no_file_does_not_stop_the_load(shop: Catalog, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    os.mkfifo(tmp_path / ORDERS)
    (tmp_path / "policies" / "payments.cedar").symlink_to(tmp_path / "nothing")
    (tmp_path / "guardrails.cedar").mkdir()
    _, mistakes = load_policies(tmp_path, shop)
    assert [str(mistake) for mistake in mistakes] == [
        "guardrails.cedar: the file cannot be read: it is no regular file",
        "policies/orders.cedar: the file cannot be read: it is no regular file",
        "policies/payments.cedar: the file cannot be read: No such file or directory",
    ]


def test_policies_that_are_no_folder(shop: Catalog, tmp_path: Path) -> None:
    (tmp_path / "policies").write_text("")
    _, mistakes = load_policies(tmp_path, shop)
    assert [str(mistake) for mistake in mistakes] == ["policies: the folder cannot be read: Not a directory"]


def test_mistakes_of_a_file_are_bounded(load: Load) -> None:
    _, mistakes = load({ORDERS: "permit (principal, action, resource);\n" * 5_000})
    assert len(mistakes) <= MAX_MISTAKES + 1


def test_the_order_of_policies_is_that_of_their_ids(load: Load) -> None:
    text = "\n".join(GOOD.replace('"a"', f'"{name}"') for name in ("m", "z", "a", "B"))
    policies, _ = load({ORDERS: text})
    assert [policy.id for policy in policies] == ["B", "a", "m", "z"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-06-30", datetime(2027, 7, 1, tzinfo=UTC)),
        ("2028-02-28", datetime(2028, 2, 29, tzinfo=UTC)),
        ("2027-06-30T12:00:00Z", datetime(2027, 6, 30, 12, tzinfo=UTC)),
        ("2027-06-30T12:00:00.25Z", datetime(2027, 6, 30, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2027-06-30T12:00:00+02:00", datetime(2027, 6, 30, 10, tzinfo=UTC)),
        ("", None),
        ("2027-6-30", None),
        ("2027-02-29", None),
        ("20270630", None),
        ("2027-W26-3", None),
        ("2027-06-30T12:00:00", None),  # in whose time zone?
        ("2027-06-30 12:00:00Z", None),
        ("2027-06-30T24:00:00Z", None),
        ("2027-06-30T12:00:60Z", None),
        ("2027-06-30T12:00:00+25:00", None),
        ("9999-12-31", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("2027-06-30\n", None),
        ("٢٠٢٧-٠٦-٣٠", None),  # digits, but not ASCII
    ],
)
def test_expiries(text: str, moment: datetime | None) -> None:
    assert parse_expiry(text) == moment


def _system(tmp_path: Path, count: int) -> None:
    (tmp_path / "policies").mkdir(exist_ok=True)
    text = "".join(GOOD.replace('"a"', f'"p{number}"', 1) for number in range(count))
    (tmp_path / ORDERS).write_text(text)


def test_a_second_load_looks_only_at_what_changed(
    shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _system(tmp_path, 300)
    memo = Memo()
    first, _ = load_policies(tmp_path, shop, memo)
    parsed: list[str] = []
    real = cedarpy.PolicySet

    class Spy:
        @staticmethod
        def from_str(text: str) -> object:
            parsed.append(text)
            return real.from_str(text)

    monkeypatch.setattr(cedarpy, "PolicySet", Spy)
    _system(tmp_path, 301)
    second, mistakes = load_policies(tmp_path, shop, memo)
    assert mistakes == []
    assert len(parsed) == 1
    assert second.by_id.keys() - first.by_id.keys() == {"p300"}
    _system(tmp_path, 1)
    load_policies(tmp_path, shop, memo)
    assert (len(memo.trees), len(memo.valid)) == (1, 1)  # it holds what the last load used


def test_a_memo_does_not_hide_a_mistake(shop: Catalog, tmp_path: Path) -> None:
    memo = Memo()
    (tmp_path / "policies").mkdir()
    (tmp_path / ORDERS).write_text(GOOD)
    assert load_policies(tmp_path, shop, memo)[1] == []
    (tmp_path / ORDERS).rename(tmp_path / "policies" / "payments.cedar")  # the same text, in another's file
    assert [mistake.what for mistake in load_policies(tmp_path, shop, memo)[1]] == [
        "`orders:getOrder` is not of `payments`"
    ]


def test_a_thousand_policies_load_in_a_second_or_so(shop: Catalog, tmp_path: Path) -> None:
    _system(tmp_path, 1_000)
    started = time.process_time()
    policies, mistakes = load_policies(tmp_path, shop)
    assert time.process_time() - started < 5
    assert (len(policies), mistakes) == (1_000, [])


@pytest.mark.parametrize("broken", ["permit (principal, action, resource) whn { true };", "permit ();", "}", "in ;"])
def test_one_that_cannot_be_parsed_is_told_beside_others_that_can(load: Load, broken: str) -> None:
    policies = [GOOD.replace('"a"', f'"p{number}"', 1) for number in range(4)]
    _, mistakes = load({ORDERS: "".join((*policies[:2], f'@id("x") @reason("r") {broken};\n', *policies[2:]))})
    assert {mistake.place.line for mistake in mistakes} <= {7, 8}
    assert mistakes


def test_a_file_is_parsed_at_once_and_each_policy_keeps_its_own_tree(shop: Catalog, tmp_path: Path) -> None:
    conditions = ("", " when { true }", ' unless { "; // }" == "" }', " when { 1 == 2 } unless { false }", " // ;\n")
    texts = [
        GOOD.replace('"a"', f'"p{number}"', 1).replace(";", f"{conditions[number % len(conditions)]};")
        for number in range(20)
    ]
    (tmp_path / "policies").mkdir()
    (tmp_path / ORDERS).write_text("".join((*texts, texts[0])))
    memo = Memo()
    _, mistakes = load_policies(tmp_path, shop, memo)
    assert [mistake.what for mistake in mistakes] == ["the id `p0` is taken by policies/orders.cedar:1"]
    assert len(memo.trees) == len(texts)
    for text, parsed in memo.trees.items():
        (alone,) = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
        assert dataclasses.replace(parsed.tree, id="") == dataclasses.replace(alone, id="")


def test_where_policies_stand_is_kept_by_the_content_of_their_file(
    shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / ORDERS).write_text(f"// ü\n{GOOD}\n{GOOD.replace('a', 'b', 1)}")
    memo = Memo()
    first, _ = load_policies(tmp_path, shop, memo)
    (spans,) = memo.spans.values()
    monkeypatch.setattr("inward.policy.loading.load.parse_statements", None)
    again = Memo(spans=memo.spans)
    second, _ = load_policies(tmp_path, shop, again)
    assert list(again.spans.values()) == [spans]
    assert [(each.text, each.place) for each in second] == [(each.text, each.place) for each in first]
    (tmp_path / ORDERS).write_text(GOOD)
    with pytest.raises(TypeError):
        load_policies(tmp_path, shop, again)


def test_where_policies_stand_is_not_kept_of_a_file_with_a_mistake_of_its_own(shop: Catalog, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / ORDERS).write_text(GOOD + "permit (")
    memo = Memo()
    for _ in range(2):
        assert [mistake.what for mistake in load_policies(tmp_path, shop, memo)[1]] == ["a policy that does not end"]
        assert memo.spans == {}
