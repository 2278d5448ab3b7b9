"""Entries of `inward.yaml` are put in as lines; a layout that does not take them is refused, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inward.catalog.document import parse_document
from inward.discovery.writing.entry import UneditableError, new_system, with_apis, with_service

if TYPE_CHECKING:
    from inward.catalog.syntax import Data

ENTRY: dict[str, Data] = {
    "owner": "team-a",
    "api": "apis/a.yaml",
    "listen": "127.0.0.1:0",
    "mode": "observe",
    "run": "a --uds {socket} # x",
}
TEXT = """\
# mine
trust_domain: shop.internal   # kept
services:
    # the first
    old:          # kept too
        owner: team-old
        api: apis/old.yaml   # its document
        listen: 127.0.0.1:7001
    only: {owner: team-only}
data: {pii: {owner: x}}
"""


def data(text: str) -> Any:
    return parse_document("inward.yaml", text.encode()).parsed.data


def test_a_service_is_put_in_and_all_else_is_kept() -> None:
    text = with_service(TEXT, "new", ENTRY)
    assert [line for line in text.splitlines() if line not in TEXT.splitlines()] == [
        "    new:",
        "      owner: team-a",
        "      api: apis/a.yaml",
        "      listen: 127.0.0.1:0",
        "      mode: observe",
        '      run: "a --uds {socket} # x"',
    ]
    assert all(line in text.splitlines() for line in TEXT.splitlines())
    assert data(text)["services"]["new"] == ENTRY


def test_the_first_service_of_a_new_system() -> None:
    text = with_service(new_system("shop.internal"), "new", ENTRY)
    assert data(text) == {"trust_domain": "shop.internal", "services": {"new": ENTRY}}


@pytest.mark.parametrize(
    ("api", "after"),
    [
        ("api: apis/old.yaml   # its document", "api: [apis/old.yaml, apis/more.yaml]   # its document"),
        ("api: [apis/old.yaml, b.yaml]", "api: [apis/old.yaml, b.yaml, apis/more.yaml]"),
        ("api:\n          - apis/old.yaml\n          - b.yaml", "api: [apis/old.yaml, b.yaml, apis/more.yaml]"),
    ],
)
def test_a_document_is_added_to_those_that_are_there(api: str, after: str) -> None:
    text = TEXT.replace("api: apis/old.yaml   # its document", api)
    changed = with_apis(text, "old", ["apis/more.yaml"], "127.0.0.1:0")
    assert changed == text.replace(api, after)


def test_a_service_without_documents_gets_one_and_an_address() -> None:
    text = TEXT.replace("        api: apis/old.yaml   # its document\n        listen: 127.0.0.1:7001\n", "")
    changed = with_apis(text, "old", ["apis/more.yaml"], "127.0.0.1:0")
    assert "        api: apis/more.yaml\n        listen: 127.0.0.1:0\n" in changed


@pytest.mark.parametrize(
    "text",
    [
        "services: {a: {owner: x}}\ntrust_domain: x\n",
        "{}",
        "",
        "services:\n  a: &x {owner: y}\n<<: *x\n",
        "- a\n",
        "services: 7\n",
    ],
)
def test_another_layout_is_refused_with_the_lines_to_put_in(text: str) -> None:
    with pytest.raises(UneditableError) as caught:
        with_service(text, "new", ENTRY)
    assert "owner: team-a" in caught.value.hint
    with pytest.raises(UneditableError):
        with_apis(TEXT, "only", ["apis/more.yaml"], "127.0.0.1:0")
