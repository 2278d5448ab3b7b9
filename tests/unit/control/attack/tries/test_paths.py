from __future__ import annotations

from typing import TYPE_CHECKING

from inward.control.attack.tries.paths import path_tricks, spellings

if TYPE_CHECKING:
    from tests.unit.control.attack.conftest import MakeIntruder


def test_every_family_of_spellings_is_there() -> None:
    found = spellings("/admin/keys", "/orders/0")
    assert len(set(found)) == len(found)
    assert b"/admin/keys" not in found
    for spelling in (
        b"//admin/keys",
        b"/./admin/keys",
        b"/x/../admin/keys",
        b"/x/%2e%2e/admin/keys",
        b"/admin%2fkeys",
        b"/admin%252fkeys",
        b"/admin\\keys",
        b"/x%5c../admin/keys",
        b"/admin/keys;a=b",
        b"/ADMIN/KEYS",
        b"/admin/keys/",
        b"/%61dmin/keys",
        b"/%2561dmin/keys",
        b"/%c0%afadmin/keys",
        b"/admin/keys%00",
        b"/admin/keys#",
        b"/http://localhost/admin/keys",
        b"/orders/0/../../admin/keys",
        b"/orders/0%2f..%2f../admin/keys",
        b"/orders/0/..;/..;/admin/keys",
    ):
        assert spelling in found, spelling
    assert not any(b"orders" in each for each in spellings("/admin/keys", None))
    assert spellings("/", None)


def test_what_reads_comes_first_and_what_writes_only_where_it_is_refused(make_intruder: MakeIntruder) -> None:
    assert [*dict.fromkeys(each.target for each in path_tricks(make_intruder()))] == [
        "orders:getKeys",
        "orders:deleteOrder",
    ]


def test_nothing_is_written_where_it_may_pass(make_intruder: MakeIntruder) -> None:
    assert {each.target for each in path_tricks(make_intruder(mode="mode: observe,"))} == {"orders:getKeys"}
