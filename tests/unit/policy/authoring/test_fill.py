"""Every template, filled for the shop of the examples: it loads, and it decides what its words say."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cedarpy
import pytest

from inward.catalog.system import load_system
from inward.errors import BadInputError
from inward.policy.authoring.edit import add_policy
from inward.policy.authoring.fill import fill
from inward.policy.authoring.layout import lay_out_policy
from inward.policy.authoring.templates import TEMPLATES
from inward.policy.decide import Engine
from inward.policy.loading.load import load_policies
from inward.policy.request import Request
from inward.policy.schema import entities_of

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.policy.authoring.fill import Filled
    from inward.policy.model import Policies

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "shop"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ALLOW_ALL = """\
@id("all") @reason("so that only a guardrail refuses")
permit (principal, action in [Action::"orders:read", Action::"orders:write"], resource == Service::"orders");
"""


class Shop:
    """The system of the examples, without a policy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(EXAMPLE / "apis", folder / "apis")
        shutil.copy(EXAMPLE / "inward.yaml", folder)
        (folder / "policies").mkdir()
        catalog = load_system(folder).catalog
        assert catalog is not None
        self.catalog: Catalog = catalog

    def fill(self, name: str, **values: str) -> Filled:
        values = {"reason": "because", **{key.replace("class_", "class"): value for key, value in values.items()}}
        return fill(TEMPLATES[name], values, self.catalog, (), NOW)

    def add(self, name: str, **values: str) -> None:
        filled = self.fill(name, **values)
        assert filled.file is not None
        edit = add_policy(self.folder, self.catalog, filled.file, filled.text)
        assert [change.policy for change in edit.changes] == [filled.id]
        assert lay_out_policy(filled.text) == filled.text
        assert (self.folder / filled.file).read_text().endswith(filled.text + "\n")

    def policies(self) -> Policies:
        policies, mistakes = load_policies(self.folder, self.catalog)
        assert mistakes == []
        return policies

    def allows(self, caller: str, operation: str, path: str = "/orders/42", now: datetime = NOW) -> bool:
        engine = Engine(self.catalog, self.policies())
        return engine.decide(Request(caller, operation, path), now).allowed

    def shown(self, caller: str, data_class: str) -> bool:
        """Ask Cedar itself whether a caller may be shown a data class: no request does."""
        text = "\n".join(policy.text for policy in self.policies())
        request = {
            "principal": f'Service::"{caller}"',
            "action": 'Action::"disclose"',
            "resource": f'DataClass::"{data_class}"',
            "context": {},
        }
        return cedarpy.is_authorized(request, text, entities_of(self.catalog)).allowed


@pytest.fixture
def example(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


GET, CANCEL, LIST = "orders:getOrder", "orders:cancelOrder", "orders:listOrders"


def test_operation(example: Shop) -> None:
    example.add("operation", caller="shipping", operation=GET, until="2027-01-31")
    assert example.allows("shipping", GET)
    assert not example.allows("shipping", GET, now=datetime(2027, 2, 1, tzinfo=UTC))
    assert not example.allows("shipping", CANCEL)
    assert not example.allows("checkout", GET)


def test_read_only(example: Shop) -> None:
    example.add("read-only", caller="shipping", service="orders")
    assert example.allows("shipping", GET)
    assert example.allows("shipping", LIST, "/orders")
    assert not example.allows("shipping", CANCEL)
    assert not example.allows("checkout", GET)


def test_group(example: Shop) -> None:
    example.add("group", group="sellers", operation=GET)
    assert example.allows("storefront", GET)
    assert example.allows("checkout", GET)
    assert not example.allows("shipping", GET)
    assert not example.allows("storefront", CANCEL)


def test_own_zone(example: Shop) -> None:
    example.add("own-zone", service="orders")
    assert example.allows("checkout", GET)
    assert example.allows("checkout", CANCEL)
    assert not example.allows("storefront", GET)
    assert not example.allows("payments", GET)


@pytest.mark.parametrize(
    ("opens", "closes", "hours"),
    [("8:00", "18:00", range(8, 18)), ("22:00", "06:00", [*range(6), 22, 23]), ("00:00", "24:00", range(24))],
)
def test_hours(example: Shop, opens: str, closes: str, hours: range | list[int]) -> None:
    example.add("hours", caller="shipping", operation=GET, opens=opens, closes=closes)
    allowed = [hour for hour in range(24) if example.allows("shipping", GET, now=NOW.replace(hour=hour))]
    assert allowed == list(hours)
    assert not example.allows("checkout", GET, now=NOW.replace(hour=hours[0]))


def test_hours_to_the_minute(example: Shop) -> None:
    example.add("hours", caller="shipping", operation=GET, opens="8:30", closes="18:15")
    moments = [(8, 29), (8, 30), (18, 14), (18, 15)]
    assert [example.allows("shipping", GET, now=NOW.replace(hour=h, minute=m)) for h, m in moments] == [
        False, True, True, False,
    ]  # fmt: skip


def test_incident(example: Shop) -> None:
    example.add("incident", caller="shipping", operation=GET, days="3", ticket="INC-42")
    [policy] = example.policies()
    assert policy.reason == "INC-42: because"
    assert example.allows("shipping", GET, now=datetime(2026, 11, 28, 23, 59, tzinfo=UTC))
    assert not example.allows("shipping", GET, now=datetime(2026, 11, 29, tzinfo=UTC))


def test_disclose(example: Shop) -> None:
    example.add("disclose", caller="shipping", class_="pii.address")
    assert (example.folder / "policies" / "customers.cedar").exists()  # whose owner the class belongs to
    assert example.shown("shipping", "pii.address")
    assert not example.shown("shipping", "pii.name")
    assert not example.shown("checkout", "pii.address")


def test_guardrail_zones(example: Shop) -> None:
    (example.folder / "policies" / "orders.cedar").write_text(ALLOW_ALL)
    assert example.allows("storefront", GET)
    example.add("guardrail-zones", from_zone="edge", to_zone="core")
    assert not example.allows("storefront", GET)
    assert example.allows("checkout", GET)
    assert example.allows("shipping", GET)


def test_guardrail_writes(example: Shop) -> None:
    (example.folder / "policies" / "orders.cedar").write_text(ALLOW_ALL)
    assert example.allows("storefront", CANCEL)
    example.add("guardrail-writes", team="team-checkout", service="orders")
    assert not example.allows("storefront", CANCEL)
    assert example.allows("storefront", GET)
    assert example.allows("checkout", CANCEL)


def test_guardrail_disclosure(example: Shop) -> None:
    for caller in ("checkout", "shipping"):
        example.add("disclose", caller=caller, class_="pii.name")
        assert example.shown(caller, "pii.name")
    example.add("guardrail-disclosure", zone="core", class_="pii")
    assert example.shown("checkout", "pii.name")
    assert not example.shown("shipping", "pii.name")


def test_no_template_was_forgotten_here() -> None:
    assert {f"test_{name.replace('-', '_')}" for name in TEMPLATES} <= globals().keys()


FULL = {"caller": "shipping", "operation": GET}


@pytest.mark.parametrize(
    ("name", "values", "what", "hint"),
    [
        ("operation", {}, "needs `caller`, `operation`", "caller=… is the service that calls"),
        ("operation", {**FULL, "calller": "x"}, "has no `calller`", "did you mean `caller`?"),
        ("operation", {**FULL, "days": "3"}, "has no `days`", "it has `caller`"),
        ("operation", {**FULL, "caller": "chekout"}, "no service `chekout`", "did you mean `checkout`?"),
        ("operation", {**FULL, "caller": 'x" || true'}, "no service", ""),
        ("operation", {**FULL, "operation": "orders:getOrdr"}, "no operation", f"did you mean `{GET}`?"),
        ("operation", {**FULL, "operation": "orders"}, "operation=`orders` does not fit", "orders:getOrder"),
        ("operation", {**FULL, "reason": " "}, "reason=` ` does not fit", "who needs this"),
        ("operation", {**FULL, "reason": "a\nb"}, "does not fit", ""),
        ("operation", {**FULL, "reason": "x" * 501}, "does not fit", ""),
        ("operation", {**FULL, "until": "tomorrow"}, "until=`tomorrow`", "last day"),
        ("operation", {**FULL, "until": "2026-11-24"}, "`2026-11-24` is over", "a day to come"),
        ("operation", {**FULL, "id": "two words"}, "id=`two words`", ""),
        ("group", {"group": "selers", "operation": GET}, "no group `selers`", "did you mean `sellers`?"),
        ("own-zone", {"service": "nope"}, "no service `nope`", ""),
        ("incident", {**FULL, "days": "0", "ticket": "INC-1"}, "days=`0`", "1 to 90"),
        ("incident", {**FULL, "days": "91", "ticket": "INC-1"}, "days=`91`", "1 to 90"),
        ("incident", {**FULL, "days": "3", "ticket": "urgent"}, "ticket=`urgent`", "INC-42"),
        ("incident", {**FULL, "days": "3", "ticket": "I-1", "reason": "x" * 499}, "too long", ""),
        ("hours", {**FULL, "opens": "8", "closes": "18:00"}, "opens=`8`", "08:00"),
        ("hours", {**FULL, "opens": "24:00", "closes": "18:00"}, "opens=`24:00`", ""),
        ("hours", {**FULL, "opens": "08:00", "closes": "8:00"}, "opens when it closes", ""),
        ("disclose", {"caller": "shipping", "class": "pii.adress"}, "no data class", "did you mean `pii.address`?"),
        ("guardrail-zones", {"from_zone": "egde", "to_zone": "core"}, "no zone `egde`", "did you mean `edge`?"),
        ("guardrail-writes", {"team": "team-wb", "service": "orders"}, "no team", "did you mean `team-web`?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(example: Shop, name: str, values: dict[str, str], what: str, hint: str) -> None:
    with pytest.raises(BadInputError) as caught:
        example.fill(name, **values)
    assert what in caught.value.message
    assert hint in caught.value.hint


def test_what_only_a_system_knows(example: Shop) -> None:
    with pytest.raises(BadInputError, match="in no zone"):
        fill(TEMPLATES["own-zone"], {"service": "monitor2", "reason": "r"}, _zoneless(example), (), NOW)
    with pytest.raises(BadInputError, match="only a system says"):
        fill(TEMPLATES["own-zone"], {"service": "orders", "reason": "r"}, None, (), NOW)
    filled = fill(TEMPLATES["disclose"], {"caller": "a", "class": "b", "reason": "r"}, None, (), NOW)
    assert filled.file is None


def _zoneless(example: Shop) -> Catalog:
    text = (example.folder / "inward.yaml").read_text()
    (example.folder / "inward.yaml").write_text(text.replace("  monitor:", "  monitor2: {owner: x}\n  monitor:"))
    catalog = load_system(example.folder).catalog
    assert catalog is not None
    return catalog


def test_no_value_says_more_than_its_hole_allows() -> None:
    evil = '"); permit (principal, action, resource); //\\'
    values = {"caller": evil, "operation": f"a:{evil}", "reason": evil}
    text = fill(TEMPLATES["operation"], values, None, (), NOW).text
    [tree] = cedarpy.policies_to_pst(text).static_policies.values()
    assert tree.annotations["reason"] == evil


def test_an_id_that_is_taken_is_not_taken_again(example: Shop) -> None:
    taken = {"operation-shipping-orders-getorder"}
    filled = fill(TEMPLATES["operation"], {**FULL, "reason": "r"}, example.catalog, taken, NOW)
    assert filled.id == "operation-shipping-orders-getorder-2"
    assert example.fill("operation", **FULL, id="mine").id == "mine"
