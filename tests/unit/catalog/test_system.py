"""System folders: the catalog of a right one, and every mistake of a wrong one, with file and line."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inward.catalog.model import Address, DataClass, Mode
from inward.catalog.system import load_catalog, load_system, policy_files
from inward.errors import InvalidSystemError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Catalog

SHOP = """\
trust_domain: shop.internal
services:
  orders:
    owner: team-orders
    zone: core
    groups: [internal, pci]
    api: apis/orders.yaml
    listen: 127.0.0.1:7002
    mode: observe
    operations:
      getOrder: {mode: enforce}
    run: uvicorn shop.orders:app --uds {socket}
  checkout:
    owner: team-checkout
data:
  pii: {owner: team-privacy}
  pii.email: {owner: team-customers}
  pii.phone.home: {owner: team-customers}
  other.x: {owner: team-customers}
"""
ORDERS = """\
openapi: 3.0.3
paths:
  /orders/{id}:
    get: {operationId: getOrder, parameters: [{$ref: 'parts/id.yaml#/id'}]}
    delete: {operationId: deleteOrder}
"""


def write(root: Path, inward: str = SHOP, **apis: str) -> Path:
    for name, text in {"orders": ORDERS, **apis}.items():
        (root / "apis" / "parts").mkdir(parents=True, exist_ok=True)
        (root / "apis" / f"{name}.yaml").write_text(text)
    (root / "apis" / "parts" / "id.yaml").write_text("id: {name: id, in: path, schema: {type: integer}}")
    (root / "inward.yaml").write_text(inward)
    return root


def mistakes_of(root: Path) -> list[str]:
    return [str(mistake) for mistake in load_catalog(root)[1]]


def right(root: Path) -> Catalog:
    catalog, mistakes = load_catalog(root)
    assert mistakes == []
    assert catalog is not None
    return catalog


def test_a_right_system(tmp_path: Path) -> None:
    catalog = right(write(tmp_path))
    assert catalog.trust_domain == "shop.internal"
    assert list(catalog.services) == ["orders", "checkout"]
    orders, checkout = catalog.services["orders"], catalog.services["checkout"]
    assert (orders.owner, orders.zone, orders.groups, orders.mode) == (
        "team-orders",
        "core",
        ("internal", "pci"),
        Mode.OBSERVE,
    )
    assert (orders.listen, orders.run) == (Address("127.0.0.1", 7002), "uvicorn shop.orders:app --uds {socket}")
    assert str(orders.spiffe_id) == "spiffe://shop.internal/orders"
    assert orders.place == Place("inward.yaml", 3)
    assert (checkout.zone, checkout.groups, checkout.mode, checkout.listen, checkout.run) == (
        None,
        (),
        Mode.ENFORCE,
        None,
        None,
    )
    assert checkout.operations == ()
    assert {name: operation.mode for name, operation in catalog.operations.items()} == {
        "orders:getOrder": Mode.ENFORCE,
        "orders:deleteOrder": Mode.OBSERVE,
    }
    assert catalog.operations["orders:deleteOrder"].place == Place("apis/orders.yaml", 5)
    assert catalog.by_spiffe_id("spiffe://shop.internal/orders") is orders
    for unknown in (
        "spiffe://shop.internal/nobody",
        "spiffe://other/orders",
        "spiffe://shop.internal/orders/",
        "orders",
    ):
        assert catalog.by_spiffe_id(unknown) is None


def test_a_data_class_is_under_its_nearest_declared_name(tmp_path: Path) -> None:
    classes = right(write(tmp_path)).data_classes
    assert {name: data_class.parent for name, data_class in classes.items()} == {
        "pii": None,
        "pii.email": "pii",
        "pii.phone.home": "pii",
        "other.x": None,
    }
    assert classes["pii.email"] == DataClass("pii.email", "team-customers", "pii", Place("inward.yaml", 17))


def test_the_files_of_a_system(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "orders.cedar").write_text("")
    (tmp_path / "policies" / "notes.txt").write_text("")
    (tmp_path / "guardrails.cedar").write_text("")
    policies = ("guardrails.cedar", "policies/orders.cedar")
    assert policy_files(tmp_path) == policies
    read = ("apis/orders.yaml", "apis/parts/id.yaml", *policies, "inward.yaml")
    assert load_system(tmp_path).files == tuple(sorted(read))


def test_files_that_are_missing_belong_to_a_system_too(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "apis" / "parts" / "id.yaml").unlink()
    assert "apis/parts/id.yaml" in load_system(tmp_path).files
    assert load_system(tmp_path / "nowhere").files == ("inward.yaml",)


def test_several_documents_of_one_service(tmp_path: Path) -> None:
    more = "openapi: 3.1.0\npaths: {/more: {get: {operationId: more}}}"
    inward = SHOP.replace("api: apis/orders.yaml", "api: [apis/orders.yaml, apis/more.yaml]")
    assert "orders:more" in right(write(tmp_path, inward, more=more)).operations


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (("trust_domain: shop.internal", "trust_domain: Shop"), "inward.yaml:1: `Shop` is no trust domain"),
        (("trust_domain: shop.internal", "trust_domain: 7"), "inward.yaml:1: `trust_domain` must be text and is"),
        (("trust_domain: shop.internal\n", ""), "inward.yaml:1: the document has no `trust_domain`"),
        (("trust_domain", "trustdomain"), "inward.yaml:1: unknown key `trustdomain` (did you mean `trust_domain`?)"),
        (("    owner: team-orders\n", ""), "inward.yaml:3: `orders` has no `owner` (name the team that grants its"),
        (("owner: team-orders", "owner: [a]"), "inward.yaml:4: `owner` must be text and is a list"),
        (("owner: team-orders", "owner: 'a\"b'"), 'inward.yaml:4: `a"b` cannot be a name'),
        (("owner: team-orders", "ownr: team-orders"), "inward.yaml:4: unknown key `ownr` (did you mean `owner`?)"),
        (("zone: core", "zone: [core]"), "inward.yaml:5: `zone` must be text and is a list"),
        (("[internal, pci]", "internal"), "inward.yaml:6: `groups` must be a list and is text"),
        (("[internal, pci]", "[pci, pci]"), "inward.yaml:6: the group `pci` stands here a second time"),
        (("[internal, pci]", "[1]"), "inward.yaml:6: item 1 of `groups` must be text and is a number"),
        (("apis/orders.yaml", "apis/gone.yaml"), "inward.yaml:7: `apis/gone.yaml` does not exist"),
        (("apis/orders.yaml", "../orders.yaml"), "inward.yaml:7: `../orders.yaml` is outside the system folder"),
        (("apis/orders.yaml", "/etc/passwd"), "inward.yaml:7: `/etc/passwd` is outside the system folder"),
        (("apis/orders.yaml", "{a: b}"), "inward.yaml:7: `api` must be text and is a mapping"),
        (("127.0.0.1:7002", "orders:7002"), "inward.yaml:8: `orders:7002` is no address to listen on"),
        (("127.0.0.1:7002", "7002"), "inward.yaml:8: `listen` must be text and is a number"),
        (("    listen: 127.0.0.1:7002\n", ""), "inward.yaml:3: `orders` has an `api` and no `listen`"),
        (("mode: observe", "mode: observed"), "inward.yaml:9: `observed` is no mode (choose `observe` or `enforce`)"),
        (("getOrder: {mode", "getOrders: {mode"), "inward.yaml:11: `orders` has no operation `getOrders` (did you"),
        (("{mode: enforce}", "enforce"), "inward.yaml:11: `getOrder` must be a mapping and is text"),
        (("{mode: enforce}", "{}"), "inward.yaml:11: `getOrder` has no `mode`"),
        (("{mode: enforce}", "{mode: enforce, x: 1}"), "inward.yaml:11: unknown key `x`"),
        (("{socket}", "some.sock"), "inward.yaml:12: `run` has no `{socket}` or `{port}`"),
        (("{socket}", "{socket} --port {port}"), "inward.yaml:12: `run` has both `{socket}` and `{port}`"),
        (("{socket}", '{socket} "'), "inward.yaml:12: `run` cannot be split into words: no closing quotation"),
        (("    run:", "    guard: 1\n    run:"), "inward.yaml:12: `guard` must be true or false and is a number"),
        (
            ("--uds {socket}", "--port {port}\n    guard: true"),
            "inward.yaml:13: a guard can only trust who calls where its program listens on a Unix socket",
        ),
        (("    run:", "    sample: 1.5\n    run:"), "inward.yaml:12: `sample` must be a number from 0 to 1"),
        (("    run:", "    sample: .nan\n    run:"), "inward.yaml:12: `sample` must be a number from 0 to 1"),
        (("    run:", "    sample: true\n    run:"), "inward.yaml:12: `sample` must be a number from 0 to 1"),
        (("    run:", "    sample: 5%\n    run:"), "inward.yaml:12: `sample` must be a number from 0 to 1"),
        (("pii: {owner", "none: {owner"), "`none` cannot be the name of a data class (it marks what is no data)"),
        (("  checkout:", "  Checkout:"), "inward.yaml:13: `Checkout` cannot be the name of a service"),
        (("  checkout:", "  check_out:"), "inward.yaml:13: `check_out` cannot be the name of a service"),
        (("  checkout:", "  -checkout:"), "inward.yaml:13: `-checkout` cannot be the name of a service"),
        (("  checkout:", f"  {'x' * 64}:"), "cannot be the name of a service"),
        (("  checkout:", "  \N{CYRILLIC SMALL LETTER ES}heckout:"), "cannot be the name of a service"),
        (("  checkout:", "  \N{FULLWIDTH LATIN SMALL LETTER C}heckout:"), "cannot be the name of a service"),
        (("  checkout:", '  "checkout\\n":'), "cannot be the name of a service"),
        (("  checkout:", "  orders:"), "inward.yaml:13: the key `orders` stands here a second time"),
        (("    owner: team-checkout\n", ""), "inward.yaml:13: `checkout` must be a mapping and is empty"),
        (("pii: {owner: team-privacy}", "pii: {}"), "inward.yaml:16: `pii` has no `owner` (name the team that"),
        (("pii: {owner: team-privacy}", "pii: team"), "inward.yaml:16: `pii` must be a mapping and is text"),
        (("pii: {owner: team-privacy}", "pii: {owner: a, x: b}"), "inward.yaml:16: unknown key `x`"),
        (
            ("pii: {owner: team-privacy}", "pii: {owner: a, undisclosed: msk}"),
            "inward.yaml:16: `msk` is nothing that can be done with undisclosed data (did you mean `mask`?)",
        ),
        (("pii: {owner", "Pii: {owner"), "inward.yaml:16: `Pii` cannot be the name of a data class"),
        (("pii: {owner", "pii.: {owner"), "inward.yaml:16: `pii.` cannot be the name of a data class"),
        (("data:\n", "dat:\n"), "inward.yaml:15: unknown key `dat` (did you mean `data`?)"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], mistake: str) -> None:
    assert SHOP.count(change[0]) >= 1
    found = mistakes_of(write(tmp_path, SHOP.replace(*change, 1)))
    assert any(mistake in text for text in found), found
    assert all("Traceback" not in text and "\n" not in text for text in found)


def test_a_guard_is_told_of(tmp_path: Path) -> None:
    catalog, mistakes = load_catalog(write(tmp_path, SHOP.replace("    run:", "    guard: true\n    run:")))
    assert catalog is not None, mistakes
    assert {name: service.guarded for name, service in catalog.services.items()} == {"orders": True, "checkout": False}


def test_what_is_undisclosed_is_said_by_the_nearest_class_above(tmp_path: Path) -> None:
    text = SHOP.replace("pii: {owner: team-privacy}", "pii: {owner: team-privacy, undisclosed: mask}")
    text = text.replace("pii.phone.home: {owner: team-customers}", "pii.phone.home: {owner: a, undisclosed: 'null'}")
    catalog, mistakes = load_catalog(write(tmp_path, text))
    assert catalog is not None, mistakes
    told = {name: each.undisclosed for name, each in catalog.data_classes.items()}
    assert told == {"pii": "mask", "pii.email": "mask", "pii.phone.home": "null", "other.x": "drop"}


OVERLAY = """\
overlay: 1.0.0
extends: {}
actions:
  - target: $.paths['/orders/{{id}}'].get
    update: {{responses: {{'200': {{content: {{application/json: {{schema: {{x-inward-data: pii}}}}}}}}}}}}
"""


def overlaid(tmp_path: Path, overlay: str, service: str = "overlay: apis/o.yaml") -> tuple[Catalog | None, list[str]]:
    """Load the shop with an overlay; `service` is what `orders` says of it."""
    root = write(tmp_path, SHOP.replace("    api: apis/orders.yaml\n", f"    api: apis/orders.yaml\n    {service}\n"))
    (root / "apis" / "o.yaml").write_text(overlay)
    catalog, mistakes = load_catalog(root)
    return catalog, [str(mistake) for mistake in mistakes]


@pytest.mark.parametrize("extends", ["orders.yaml", "./orders.yaml", "../apis/orders.yaml", "https://a.test/x.yaml"])
def test_an_overlay_declares_data_in_the_document_of_a_service(tmp_path: Path, extends: str) -> None:
    catalog, mistakes = overlaid(tmp_path, OVERLAY.format(extends))
    assert mistakes == []
    assert catalog is not None
    assert catalog.operations["orders:getOrder"].answers.classes == {"pii"}
    assert "apis/o.yaml" in load_system(tmp_path).files


def test_an_overlay_holds_for_all_that_refer_to_the_document(tmp_path: Path) -> None:
    text = SHOP.replace("    api: apis/orders.yaml\n", "    api: apis/orders.yaml\n    overlay: [apis/o.yaml]\n")
    front = "openapi: 3.0.3\npaths:\n  /front/{id}: {$ref: 'orders.yaml#/paths/~1orders~1{id}'}"
    text = text.replace("  checkout:\n", "  checkout:\n    api: apis/front.yaml\n    listen: 127.0.0.1:7003\n")
    root = write(tmp_path, text, front=front)
    (root / "apis" / "o.yaml").write_text(OVERLAY.format("orders.yaml"))
    catalog, mistakes = load_catalog(root)
    assert catalog is not None, mistakes
    assert catalog.operations["checkout:getOrder"].answers.classes == {"pii"}


@pytest.mark.parametrize(
    ("overlay", "service", "mistake"),
    [
        (OVERLAY.format("orders.yml"), None, "apis/o.yaml:2: `orders.yml` is no `api` of the service (its own are"),
        (OVERLAY.format("[]"), None, "apis/o.yaml:2: `extends` must be text and is a list"),
        (OVERLAY.format("orders.yaml").replace("pii", "pij"), None, "apis/o.yaml:5: there is no data class `pij`"),
        (OVERLAY.format("orders.yaml"), "overlay: apis/no.yaml", "inward.yaml:8: `apis/no.yaml` does not exist"),
        (OVERLAY.format("orders.yaml"), "overlay: 7", "inward.yaml:8: `overlay` must be text and is a number"),
        (OVERLAY.format("orders.yaml"), "overlay: [7]", "inward.yaml:8: item 1 of `overlay` must be text"),
        ("[]", None, "apis/o.yaml:1: the document must be a mapping and is a list"),
        ("{", None, "apis/o.yaml:2: is not valid YAML"),
    ],
)
def test_a_mistake_with_an_overlay_is_told_with_its_line(
    tmp_path: Path, overlay: str, service: str | None, mistake: str
) -> None:
    _, mistakes = overlaid(tmp_path, overlay, service or "overlay: apis/o.yaml")
    assert [each for each in mistakes if each.startswith(mistake)], mistakes


def test_an_overlay_without_a_document_or_with_a_choice_of_them_is_a_mistake(tmp_path: Path) -> None:
    _, mistakes = overlaid(tmp_path, OVERLAY.format("orders.yaml"))
    assert mistakes == []
    text = SHOP.replace("  checkout:\n", "  checkout:\n    overlay: apis/o.yaml\n")
    _, told = load_catalog(write(tmp_path, text))
    assert [each.what for each in told] == ["`checkout` has an `overlay` and no `api`"]
    api = "api: [apis/orders.yaml, apis/more.yaml]\n    overlay: apis/o.yaml\n"
    more = "openapi: 3.0.3\npaths: {/more: {get: {operationId: more}}}"
    root = write(tmp_path, SHOP.replace("api: apis/orders.yaml\n", api), more=more)
    (root / "apis" / "o.yaml").write_text(OVERLAY.format("orders.yaml").replace("extends: orders.yaml\n", ""))
    _, told = load_catalog(root)
    assert [each.what for each in told] == ["the overlay does not say which document it changes"]


def test_two_documents_that_are_overlays_of_each_other_come_to_an_end(tmp_path: Path) -> None:
    both = "[apis/a.yaml, apis/b.yaml]"
    text = SHOP.replace("    api: apis/orders.yaml\n", f"    api: {both}\n    overlay: {both}\n")
    parts = "openapi: 3.0.3\npaths: {}\noverlay: 1.0.0\nactions: [{target: $, update: {x-a: 1}}]\nextends: "
    _, told = load_catalog(write(tmp_path, text, a=parts + "b.yaml", b=parts + "a.yaml"))
    assert told


@pytest.mark.parametrize("content", [b"", b"[]", b"a", b"\x00", b"\xff\xfe", b"{", b"- a: b\n  c", b"\xef\xbb\xbf"])
def test_hostile_files_are_one_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "inward.yaml").write_bytes(content)
    catalog, mistakes = load_catalog(tmp_path)
    assert catalog is None
    assert len(mistakes) == 1
    assert mistakes[0].place.file == "inward.yaml"


def test_a_folder_without_inward_yaml(tmp_path: Path) -> None:
    assert mistakes_of(tmp_path) == ["inward.yaml: `inward.yaml` does not exist (run `inward init` to begin one)"]
    assert mistakes_of(tmp_path / "nowhere") == mistakes_of(tmp_path)


def test_services_that_differ_in_case_only(tmp_path: Path) -> None:
    inward = "trust_domain: a\nservices:\n  orders: {owner: a}\n  ORDERS: {owner: b}\n"
    assert "inward.yaml:4: the services `ORDERS` and `orders` differ in case only" in mistakes_of(
        write(tmp_path, inward)
    )


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [("127.0.0.1", "127.0.0.1", True), ("0.0.0.0", "127.0.0.1", True), ("127.0.0.2", "127.0.0.1", False)],
)
def test_two_services_on_one_address(tmp_path: Path, one: str, other: str, *, clash: bool) -> None:
    services = f"  a: {{owner: a, listen: '{one}:7000'}}\n  b: {{owner: a, listen: '{other}:7000'}}\n"
    inward = f"trust_domain: a\nservices:\n{services}"
    told = f"inward.yaml:4: `{other}:7000` is taken: `a` listens on `{one}:7000` (choose another port)"
    assert mistakes_of(write(tmp_path, inward)) == [told] * clash


def test_operations_that_two_templates_match_across_documents(tmp_path: Path) -> None:
    more = "openapi: 3.1.0\npaths:\n  /orders/{number}:\n    get: {}\n  /x:\n    get: {operationId: deleteOrder}\n"
    inward = SHOP.replace("api: apis/orders.yaml", "api: [apis/orders.yaml, apis/more.yaml]")
    assert mistakes_of(write(tmp_path, inward, more=more)) == [
        (
            "apis/more.yaml:4: `GET /orders/{number}` and `/orders/{id}` (apis/orders.yaml:4) "
            "match the same paths (keep one)"
        ),
        (
            "apis/more.yaml:6: the operation `deleteOrder` stands here a second time, first at apis/orders.yaml:5 "
            "(give each an `operationId` of its own)"
        ),
    ]


def test_all_mistakes_are_told_in_one_run_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    inward = (
        SHOP.replace("zone", "zon")
        .replace("mode: observe", "mode: maybe")
        .replace("pii: {owner: team-privacy}", "pii: {}")
    )
    write(tmp_path, inward, orders=ORDERS.replace("delete:", "delte:").replace("parts/id", "parts/gone"))
    _, mistakes = load_catalog(tmp_path)
    assert [str(mistake.place) for mistake in mistakes] == [
        "apis/orders.yaml:4", "apis/orders.yaml:5", "inward.yaml:5", "inward.yaml:9", "inward.yaml:16",
    ]  # fmt: skip
    assert str(InvalidSystemError(mistakes)).count("\n") == len(mistakes) - 1


def test_what_could_be_read_is_given_with_the_mistakes(tmp_path: Path) -> None:
    catalog, mistakes = load_catalog(write(tmp_path, SHOP.replace("zone: core", "zon: core")))
    assert len(mistakes) == 1
    assert catalog is not None
    assert "orders:getOrder" in catalog.operations


@pytest.mark.parametrize(
    "change",
    [
        ("apis/orders.yaml", "apis/gone.yaml"),
        ("apis/orders.yaml", "apis/parts/id.yaml"),
        ("trust_domain: shop.internal", "trust_domain: Shop"),
        ("    owner: team-orders\n", ""),
        ("  checkout:", "  Checkout:"),
        ("pii: {owner: team-privacy}", "pii: {}"),
    ],
)
def test_no_catalog_is_given_where_names_are_missing_from_it(tmp_path: Path, change: tuple[str, str]) -> None:
    assert load_catalog(write(tmp_path, SHOP.replace(*change)))[0] is None


def test_an_override_is_not_blamed_where_its_document_is_missing(tmp_path: Path) -> None:
    found = mistakes_of(write(tmp_path, SHOP.replace("apis/orders.yaml", "apis/gone.yaml")))
    assert [text.partition(" does")[0] for text in found] == ["inward.yaml:7: `apis/gone.yaml`"]


def test_a_catalog_cannot_be_changed(tmp_path: Path) -> None:
    catalog = right(write(tmp_path))
    with pytest.raises(TypeError):
        catalog.services["x"] = catalog.services["orders"]  # type: ignore[index]  # that it cannot is what is tested


WHOLE_API = """
openapi: 3.2.0
servers: [{url: 'https://{h}/v1', variables: {h: {default: a.org}}}]
paths:
  /orders/{id}:
    $ref: '#/components/pathItems/order'
    parameters: [{$ref: '#/components/parameters/id'}, {name: q, in: query, schema: {type: [integer, 'null']}}]
    get: {operationId: getOrder, deprecated: true, servers: [{url: /v2}]}
    additionalOperations: {COPY: {}}
components:
  pathItems: {order: {put: {parameters: [{name: full, in: query, required: true}]}}}
  parameters: {id: {name: id, in: path, schema: {$ref: '#/components/schemas/id'}}}
  schemas: {id: {type: integer}}
"""
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, 0, -1, 1.5, 10**400, "", "a", "/a", "{", "{a}", "no", "..", "\u200b", "x" * 5000),
        *("#/paths", "#/components/parameters/id", "apis/orders.yaml", {"$ref": "#/"}, {"$ref": "#"}, {"$ref": 1}),
        *([], [None], [{}], {}, {"": ""}, {"a": None}),
    ]
)


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container with each of its keys or indexes."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(inside):
        yield data, key
        yield from places(value)


@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_no_document_whatever_its_shape_ends_in_an_exception(data: st.DataObject) -> None:
    system, api = yaml.safe_load(SHOP), yaml.safe_load(WHOLE_API)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from([*places(system), *places(api)]))
        if isinstance(container, dict) and data.draw(st.booleans()):
            container[str(data.draw(ODD))] = container.pop(key)
        else:
            container[key] = deepcopy(data.draw(ODD))
    with TemporaryDirectory() as folder:
        root = write(Path(folder), yaml.safe_dump(system), orders=yaml.safe_dump(api))
        loaded = load_system(root)
        lines = {name: (root / name).read_text().count("\n") for name in loaded.files if (root / name).is_file()}
    for mistake in loaded.mistakes:
        assert "\n" not in str(mistake)
        assert mistake.place.file == "inward.yaml" or mistake.place.file.startswith("apis/")
        assert 1 <= mistake.place.line <= lines[mistake.place.file] + 1


def test_the_document_that_is_mutated_is_a_right_one(tmp_path: Path) -> None:
    assert "orders:getOrder" in right(write(tmp_path, orders=WHOLE_API.replace("servers: [{url: /v2}]", ""))).operations


@pytest.mark.parametrize(("text", "share"), [("0", 0.0), ("1", 1.0), ("0.05", 0.05)])
def test_the_share_of_answers_that_is_sampled(tmp_path: Path, text: str, share: float) -> None:
    catalog, mistakes = load_catalog(write(tmp_path, SHOP.replace("    run:", f"    sample: {text}\n    run:")))
    assert catalog is not None, mistakes
    assert {name: service.sample for name, service in catalog.services.items()} == {"orders": share, "checkout": None}
